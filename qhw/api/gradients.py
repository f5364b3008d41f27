"""Expectation values with their derivatives, as people handle them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.text import Text

from qhw.analysis.expect.gradient import ShiftedRows, all_rows
from qhw.analysis.expect.result import ExpectCost
from qhw.api.expectation_values import ExpectationValues
from qhw.api.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ExpectationGradient(Shown):
    """Expectation values and their derivatives by some of the circuit's parameters.

    Arrays have a row for each of the B rows of angles, a column for each of the K observables, and
    derivatives a last axis for the P parameters. What lacks counts at the vendor is NaN.

    Attributes:
        evaluated: everything that ran, the rows of angles first, then the shifted ones.
        shifted: what derivatives are made of.
    """

    evaluated: ExpectationValues
    shifted: ShiftedRows

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the P parameters."""
        return self.shifted.parameters

    @property
    def observables(self) -> tuple[str, ...]:
        """The K observables, as given."""
        return self.evaluated.observables

    @property
    def values(self) -> FloatArray:
        """``(B, K)`` from the device."""
        return self._every(self.evaluated.values)[: self.shifted.rows]

    @property
    def standard_error(self) -> FloatArray:
        """``(B, K)`` of the values."""
        return self._every(self.evaluated.standard_error)[: self.shifted.rows]

    @property
    def exact(self) -> FloatArray | None:
        """``(B, K)`` without noise; ``None``: too wide."""
        found = self.evaluated.exact
        return None if found is None else self._every(found)[: self.shifted.rows]

    @property
    def gradient(self) -> FloatArray:
        """``(B, K, P)`` derivatives from the device, by radian."""
        return self.shifted.combined(self._every(self.evaluated.values))

    @property
    def gradient_error(self) -> FloatArray:
        """``(B, K, P)`` standard errors of the derivatives."""
        return self.shifted.standard_error(self.evaluated.measured)

    @property
    def exact_gradient(self) -> FloatArray | None:
        """``(B, K, P)`` without noise; ``None``: too wide, or the circuit has evolutions, whose
        product formulas are another function of the angles."""
        found = self.evaluated.exact
        if found is None or self.evaluated.synthesis is not None:
            return None
        return self.shifted.combined(self._every(found))

    @property
    def cost(self) -> ExpectCost:
        """Of everything that ran."""
        return self.evaluated.cost

    @property
    def run(self) -> str | None:
        """Name in the ledger; ``None`` on a simulator."""
        return self.evaluated.run

    def to_dataframe(self) -> pd.DataFrame:
        """A line for every row, observable and parameter.

        Columns: ``row``, ``observable``, ``parameter``, ``gradient``, ``gradient_error`` and
        ``exact``.
        """
        import pandas as pd

        gradient, exact = self.gradient, self.exact_gradient
        b, k, p = (axis.ravel() for axis in np.indices(gradient.shape))
        return pd.DataFrame(
            {
                "row": b,
                "observable": np.array(self.observables, dtype=object)[k],
                "parameter": np.array(self.parameters, dtype=object)[p],
                "gradient": gradient.ravel(),
                "gradient_error": self.gradient_error.ravel(),
                "exact": np.nan if exact is None else exact.ravel(),
            }
        )

    def save(self, folder: str | Path) -> Path:
        """Write ``gradient.csv`` beside what :meth:`ExpectationValues.save` writes of all rows.

        Args:
            folder: to be made; a number is added to its name if it is there already.

        Returns:
            The folder.

        Raises:
            OutputError: it cannot be written.
        """
        written = self.evaluated.save(folder)
        self.to_dataframe().to_csv(written / "gradient.csv", index=False)
        return written

    def to_json(self) -> str:
        """The table as JSON text, a list of objects."""
        return str(self.to_dataframe().to_json(orient="records"))

    def _parts(self) -> list[RenderableType]:
        return [Text(self.to_dataframe().to_string(index=False))]

    def _every(self, table: FloatArray) -> FloatArray:
        return all_rows(table, self.evaluated.measured.found, len(self.shifted.work))
