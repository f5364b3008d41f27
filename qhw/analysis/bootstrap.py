"""Bootstrap intervals over latents: bias-corrected and accelerated (BCa), seeded.

Source: Efron, Journal of the American Statistical Association 82, 171 (1987).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from qhw.analysis.metrics import as_errors, skill_score

FloatArray = NDArray[np.float64]
Statistic = Callable[[NDArray[np.int64]], FloatArray]
"""Rows of latent indices ``(R, n)`` to one value a row ``(R,)``."""

_CHUNK = 1 << 20
"""Indices drawn at a time, to bound memory."""


@dataclass(frozen=True)
class Interval:
    """A value with its bootstrap interval.

    Attributes:
        value: the statistic of the whole sample.
        low: lower end.
        high: upper end.
        level: nominal coverage, for example 0.95.
    """

    value: float
    low: float
    high: float
    level: float


def mean_interval(
    values: ArrayLike, rng: np.random.Generator, *, level: float = 0.95, resamples: int = 2000
) -> Interval:
    """Interval of the mean over latents.

    Args:
        values: one number a latent ``(K,)``, K >= 2.
        rng: source of randomness.
        level: nominal coverage in (0, 1).
        resamples: bootstrap samples, >= 100.

    Raises:
        ValueError: not a finite vector of two or more, or ``level``/``resamples`` out of range.
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 1 or len(v) < 2:
        raise ValueError(f"Argument `values` must be (K,) with K >= 2, but has shape {v.shape}")
    if not np.isfinite(v).all():
        raise ValueError("Argument `values` must be finite, but contains NaN or infinity")
    return _bca(
        lambda index: np.asarray(v[index].mean(axis=1)),
        len(v),
        rng,
        level=level,
        resamples=resamples,
    )


def skill_interval(
    error: ArrayLike,
    baseline_errors: ArrayLike,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Interval of :func:`qhw.analysis.metrics.skill_score`, latents resampled together.

    The best baseline is chosen again in every resample, so the choice is part of the uncertainty.

    Args:
        error: ``(K,)``, non-negative, K >= 2.
        baseline_errors: ``(M, K)``, the same error of M baselines.
        rng: source of randomness.
        level: nominal coverage in (0, 1).
        resamples: bootstrap samples, >= 100.

    Raises:
        ValueError: as :func:`qhw.analysis.metrics.skill_score`, also when a resample leaves the
            best baseline without error; or ``level``/``resamples`` out of range.
    """
    e, b = as_errors("error", error), as_errors("baseline_errors", baseline_errors)
    if e.ndim != 1 or len(e) < 2:
        raise ValueError(f"Argument `error` must be (K,) with K >= 2, but has shape {e.shape}")
    skill_score(e, b)
    return _bca(
        lambda index: skill_score(e[index], b[:, index]),
        len(e),
        rng,
        level=level,
        resamples=resamples,
    )


def _bca(
    statistic: Statistic, n: int, rng: np.random.Generator, *, level: float, resamples: int
) -> Interval:
    if not 0.0 < level < 1.0:
        raise ValueError(f"Argument `level` must be in (0, 1), but is {level}")
    if resamples < 100:
        raise ValueError(f"Argument `resamples` must be >= 100, but is {resamples}")
    value = float(statistic(np.arange(n)[None])[0])
    rows = max(1, _CHUNK // n)
    replicates = np.concatenate(
        [
            statistic(rng.integers(0, n, size=(min(rows, resamples - done), n)))
            for done in range(0, resamples, rows)
        ]
    )
    below = np.mean(replicates < value) + 0.5 * np.mean(replicates == value)
    # All replicates on one side would send the bias correction to infinity.
    half = 0.5 / resamples
    bias = ndtri(np.clip(below, half, 1.0 - half))
    shifted = bias + ndtri(np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level]))
    ends = ndtr(bias + shifted / (1.0 - _acceleration(statistic, n, rows) * shifted))
    low, high = np.quantile(replicates, ends)
    return Interval(value, float(low), float(high), level)


def _acceleration(statistic: Statistic, n: int, rows: int) -> float:
    """Skewness of the jackknife, the ``a`` of BCa; 0 when the jackknife is constant."""
    ramp = np.arange(n - 1)
    left_out = np.concatenate(
        [
            statistic(ramp + (ramp >= np.arange(start, min(start + rows, n))[:, None]))
            for start in range(0, n, rows)
        ]
    )
    deviation = left_out.mean() - left_out
    spread = float((deviation**2).sum()) ** 1.5
    return float((deviation**3).sum()) / (6.0 * spread) if spread > 0.0 else 0.0
