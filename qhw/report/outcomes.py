"""Outcomes of a person's own circuit by name, row by row: on the page and as a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.settings import MeasureSettings
from qhw.circuits.workload import outcome_name

_ROWS, _EACH = 24, 4
"""Rows on the page, in order, and outcomes of each, the likeliest."""


COLUMNS = ("row", "name", "outcome", "count", "raw", "mitigated", "exact")
"""Of tables of named outcomes."""


class NamedOutcome(NamedTuple):
    """One outcome of one row.

    Attributes:
        row: its place among the rows asked for.
        name: of the row.
        outcome: as Qiskit writes it: highest bit first, registers apart, the last one first.
        seen: raw count.
        raw: relative frequency.
        mitigated: what was made of it; the same where nothing was.
        exact: probability; NaN without an exact reference.
    """

    row: int
    name: str
    outcome: str
    seen: int
    raw: float
    mitigated: float
    exact: float


def named_outcomes(comparison: Comparison, columns: NDArray[np.bool_]) -> Iterator[NamedOutcome]:
    """Outcomes of a circuit's rows, rising in each row.

    Args:
        comparison: of a person's own circuit.
        columns: ``(K, D)`` which of the outcomes measured.
    """
    outcome, stage = comparison.outcome, comparison.outcome.stages[-1]
    raw, best = stage.raw, stage.best
    integers = None if stage.outcomes is None else stage.outcomes.integers()
    for place, k in zip(*np.nonzero(columns), strict=True):
        yield NamedOutcome(
            int(outcome.rows[place]),
            outcome.names[place],
            outcome_name(stage.circuit, int(k) if integers is None else integers[k]),
            int(stage.counts[place, k]),
            float(raw[place, k]),
            float(best[place, k]),
            float(stage.exact[place, k]),
        )


def likeliest(comparison: Comparison) -> list[NamedOutcome]:
    """Of the first rows the outcomes that exact says are likeliest; none of a model, or of a wide
    circuit, whose page lists what was seen most often."""
    result = comparison.result
    if not isinstance(result.settings, MeasureSettings) or result.reference is not None:
        return []
    exact = comparison.outcome.stages[-1].exact
    chosen = np.zeros(exact.shape, dtype=bool)
    top = np.argsort(-exact, axis=1, kind="stable")[:_ROWS, :_EACH]
    np.put_along_axis(chosen[:_ROWS], top, True, axis=1)
    return list(named_outcomes(comparison, chosen & (exact > 0)))


def write_outcomes(comparison: Comparison, folder: Path) -> None:
    """Write ``outcomes.csv``: a line for every row and outcome that was seen; none of a model.

    Raises:
        OSError: it cannot be written.
    """
    if not isinstance(comparison.result.settings, MeasureSettings):
        return
    with (folder / "outcomes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(named_outcomes(comparison, comparison.outcome.stages[-1].counts > 0))
