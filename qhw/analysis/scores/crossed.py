"""Means over rows and repeats, with errors that hold for other rows and other repeats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from calibration.parts import Frozen

FloatArray = NDArray[np.float64]


class Measured(Frozen):
    """A mean with its standard error."""

    value: float
    error: float


def crossed_mean(values: FloatArray) -> Measured:
    """Mean of a table of rows by repeats, both drawn at random.

    A repeat shares its readout calibration and its fits among all rows, and a row keeps its
    circuit in all repeats, so entries are not independent. The variance is
    ``(MS_rows + MS_repeats - MS_rest) / (K R)``, which is unbiased for crossed random effects;
    an effect whose component would be negative is left out, its squares pooled with the rest's.

    Args:
        values: ``(K, R)``, K rows (two or more) and R repeats (two or more).

    Raises:
        ValueError: a table of another shape.

    Source: Searle, Casella and McCulloch, Variance Components (1992), section 4.3.
    """
    return _mean_and_freedom(values)[0]


def _mean_and_freedom(values: FloatArray) -> tuple[Measured, float]:
    """The mean, and the degrees of freedom of its error.

    Source: Satterthwaite, Biometrics Bulletin 2, 110 (1946).
    """
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(
            f"Argument `values` must be (K, R) with two or more of both, but is {values.shape}"
        )
    k, r = values.shape
    mean = values.mean()
    rows, repeats = values.mean(axis=1), values.mean(axis=0)
    rest = values - rows[:, None] - repeats + mean
    free = np.array([k - 1, r - 1, (k - 1) * (r - 1)])
    sums = [r * ((rows - mean) ** 2).sum(), k * ((repeats - mean) ** 2).sum(), (rest**2).sum()]
    total, freedom = _pooled(np.array(sums), free)
    return Measured(value=float(mean), error=float(np.sqrt(total / (k * r)))), freedom


def _pooled(sums: FloatArray, free: NDArray[np.int_]) -> tuple[float, float]:
    """``K R`` times the variance of the mean, and its degrees of freedom.

    Student's 95 % intervals hold 92 to 98.5 % of means with three or more rows and repeats; with
    two repeats that truly differ about as much as single entries do, and rows that do not, 87 %:
    two often look alike by chance.

    Args:
        sums: ``(3,)`` squares of rows, repeats and the rest.
        free: ``(3,)`` degrees of freedom of each.
    """
    squares = sums / free
    below = squares[:2] < squares[2]
    if below.all():
        # no effect is seen: all entries are alike, and neither mean square alone says how far off
        return float(sums.sum() / free.sum()), float(free.sum())
    if below.any():
        # MS_other + MS_pooled - MS_pooled: what the rest gains, the absent effect no longer adds
        other = int(np.flatnonzero(~below)[0])
        return float(squares[other]), float(free[other])
    total = float(squares[0] + squares[1] - squares[2])
    return total, total**2 / float((squares**2 / free).sum()) if total > 0 else 1.0


def paired_difference(first: FloatArray, second: FloatArray) -> tuple[Measured, float]:
    """Mean of ``first - second`` row by row, and the two-sided p-value of no difference.

    Args:
        first: ``(K, R)``.
        second: ``(K, R)``, of the same rows.
    """
    found, freedom = _mean_and_freedom(first - second)
    if found.error == 0.0:
        return found, 1.0 if found.value == 0.0 else 0.0
    return found, float(2 * student.sf(abs(found.value) / found.error, freedom))


def paired_ratio(above: FloatArray, below: FloatArray) -> Measured:
    """Ratio of two means over the same rows, its error to first order.

    Args:
        above: ``(K, R)``.
        below: ``(K, R)``, of the same rows, mean not zero.
    """
    ratio = float(above.mean() / below.mean())
    return Measured(value=ratio, error=crossed_mean((above - ratio * below) / below.mean()).error)
