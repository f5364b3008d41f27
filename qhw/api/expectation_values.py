"""Expectation values as people handle them: printed, as a table, a plot, a folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import RenderableType

from qhw.analysis.expect.result import ExpectCost, ExpectResult
from qhw.analysis.expect.values import Measured
from qhw.api.shown import Stored
from qhw.report.expectation import expectation_lines, expectation_table, write_expectation
from qhw.report.expectation_page import expectation_figure

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ExpectationValues(Stored):
    """Expectation values from a device beside the exact ones.

    Arrays have a row for each of the B rows of angles that have counts and a column for each of the
    K observables.

    Attributes:
        measured: everything, raw.
    """

    measured: Measured

    @property
    def result(self) -> ExpectResult:
        """All numbers, as in ``result.json``."""
        return self.measured.result

    @property
    def values(self) -> FloatArray:
        """``(B, K)`` from the device."""
        return self.measured.found.values

    @property
    def standard_error(self) -> FloatArray:
        """``(B, K)`` of shot noise, calibration and fits."""
        return self.measured.found.standard_error

    @property
    def exact(self) -> FloatArray | None:
        """``(B, K)`` without noise, evolutions being what they stand for; ``None``: too wide."""
        return self._matrix("exact")

    @property
    def shot_floor(self) -> FloatArray | None:
        """``(B, K)`` deviation that as many shots have without noise; ``None``: too wide."""
        return self._matrix("shot_floor")

    @property
    def synthesis(self) -> FloatArray | None:
        """``(B, K)`` that product formulas change, noise apart; ``None`` without evolutions."""
        return self._matrix("synthesis")

    @property
    def uniform(self) -> FloatArray:
        """``(K,)`` of the maximally mixed state, where noise leads to and no QPU is needed."""
        return np.array([o.constant for o in self.measured.program.observables])

    @property
    def observables(self) -> tuple[str, ...]:
        """The K observables, as given."""
        return self.result.settings.observables

    @property
    def rows(self) -> NDArray[np.int64]:
        """``(B,)`` numbers of the rows that have counts."""
        return np.array([v.row for v in self.result.observables[:: len(self.observables)]])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of these rows."""
        return tuple(v.row_name for v in self.result.observables[:: len(self.observables)])

    @property
    def cost(self) -> ExpectCost:
        """Of everything that ran."""
        return self.result.cost

    @property
    def snapshot(self) -> str | None:
        """Calibration compiled against, name and day; ``None`` of an ideal device."""
        return self.result.snapshot

    @property
    def snapshot_age_days(self) -> float | None:
        """How old it was when the counts were complete."""
        return self.result.snapshot_age_days

    @property
    def run(self) -> str | None:
        """Name in the ledger; ``None`` on a simulator."""
        return self.result.run

    def to_dataframe(self) -> pd.DataFrame:
        """A line for every row and observable.

        Columns: ``row``, ``row_name``, ``observable``, ``value``, ``standard_error``, ``exact``,
        ``synthesis``, ``shot_floor``, ``uniform``.
        """
        import pandas as pd

        return pd.DataFrame([value.model_dump() for value in self.result.observables])

    def to_json(self) -> str:
        """The result as JSON text, as in ``result.json``."""
        return self.result.to_json()

    def plot(self) -> Figure:
        """Values with one standard error each, beside exact."""
        return expectation_figure(self.result)

    def _parts(self) -> Iterable[RenderableType]:
        return [expectation_table(self.result), *expectation_lines(self.result)]

    def _write(self, folder: Path, run_id: str) -> None:
        write_expectation(self.measured, folder, run_id)

    def _matrix(self, name: str) -> FloatArray | None:
        found = [getattr(value, name) for value in self.result.observables]
        if None in found:
            return None
        return np.array(found, dtype=np.float64).reshape(-1, len(self.observables))
