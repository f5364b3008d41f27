"""Amounts of money as people and vendors give them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhw.jobs.money import MICRO, MOST_USD, parse_money, show_money, to_micro


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("30 usd", 30 * MICRO),
        (" 0.50USD ", MICRO // 2),
        ("0usd", 0),
        ("000020usd", 20 * MICRO),
        ("0.0000019usd", 1),  # never more than was said
        ("1.99999999999999999999999999999999999999usd", 1_999_999),
        ("999999999.999999999usd", MOST_USD * MICRO - 1),
        (f"{MOST_USD}usd", MOST_USD * MICRO),
    ],
)
def test_amounts(text: str, micro: int) -> None:
    assert parse_money(text) == micro


@pytest.mark.parametrize(
    "text",
    [
        "1e30usd", "1e400", "inf", "infusd", "nan", "-1usd", "0x10", "0x10usd", "1_000usd",
        "1,000usd", ".5usd", "20", "20eur", "usd", "", "٣usd", f"{MOST_USD}.000001usd",
        "9" * 30 + "usd", "9" * 100_000 + "usd", "0." + "9" * 100_000, "20" + "x" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_amount_is_one_short_line(text: str) -> None:
    with pytest.raises(ValueError, match="Argument `budget` must be") as caught:
        parse_money(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@given(st.decimals(0, MOST_USD, allow_nan=False))
def test_a_cap_is_the_largest_whole_number_of_millionths(amount: object) -> None:
    text = format(amount, "f")
    assert parse_money(f"{text}usd") == Fraction(text) * MICRO // 1


@pytest.mark.parametrize("usd", [-0.01, float("inf"), float("nan"), 1e30, 1e9 + 1])
def test_costs_that_no_ledger_holds(usd: float) -> None:
    with pytest.raises(ValueError, match="Argument `usd` must be"):
        to_micro(usd)


def test_the_largest_amounts_add_up_in_64_bits() -> None:
    assert 1000 * to_micro(MOST_USD) < 2**63
    assert show_money(to_micro(MOST_USD)) == "1000000000.00 usd"
