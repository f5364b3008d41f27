from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhw.analysis.compare.result import Estimate
from qhw.report.format import interval, percent, success, usd
from qhw.report.page import of_row


@pytest.mark.parametrize(
    ("low", "high", "as_percent", "told"),
    [
        (0.041, 0.0435, False, "0.0410 to 0.0435"),
        (0.2831, 0.3, False, "0.283 to 0.300"),
        (0.97, 0.9731, True, "97.0 % to 97.3 %"),
        (99.51, 101.3, False, "99.5 to 101"),
        (0.0, 0.0123, False, "0 to 0.0123"),
        (0.00012, 12.3, False, "0.000120 to 12.3"),
        (0.0611, 0.136, False, "0.0611 to 0.136"),
        (0.0, 1.0, True, "0 % to 100 %"),
        (1.0, 2.0, False, "1 to 2"),
    ],
)
def test_both_ends_of_an_interval_are_as_exact(
    low: float, high: float, as_percent: bool, told: str
) -> None:
    assert interval(Estimate(value=low, low=low, high=high), as_percent=as_percent) == told


@pytest.mark.parametrize(
    ("value", "zeros", "told"),
    [
        (None, False, "–"),
        (0.0, False, "0 %"),
        (1.0, False, "100 %"),
        (0.932, False, "93.2 %"),
        (0.5, False, "50 %"),
        (0.5, True, "50.0 %"),
        (0.00012, False, "0.012 %"),
        (7.81e-276, False, "< 0.001 %"),
        (-7.81e-276, False, "> -0.001 %"),
        (1e-5, False, "0.001 %"),
        (12.5, False, "1,250 %"),
    ],
)
def test_percentages_as_people_read_them(value: float | None, zeros: bool, told: str) -> None:
    assert percent(value, zeros=zeros) == told


@pytest.mark.parametrize(
    ("value", "shots", "told"),
    [
        (0.957, 10_000, "95.7 %"),
        (1.1e-4, 10_000, "0.011 %"),
        (0.9e-4, 10_000, "below 1 in 10,000 shots"),
        (7.81e-276, 10_000, "below 1 in 10,000 shots"),
        (0.0, 1, "below 1 in 1 shots"),
        (1.0, 1, "100 %"),
    ],
)
def test_a_success_that_no_shots_could_show_is_said_to_be_so(
    value: float, shots: int, told: str
) -> None:
    assert success(value, shots) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "–"),
        (0.0, "$0.00"),
        (1e-300, "< $0.01"),
        (0.004999, "< $0.01"),
        (0.005, "$0.01"),
        (7.285, "$7.29"),
        (1234.5, "$1,234.50"),
    ],
)
def test_dollars_as_people_read_them(value: float | None, told: str) -> None:
    assert usd(value) == told


@given(st.floats(-100.0, 100.0), st.integers(1, 10**9), st.booleans())
def test_nobody_reads_powers_of_ten(value: float, shots: int, zeros: bool) -> None:
    texts = [percent(value, zeros=zeros), success(abs(value), shots), usd(abs(value))]
    assert not any(re.search(r"\de[+-]?\d", text) for text in texts)
    for text in texts[:2]:  # what is told is as near as its digits
        if found := re.fullmatch(r"(-?[\d.,]+) %", text):
            assert abs(float(found[1].replace(",", "")) / 100) == pytest.approx(
                abs(value), rel=6e-3
            )


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.integers(1, 10**9))
def test_success_is_a_bound_just_where_less_than_one_shot_would_show_it(
    one: float, other: float, shots: int
) -> None:
    told = [success(value, shots).startswith("below 1 in") for value in (one, other)]
    assert told == [value * shots < 1 for value in (one, other)]


def test_a_row_named_by_its_number_is_told_once() -> None:
    assert (of_row("0", 0), of_row("0", 1), of_row("ethanol", 3)) == ("0", "1. 0", "3. ethanol")
