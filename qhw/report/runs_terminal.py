"""Runs in a list and beside each other, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from qhw.saved.side_by_side import SideBySide

_LONGEST = 60
_STYLES = {"better": "green", "worse": "red", "same": None, "unknown": None}


def runs_table(runs: Sequence[SavedRun]) -> WholeTable:
    """One line a run."""
    table = WholeTable(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    right = ("shots", "skill", "cost")
    for heading in ("run", "task", "of", "device", "shots", "skill", "valid", "cost", "date"):
        table.add_column(heading, justify="right" if heading in right else "left")
    for run in runs:
        if run.problem is not None:
            said = f"cannot be read: {run.problem[: 3 * _LONGEST]}"
            table.add_row(run.name, said, *[""] * 6, f"{run.when:%Y-%m-%d %H:%M}", style="dim")
            continue
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
    for line in compared.figures:
        if line.section != section:
            if section is not None:
                yield table
            section, table = line.section, _table(compared, line.section)
        cells = []
        for cell in line.cells:
            text = Text(value_words(line, cell))
            if within := range_words(line, cell):
                text.append(f" ({within})", style="dim")
            if cell is not None and cell.against is not None:
                style = _STYLES[cell.against.level] or ""
                text.append(f"\n{change_words(line, cell.against)}", style=style)
            cells.append(text)
        unit = f" ({line.unit})" if line.unit else ""
        table.add_row(f"{line.label}{unit}, {line.source}", *cells)
    if section is not None:
        yield table


def _table(compared: SideBySide, title: str) -> WholeTable:
    table = WholeTable(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(Text(plain_line(title), style="bold"))
    for run in compared.runs:
        table.add_column(Text(plain_line(run.run)), justify="right")
    return table
