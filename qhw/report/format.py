"""Numbers as people read them: same digits in the report and on the terminal."""

from __future__ import annotations

import re

from qhw.analysis.result import Estimate
from qhw.report.plain import plain

_MOST_ZEROS = 2
"""That the rounder end of an interval is written with, to be as exact as the other."""


def number(value: float | None, digits: int = 3) -> str:
    """Three significant digits, more just below 1 (fidelities); a dash for nothing."""
    if value is None:
        return "–"
    if abs(value) < 1e-12:
        return "0"
    if 0.99 <= value < 1:
        return f"{value:.5f}" if value < 0.99999 else "> 0.99999"
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return text if "e" not in text else f"{value:.1e}"


def percent(value: float | None) -> str:
    """A share as ``93.2 %``."""
    return "–" if value is None else f"{100 * value:.3g} %"


def interval(estimate: Estimate | None, *, as_percent: bool = False) -> str:
    """``low to high``."""
    if estimate is None:
        return ""
    scale, unit = (100, " %") if as_percent else (1, "")
    write = percent if as_percent else number
    ends = [(end * scale, write(end)) for end in (estimate.low, estimate.high)]
    places = [_decimals(text.removesuffix(unit)) for _, text in ends]
    known = [place for place in places if place is not None]
    if len(known) == len(ends) and 0 < max(known) - min(known) <= _MOST_ZEROS:
        most = max(known)
        return " to ".join(f"{end:,.{most}f}{unit}" if end else text for end, text in ends)
    return " to ".join(text for _, text in ends)


def _decimals(text: str) -> int | None:
    """Decimal places of a plain number; ``None`` of anything else."""
    found = re.fullmatch(r"-?[\d,]+(?:\.(\d+))?", text)
    return len(found[1] or "") if found else None


def duration(seconds: float) -> str:
    """``3.0 µs``, ``41 ms``, ``2.1 s``."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return "0 s"


def printable(text: str) -> str:
    """Text from outside for a terminal: on one line, nothing that would steer the terminal."""
    return plain(" ".join(text.split()))
