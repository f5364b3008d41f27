"""What a finished run is taken apart into, to be laid beside others."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from qhw.analysis.compare.result import Estimate

Cell: TypeAlias = str | float | None
"""Of a table: words, a number as measured, or nothing."""
Better = Literal["lower", "higher", ""]
RowKey: TypeAlias = Hashable
FigureKey: TypeAlias = tuple[str, str, str]
"""Section, figure, source."""
ALL = ""
"""In place of a section: marks of rows that hold in all of them."""
LONGEST = 300
"""Letters of a setting; the report has all."""


@dataclass(frozen=True)
class Figure:
    """One figure of a run.

    Attributes:
        label: of the figure, for people.
        source: where the numbers come from, for people.
        better: which direction is good; ``""`` where none is.
        estimate: with its interval; one row has none.
        unit: ``""`` where there is none.
        share: whether it is shown in percent.
        values: of each row; empty where other runs' rows cannot be set against them.
    """

    label: str
    source: str
    better: Better
    estimate: Estimate | None
    unit: str = ""
    share: bool = False
    values: Mapping[RowKey, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """A run taken apart.

    Attributes:
        settings: what was asked, by name.
        facts: calibration, circuits, cost and origin, by group and name.
        figures: in the report's order.
        origin: equal for runs whose rows of equal key are the same; ``None`` where that is not
            known.
        marks: something of a row that its circuit alone decides, by section or :data:`ALL`; equal
            where the rows are the same.
    """

    settings: Mapping[str, Cell]
    facts: Mapping[tuple[str, str], Cell]
    figures: Mapping[FigureKey, Figure]
    origin: Hashable | None = None
    marks: Mapping[str, Mapping[RowKey, float | str]] = field(default_factory=dict)


def bounded(value: object) -> Cell:
    """A setting as a cell: numbers stay, lists and tables become JSON, all of bounded length."""
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list | tuple) and all(isinstance(v, str | int | float) for v in value):
        text = ", ".join(map(str, value)) or "none"
    else:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def settings_of(data: Mapping[str, object]) -> dict[str, Cell]:
    """Settings by name as people write them."""
    return {name.replace("_", " "): bounded(value) for name, value in data.items()}
