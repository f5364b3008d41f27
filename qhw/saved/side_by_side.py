"""Finished runs laid beside each other: what was asked differently, and what came of it.

Figures of the second and further runs are set against the first run's, row by row, where both have
the same rows: intervals of such a difference leave out what the rows have in common, which is most
of what the two single intervals show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np

from calibration.parts import Frozen
from qhw.analysis.compare.result import Estimate
from qhw.analysis.scores.bootstrap import mean_interval
from qhw.analysis.scores.molecules import paired_shares
from qhw.saved.entry import Level, SavedRun
from qhw.saved.figures_compared import DEVICE
from qhw.saved.parts import ALL, Better, Cell, Figure, FigureKey, RowKey
from qhw.saved.shelf import Shelf, ShelfError
from qhw.saved.whole import WholeRun, read_whole

SCHEMA_VERSION = 1
MOST_RUNS = 12
"""Laid side by side; more columns nobody reads."""
_MOST_LINES = 400
_FEWEST = 2
"""Rows of which a mean has an interval."""
_SEED = 0
"""Of the bootstrap: the same runs give the same page."""
Unlike: TypeAlias = Mapping[str, frozenset[RowKey]]
Key = TypeVar("Key", bound=tuple[str, ...])


class Line(Frozen):
    """A setting or fact of every run.

    Attributes:
        group: heading it belongs under.
        name: of it.
        cells: one a run; ``None`` where a run has none.
    """

    group: str
    name: str
    cells: tuple[Cell, ...]

    @property
    def differs(self) -> bool:
        """Whether not all runs have the same."""
        return len(set(self.cells)) > 1


class Against(Frozen):
    """A run's figure minus the first run's, over the rows that both have.

    Attributes:
        change: mean difference with its paired bootstrap interval.
        rows: how many rows both have.
        level: ``better`` or ``worse`` where the interval leaves 0 out, else ``same``; ``unknown``
            where no direction is good.
    """

    change: Estimate
    rows: int
    level: Level


class Compared(Frozen):
    """A figure of one run.

    Attributes:
        estimate: over the run's own rows.
        against: the first run; ``None`` for that run, and where rows are not the same.
    """

    estimate: Estimate | None
    against: Against | None = None


class FigureLine(Frozen):
    """A figure of every run.

    Attributes:
        section: heading it belongs under.
        label: of the figure.
        source: where the numbers come from.
        device: whether that is what came of a device's counts.
        unit: ``""`` where there is none.
        share: whether it is shown in percent.
        better: which direction is good.
        cells: one a run; ``None`` where a run has none.
    """

    section: str
    label: str
    source: str
    device: bool
    unit: str
    share: bool
    better: Better
    cells: tuple[Compared | None, ...]


class Heading(Frozen):
    """A run at the head of its column."""

    run: str
    kind: str
    subject: str
    devices: tuple[str, ...]
    when: str
    level: Level | None
    verdict: str
    rehearsal: bool
    page: bool


class SideBySide(Frozen):
    """Everything about some runs.

    Attributes:
        runs: one a column, the first is what the others are set against.
        lines: settings, calibration, circuits, origin.
        figures: with intervals.
        notes: why rows could not be set against each other, and what was left out.
    """

    schema_version: int = SCHEMA_VERSION
    runs: tuple[Heading, ...]
    lines: tuple[Line, ...]
    figures: tuple[FigureLine, ...]
    notes: tuple[str, ...]

    def to_json(self) -> str:
        """JSON text."""
        return self.model_dump_json(indent=2) + "\n"


def lay_side_by_side(shelf: Shelf, names: Sequence[str], *, elsewhere: bool = True) -> SideBySide:
    """Read runs and lay them side by side.

    Args:
        shelf: the folder of runs.
        names: two to :data:`MOST_RUNS` of them, the one that others are set against first; a
            beginning or an end that no other name has will do.
        elsewhere: whether the path of a folder elsewhere will do, too.

    Raises:
        ShelfError: fewer or more runs, one twice, none of that name, or no result that can be read.
    """
    if not _FEWEST <= len(names) <= MOST_RUNS:
        raise ShelfError(f"Argument `runs` must name 2 to {MOST_RUNS} runs, but names {len(names)}")
    places = [_place(shelf, name, elsewhere=elsewhere) for name in names]
    twice = next((p.name for i, p in enumerate(places) if p in places[:i]), None)
    if twice is not None:
        raise ShelfError(f"Argument `runs` must name different runs, but names {twice} twice")
    runs = [read_whole(place.parent, place.name) for place in places]
    notes: list[str] = []
    return SideBySide(
        runs=tuple(_heading(run.entry) for run in runs),
        lines=_lines(runs),
        figures=_figures(runs, notes),
        notes=tuple(dict.fromkeys(notes)),
    )


def _place(shelf: Shelf, text: str, *, elsewhere: bool) -> Path:
    path = Path(text)
    if elsewhere and path.name != text and path.is_dir():  # a path, not a name
        return path.resolve()
    return (shelf.folder / shelf.name(text)).absolute()


def _heading(entry: SavedRun) -> Heading:
    return Heading(
        run=entry.name,
        kind=entry.task if entry.kind in ("comparison", "expectation") else entry.kind,
        subject=entry.subject,
        devices=entry.devices,
        when=f"{entry.when:%Y-%m-%d %H:%M UTC}",
        level=entry.level,
        verdict=entry.verdict,
        rehearsal=entry.rehearsal,
        page=entry.page,
    )


def _lines(runs: Sequence[WholeRun]) -> tuple[Line, ...]:
    asked = dict.fromkeys(name for run in runs for name in run.parts.settings)
    facts = dict.fromkeys(key for run in runs for key in run.parts.facts)
    lines = [
        Line(group="settings", name=name, cells=tuple(r.parts.settings.get(name) for r in runs))
        for name in asked
    ]
    lines += [
        Line(group=key[0], name=key[1], cells=tuple(r.parts.facts.get(key) for r in runs))
        for key in _together(facts)
    ]
    return tuple(lines[:_MOST_LINES])


def _together(keys: Iterable[Key]) -> list[Key]:
    """In the order first seen, but what begins alike stands together."""
    places: dict[tuple[str, ...], int] = {}
    for key in keys:
        for length in range(1, len(key) + 1):
            places.setdefault(key[:length], len(places))
    return sorted(keys, key=lambda key: [places[key[: n + 1]] for n in range(len(key))])


def _figures(runs: Sequence[WholeRun], notes: list[str]) -> tuple[FigureLine, ...]:
    keys = _together(dict.fromkeys(key for run in runs for key in run.parts.figures))
    if len(keys) > _MOST_LINES:
        notes.append(f"The first {_MOST_LINES} of {len(keys)} figures; the reports have all.")
    others = [_unlike(runs[0], run, notes) for run in runs[1:]]
    return tuple(_figure_line(key, runs, others) for key in keys[:_MOST_LINES])


def _figure_line(
    key: FigureKey, runs: Sequence[WholeRun], unlike: Sequence[Unlike | None]
) -> FigureLine:
    found = [run.parts.figures.get(key) for run in runs]
    shown = next(figure for figure in found if figure is not None)
    first = found[0]
    cells = [None if first is None else Compared(estimate=first.estimate)]
    for figure, other in zip(found[1:], unlike, strict=True):
        if figure is None:
            cells.append(None)
            continue
        against = None
        if other is not None and first is not None:
            left_out = other.get(key[0], frozenset()) | other.get(ALL, frozenset())
            against = _against(first, figure, left_out)
        cells.append(Compared(estimate=figure.estimate, against=against))
    return FigureLine(
        section=key[0],
        label=shown.label,
        source=shown.source,
        device=key[2].startswith(DEVICE),
        unit=shown.unit,
        share=shown.share,
        better=shown.better,
        cells=tuple(cells),
    )


def _unlike(first: WholeRun, other: WholeRun, notes: list[str]) -> Unlike | None:
    """Rows of the same key that are not the same, by section; ``None`` where no rows are."""
    name = other.entry.name
    if first.entry.kind != other.entry.kind:
        notes.append(f"{name} is another kind of run than {first.entry.name}.")
        return None
    a, b = first.parts, other.parts
    if a.origin is None or a.origin != b.origin:
        if a.origin is not None:
            notes.append(f"{name} has other rows than {first.entry.name}: not set against it.")
        return None
    found: dict[str, frozenset[RowKey]] = {}
    for section, marks in a.marks.items():
        theirs = b.marks.get(section, {})
        found[section] = frozenset(
            key for key in marks.keys() & theirs.keys() if marks[key] != theirs[key]
        )
    if any(found.values()):
        notes.append(
            f"Some rows of {name} have the name of a row of {first.entry.name} but are others: "
            "left out of the differences."
        )
    return found


def _against(first: Figure, other: Figure, left_out: frozenset[RowKey]) -> Against | None:
    keys = [k for k in first.values if k in other.values and k not in left_out]
    if len(keys) < _FEWEST:
        return None
    pairs = np.array([(first.values[k], other.values[k]) for k in keys])
    if np.isin(pairs, (0.0, 1.0)).all():
        found = paired_shares(pairs[:, 0] > 0, pairs[:, 1] > 0)
    else:
        change = pairs[:, 1] - pairs[:, 0]
        mean = mean_interval(change, np.random.default_rng(_SEED))
        found = Estimate(value=mean.value, low=mean.low, high=mean.high, level=mean.level)
    level: Level = "same"
    if found.low > 0 or found.high < 0:
        level = "better" if (found.value > 0) == (other.better == "higher") else "worse"
    return Against(change=found, rows=len(keys), level=level if other.better else "unknown")
