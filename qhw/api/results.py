"""Results as people handle them: printed, in a notebook, as a table, a plot, a folder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import RenderableType

from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.result import ComparisonResult, SourceKey
from qhw.analysis.compare.stage import Stage
from qhw.api.shown import Stored
from qhw.chem.molecule import MoleculeBatch
from qhw.circuits.workload import Workload
from qhw.report.figures import distance_figure
from qhw.report.outcomes import COLUMNS, named_outcomes
from qhw.report.terminal import summary
from qhw.report.whole import write_comparison

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


class Compared(Stored):
    """What was run on a device beside what is exact: shown, drawn, stored."""

    comparison: Comparison

    @property
    def result(self) -> ComparisonResult:
        """All numbers, as in ``result.json``."""
        return self.comparison.result

    @property
    def rows(self) -> NDArray[np.int64]:
        """``(K,)`` places of the rows that have counts among those asked for."""
        return self.comparison.outcome.rows

    @abstractmethod
    def to_dataframe(self) -> pd.DataFrame:
        """A table of it."""

    def to_json(self) -> str:
        """The result as JSON text, as in ``result.json``."""
        return self.result.to_json()

    def plot(self) -> Figure:
        """Distance to exact of every row, and on average, between shot floor and baselines; of a
        wide circuit its linear cross-entropy fidelity.

        Raises:
            ValueError: there is no exact reference, so nothing to draw.
        """
        section = self.result.section(self.result.verdict.section)
        assert section is not None  # the verdict rests on it
        return distance_figure(section, self.rows.tolist())

    def _parts(self) -> Iterable[RenderableType]:
        return [summary(self.result)]

    def _write(self, folder: Path, run_id: str) -> None:
        write_comparison(self.comparison, folder, run_id)


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(Compared):
    """A circuit's counts on a device beside the exact distribution.

    Rows are those that have counts (see :attr:`rows`); outcome ``k`` of an array is the integer
    whose bit ``c`` is classical bit ``c`` of the circuit. Beyond 20 bits arrays have a column for
    each of :attr:`outcomes` only, those that were seen.

    Attributes:
        comparison: everything, raw.
        workload: what ran.
        run: its name in the ledger; ``None`` on a simulator.
    """

    comparison: Comparison
    workload: Workload
    run: str | None = None

    @property
    def outcomes(self) -> list[int]:
        """Outcome of each column of the arrays below: ``0 .. 2**m - 1``, or those seen, rising."""
        found = self._stage.outcomes
        return list(range(self.counts.shape[1])) if found is None else found.integers()

    @property
    def counts(self) -> NDArray[np.int64]:
        """``(K, 2**m)`` raw counts."""
        return self._stage.counts

    @property
    def raw(self) -> FloatArray:
        """``(K, 2**m)`` relative frequencies."""
        return self._stage.raw

    @property
    def probabilities(self) -> FloatArray:
        """``(K, 2**m)`` mitigated distributions; the raw ones where nothing was mitigated."""
        return self._stage.best

    @property
    def exact(self) -> FloatArray:
        """``(K, 2**m)`` exact probabilities; NaN where there is no exact reference."""
        return self._stage.exact

    def get_counts(self, row: int = 0) -> dict[str, int]:
        """Raw counts of one row by bitstring, named as Qiskit names them.

        Args:
            row: among those that have counts.
        """
        seen, named = np.flatnonzero(self.counts[row]), self.outcomes
        return {self.workload.outcome(named[k]): int(self.counts[row, k]) for k in seen}

    def to_dataframe(self) -> pd.DataFrame:
        """A line for every row and outcome that was seen or is possible.

        Columns: ``row``, ``name``, ``outcome``, ``count``, ``raw``, ``mitigated``, ``exact``.
        """
        import pandas as pd

        worth = (self.counts > 0) | (self.exact > 0) | (self.probabilities > 0)
        return pd.DataFrame(named_outcomes(self.comparison, worth), columns=list(COLUMNS))

    @property
    def _stage(self) -> Stage:
        return self.comparison.outcome.stages[-1]


@dataclass(frozen=True, eq=False, repr=False)
class ModelComparison(Compared):
    """A model's circuits on a device, and the molecules that came out.

    Attributes:
        comparison: everything, raw.
        run: its name in the ledger; ``None`` on a simulator.
    """

    comparison: Comparison
    run: str | None = None

    def molecules(self, source: SourceKey | None = None) -> MoleculeBatch:
        """Molecules of one source.

        Args:
            source: such as ``exact`` or ``device_raw``; the device's best by default.

        Raises:
            ValueError: no molecules of that source.
        """
        found = self.comparison.outcome.molecules
        key = source or self.result.molecule_source
        if key not in found:
            raise ValueError(f"Argument `source` must be one of {', '.join(found)}, but is {key!r}")
        return found[key]

    def to_dataframe(self) -> pd.DataFrame:
        """A line for every molecule: its SMILES, whether it is valid, its distance to exact."""
        import pandas as pd

        return pd.DataFrame([record.model_dump() for record in self.result.molecules])
