"""US dollars as whole millionths: sums are exact, and a cap is a comparison of integers."""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

MICRO = 1_000_000
MOST_USD = 1_000_000_000
"""Largest amount; thousands of it still add up within a ledger's 64 bits."""
_SHOWN = 40
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]{0,10})\s*")


def to_micro(usd: float) -> int:
    """Dollars as millionths, rounded up so that a reservation is never too small.

    Raises:
        ValueError: negative, infinite, NaN or above :data:`MOST_USD`.
    """
    if not math.isfinite(usd) or usd < 0:
        raise ValueError(f"Argument `usd` must be finite and not negative, but is {usd}")
    if usd > MOST_USD:
        raise ValueError(f"Argument `usd` must be at most {MOST_USD}, but is {usd}")
    # the shortest decimal of the float: 0.1 must not become 100001 millionths
    return int((Decimal(repr(float(usd))) * MICRO).to_integral_value(ROUND_CEILING))


def parse_money(text: str, name: str = "budget") -> int:
    """Millionths of a dollar of a text such as ``20usd`` or ``0.50 USD``.

    Rounded down: a cap is never more than was said.

    Raises:
        ValueError: not an amount, no currency, one other than usd, or above :data:`MOST_USD`.
    """
    match = _AMOUNT.fullmatch(text)
    shown = repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
    if match is None:
        raise ValueError(f"Argument `{name}` must be an amount such as 20usd, but is {shown}")
    amount, currency = match.groups()
    if currency.lower() != "usd":
        said = f"the currency {currency!r}" if currency else "no currency"
        raise ValueError(
            f"Argument `{name}` must be in usd, the only currency known, such as 20usd, but "
            f"{shown} has {said}"
        )
    with localcontext(prec=len(amount) + 7):  # every digit counts before rounding
        micro = (Decimal(amount) * MICRO).to_integral_value(ROUND_FLOOR)
    if micro > MOST_USD * MICRO:
        raise ValueError(f"Argument `{name}` must be at most {MOST_USD}usd, but is {shown}")
    return int(micro)


def show_money(micro: int | None) -> str:
    """``1.25 usd`` for people; ``unknown`` for ``None``; more places where cents hide it."""
    if micro is None:
        return "unknown"
    places = 2 if micro % (MICRO // 100) == 0 else 6
    text = f"{Decimal(micro) / MICRO:.{places}f}"
    return f"{text.rstrip('0') if places > 2 else text} usd"
