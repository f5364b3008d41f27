"""US dollars as whole millionths: sums are exact, and a cap is a comparison of integers."""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, Decimal

MICRO = 1_000_000
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def to_micro(usd: float) -> int:
    """Dollars as millionths, rounded up so that a reservation is never too small.

    Raises:
        ValueError: negative, infinite or NaN.
    """
    if not math.isfinite(usd) or usd < 0:
        raise ValueError(f"Argument `usd` must be finite and not negative, but is {usd}")
    # the shortest decimal of the float: 0.1 must not become 100001 millionths
    return int((Decimal(repr(float(usd))) * MICRO).to_integral_value(ROUND_CEILING))


def parse_money(text: str, name: str = "budget") -> int:
    """Millionths of a dollar of a text such as ``20usd`` or ``0.50 USD``.

    Raises:
        ValueError: not an amount, no currency, or one other than usd.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"Argument `{name}` must be an amount such as 20usd, but is {text!r}")
    amount, currency = match.groups()
    if currency.lower() != "usd":
        said = f"the currency {currency!r}" if currency else "no currency"
        raise ValueError(
            f"Argument `{name}` must be in usd, the only currency known, such as 20usd, but "
            f"{text!r} has {said}"
        )
    return int((Decimal(amount) * MICRO).to_integral_value())


def show_money(micro: int | None) -> str:
    """``1.25 usd`` for people; ``unknown`` for ``None``; more places where cents hide it."""
    if micro is None:
        return "unknown"
    places = 2 if micro % (MICRO // 100) == 0 else 6
    text = f"{Decimal(micro) / MICRO:.{places}f}"
    return f"{text.rstrip('0') if places > 2 else text} usd"
