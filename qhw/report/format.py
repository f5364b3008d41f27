"""Numbers as people read them: same digits in the report and on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qhw.report.plain import plain

if TYPE_CHECKING:
    from qhw.analysis.compare.result import Estimate

_LEAST_SHARE = 1e-5
"""Shares below this are told as a bound: no one reads more, and no experiment shows it."""


def number(value: float | None, digits: int = 3, *, zeros: bool = False) -> str:
    """Three significant digits, more just below 1 (fidelities); a dash for nothing.

    Args:
        value: to be written.
        digits: significant ones.
        zeros: zeros at the end are digits too: both ends of an interval are as exact.
    """
    if value is None:
        return "–"
    if abs(value) < 1e-12:
        return "0"
    if 0.99 <= value < 1:
        return f"{value:.5f}" if value < 0.99999 else "> 0.99999"
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    text = f"{value:#.{digits}g}".rstrip(".") if zeros else f"{value:.{digits}g}"
    return text if "e" not in text else f"{value:.1e}"


def percent(value: float | None, *, zeros: bool = False) -> str:
    """A share as ``93.2 %``; ``zeros`` as for :func:`number`."""
    if value is None:
        return "–"
    if 0 < abs(value) < _LEAST_SHARE:
        return f"{'< ' if value > 0 else '> -'}{100 * _LEAST_SHARE:g} %"
    if abs(value) >= 9.995:
        return f"{100 * value:,.0f} %"
    text = f"{100 * value:#.3g}".rstrip(".") if zeros and value else f"{100 * value:.3g}"
    return f"{text} %"


def success(value: float, shots: int) -> str:
    """A probability that nothing goes wrong; what these shots could not show is said to be so."""
    if value * shots < 1:
        return f"below 1 in {shots:,} shots"
    return percent(value)


def usd(value: float | None) -> str:
    """``$1,234.50``; a dash for no known price."""
    if value is None:
        return "–"
    return "< $0.01" if 0 < value < 0.005 else f"${value:,.2f}"


def interval(estimate: Estimate | None, *, as_percent: bool = False) -> str:
    """``low to high``."""
    if estimate is None:
        return ""
    write = percent if as_percent else number
    return f"{write(estimate.low, zeros=True)} to {write(estimate.high, zeros=True)}"


def duration(seconds: float) -> str:
    """``3.0 µs``, ``41 ms``, ``2.1 s``."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return "0 s"


def printable(text: str) -> str:
    """Text from outside for a terminal: on one line, nothing that would steer the terminal."""
    return plain(" ".join(text.split()))
