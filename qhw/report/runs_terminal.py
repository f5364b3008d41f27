"""Runs in a list and beside each other, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from qhw.report.format import interval
from qhw.report.plain import plain_line
from qhw.report.runs_words import (
    cell_words,
    change_words,
    cost_words,
    range_words,
    shots_words,
    some,
    task_words,
    valid_words,
    value_words,
)
from qhw.report.tables import WholeTable
from qhw.saved.entry import SavedRun

if TYPE_CHECKING:
    from qhw.saved.side_by_side import Compared, FigureLine, SideBySide

_LONGEST = 60
_STYLES = {"better": "green", "worse": "red", "same": None, "unknown": None}


def runs_table(runs: Sequence[SavedRun]) -> WholeTable:
    """One line a run, of those that can be read."""
    table = WholeTable(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    right = ("shots", "skill", "cost")
    for heading in ("run", "task", "of", "device", "shots", "skill", "valid", "cost", "date"):
        table.add_column(heading, justify="right" if heading in right else "left")
    for run in (run for run in runs if run.problem is None):
        skill = "" if run.skill is None else f"{run.skill.value:.2f} ({interval(run.skill)})"
        table.add_row(
            run.name,
            task_words(run),
            run.subject[:_LONGEST],
            some(run.devices),
            shots_words(run),
            skill,
            valid_words(run),
            cost_words(run),
            f"{run.when:%Y-%m-%d %H:%M}",
        )
    return table


def unreadable_lines(runs: Sequence[SavedRun]) -> Iterator[str]:
    """One line for each folder that holds no result, or none that can be read."""
    for run in runs:
        if run.problem is not None:
            yield plain_line(f"{run.name}: cannot be read: {run.problem}")


def side_by_side_lines(compared: SideBySide) -> Iterator[RenderableType]:
    """What differs, then the figures; the page has all."""
    for note in compared.notes:
        yield Text(plain_line(note), style="bold yellow")
    alike = [line for line in compared.lines if not line.differs]
    table = _table(compared, "what differs")
    for line in compared.lines:
        if line.differs:
            table.add_row(f"{line.group}: {line.name}", *map(cell_words, line.cells))
    yield table
    names = ", ".join(line.name for line in alike if line.group == "settings")
    yield Text(plain_line(f"the same: {names or 'no setting'}"), style="dim")
    section = None
    for figure in compared.figures:
        if figure.section != section:
            if section is not None:
                yield table
            section, table = figure.section, _table(compared, figure.section)
        unit = f" ({figure.unit})" if figure.unit else ""
        cells = (_cell(figure, cell) for cell in figure.cells)
        table.add_row(f"{figure.label}{unit}, {figure.source}", *cells)
    if section is not None:
        yield table


def _cell(figure: FigureLine, cell: Compared | None) -> Text:
    text = Text(value_words(figure, cell))
    if within := range_words(figure, cell):
        text.append(f" ({within})", style="dim")
    if cell is not None and cell.against is not None:
        style = _STYLES[cell.against.level] or ""
        text.append(f"\n{change_words(figure, cell.against)}", style=style)
    return text


def _table(compared: SideBySide, title: str) -> WholeTable:
    table = WholeTable(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(Text(plain_line(title), style="bold"))
    for run in compared.runs:
        table.add_column(Text(plain_line(run.run)), justify="right")
    return table
