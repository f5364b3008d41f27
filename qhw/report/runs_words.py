"""Runs in a list and beside each other, in the words of terminal and page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qhw.report.format import interval, number, percent
from qhw.report.plain import plain_line
from qhw.saved.entry import SavedRun

if TYPE_CHECKING:  # a list needs none of what figures are made with, which takes seconds to load
    from qhw.saved.parts import Cell
    from qhw.saved.side_by_side import Against, Compared, FigureLine

_NAMED = 2


def some(names: Sequence[object], most: int = _NAMED) -> str:
    """``aer:ibm_fez, aer:ibm_boston and 3 more``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return plain_line(", ".join(map(str, names[:most])) + more)


def task_words(run: SavedRun) -> str:
    """``reconstruct``, ``measure``, ``depth report``; a rehearsal is called one."""
    named = run.kind in ("comparison", "expectation")
    word = run.task if named else " ".join(filter(None, (run.kind, run.task)))
    return f"{word}, rehearsal" if run.rehearsal else word


def shots_words(run: SavedRun) -> str:
    """``20,000``; of a sweep its first budgets."""
    return some([f"{s:,}" if isinstance(s, int) else s for s in run.shots])


def valid_words(run: SavedRun) -> str:
    """``65 of 100, exact 87``; empty where no molecules are judged."""
    if run.valid is None:
        return ""
    exact = "" if run.valid.exact is None else f", exact {run.valid.exact}"
    return f"{run.valid.device} of {run.valid.samples}{exact}"


def cost_words(run: SavedRun) -> str:
    """``$1.25``; of a rehearsal what it would have cost; empty where nothing is charged for."""
    if not run.usd:
        return ""
    return f"(${run.usd:,.2f})" if run.rehearsal else f"${run.usd:,.2f}"


def cell_words(cell: Cell) -> str:
    """A setting or fact; a dash for nothing."""
    return number(cell) if cell is None or isinstance(cell, float) else plain_line(cell)


def value_words(line: FigureLine, cell: Compared | None) -> str:
    """The figure without its interval; a dash for nothing."""
    if cell is None or cell.estimate is None:
        return "–"
    return percent(cell.estimate.value) if line.share else number(cell.estimate.value)


def range_words(line: FigureLine, cell: Compared | None) -> str:
    """Its interval; empty where it is a point."""
    estimate = None if cell is None else cell.estimate
    if estimate is None or estimate.low == estimate.high:
        return ""
    return interval(estimate, as_percent=line.share)


def change_words(line: FigureLine, against: Against) -> str:
    """``-0.0123 (-0.02 to -0.004), better``, over how many rows."""
    write = percent if line.share else number
    sign = "+" if against.change.value > 0 else ""
    told = {"better": ", better", "worse": ", worse", "same": "", "unknown": ""}[against.level]
    return (
        f"{sign}{write(against.change.value)} "
        f"({interval(against.change, as_percent=line.share)}){told}"
    )
