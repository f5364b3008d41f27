"""Expectation values as people handle them: printed, as a table, a plot, a folder."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qhw.analysis.expect import Measured
from qhw.analysis.expect_result import ExpectCost, ExpectResult
from qhw.api.printed import shown
from qhw.report.expectation import expectation_lines, expectation_table, write_expectation
from qhw.report.expectation_page import expectation_figure
from qhw.report.runfolder import run_folder

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ExpectationValues:
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

    def save(self, folder: str | Path) -> Path:
        """Write ``report.html``, ``result.json``, circuit, calibration and counts.

        Args:
            folder: to be made; a number is added to its name if it is there already.

        Returns:
            The folder.

        Raises:
            OutputError: it cannot be written.
        """
        target = Path(folder)
        with run_folder(target.parent, target.name) as run:
            write_expectation(self.measured, run.staging, run.id)
        return run.final

    def __repr__(self) -> str:
        return "\n".join(
            [shown(expectation_table(self.result)), *map(shown, expectation_lines(self.result))]
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    def _matrix(self, name: str) -> FloatArray | None:
        found = [getattr(value, name) for value in self.result.observables]
        if None in found:
            return None
        return np.array(found, dtype=np.float64).reshape(-1, len(self.observables))
