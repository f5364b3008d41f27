"""Bootstrap intervals over latents: bias-corrected and accelerated (BCa), seeded.

A bootstrap cannot look beyond the sample: of two latents its 95 % interval holds the mean half of
the time. Below :data:`FEW` latents intervals are therefore never narrower than Student's, with the
jackknife's standard error.

Sources: Efron, Journal of the American Statistical Association 82, 171 (1987); Tukey, Annals of
Mathematical Statistics 29, 614 (1958) (jackknife with Student's t).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import t as student

from qhw.analysis.scores.metrics import ROUNDING, as_errors, skill_score

FloatArray = NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]
"""Column means ``(R, C)`` to one value a row ``(R,)``: statistics here depend on means only."""

Bounds = tuple[float, float]
"""Values a statistic cannot leave; intervals are cut there."""

FEW = 30
"""Latents from which the bootstrap stands alone."""
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
    values: ArrayLike,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    within: Bounds = (-math.inf, math.inf),
) -> Interval:
    """Interval of the mean over latents.

    Args:
        values: one number a latent ``(K,)``, K >= 2.
        rng: source of randomness.
        level: nominal coverage in (0, 1).
        resamples: bootstrap samples, >= 100.
        within: what the mean cannot leave.

    Raises:
        ValueError: not a finite vector of two or more, or ``level``/``resamples`` out of range.
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 1 or len(v) < 2:
        raise ValueError(f"Argument `values` must be (K,) with K >= 2, but has shape {v.shape}")
    if not np.isfinite(v).all():
        raise ValueError("Argument `values` must be finite, but contains NaN or infinity")
    return _bca(
        v[:, None],
        lambda means: means[:, 0],
        rng,
        level=level,
        resamples=resamples,
        within=within,
    )


def skill_interval(
    error: ArrayLike,
    baseline_errors: ArrayLike,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Interval of :func:`qhw.analysis.scores.metrics.skill_score`, latents resampled together.

    The best baseline is chosen again in every resample, so the choice is part of the uncertainty.

    Args:
        error: ``(K,)``, non-negative, K >= 2.
        baseline_errors: ``(M, K)``, the same error of M baselines.
        rng: source of randomness.
        level: nominal coverage in (0, 1).
        resamples: bootstrap samples, >= 100.

    Raises:
        ValueError: as :func:`qhw.analysis.scores.metrics.skill_score`, also when a resample
            leaves the best baseline without error; or ``level``/``resamples`` out of range.
    """
    e, b = as_errors("error", error), as_errors("baseline_errors", baseline_errors)
    if e.ndim != 1 or len(e) < 2:
        raise ValueError(f"Argument `error` must be (K,) with K >= 2, but has shape {e.shape}")
    skill_score(e, b)
    return _bca(
        np.vstack([e, b]).T,
        lambda means: skill_score(means[:, :1], means.T[1:, :, None]),
        rng,
        level=level,
        resamples=resamples,
        within=(-math.inf, 1.0),
    )


def always_something_to_beat(baseline_errors: ArrayLike) -> bool:
    """Whether no resample is likely to leave a baseline without error, so that skill is defined.

    The best baseline must err on every latent; below :data:`FEW` latents so must all others, since
    a resample may well hold one latent only.

    Args:
        baseline_errors: ``(M, K)``, non-negative.
    """
    b = as_errors("baseline_errors", baseline_errors)
    best = b[b.mean(axis=1).argmin()]
    return bool((b if b.shape[1] < FEW else best).min() > ROUNDING)


def _bca(
    data: FloatArray,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    level: float,
    resamples: int,
    within: Bounds,
) -> Interval:
    """BCa interval of a statistic of the column means of ``data`` ``(n, C)``."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"Argument `level` must be in (0, 1), but is {level}")
    if resamples < 100:
        raise ValueError(f"Argument `resamples` must be >= 100, but is {resamples}")
    n = len(data)
    value = float(statistic(data.mean(axis=0, keepdims=True))[0])
    rows = max(1, _CHUNK // n)
    means = [
        data[rng.integers(0, n, size=(min(rows, resamples - done), n))].mean(axis=1)
        for done in range(0, resamples, rows)
    ]
    replicates = statistic(np.concatenate(means))
    below = np.mean(replicates < value) + 0.5 * np.mean(replicates == value)
    # All replicates on one side would send the bias correction to infinity.
    half = 0.5 / resamples
    bias = ndtri(np.clip(below, half, 1.0 - half))
    shifted = bias + ndtri(np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level]))
    left_out = statistic((data.sum(axis=0) - data) / (n - 1))
    ends = ndtr(bias + shifted / (1.0 - _acceleration(left_out) * shifted))
    low, high = (float(end) for end in np.quantile(replicates, ends))
    if n < FEW:
        half = student_half(left_out, level)
        low = min(low, max(value - half, within[0]))
        high = max(high, min(value + half, within[1]))
    return Interval(value, low, high, level)


def student_half(left_out: FloatArray, level: float) -> float:
    """Half of Student's interval, from jackknife values ``(n,)``; the usual one for a mean."""
    n = len(left_out)
    error = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    return float(student.ppf(0.5 + 0.5 * level, n - 1) * error)


def _acceleration(left_out: FloatArray) -> float:
    """The ``a`` of BCa, from the skewness of jackknife values ``(n,)``; 0 when they are equal."""
    deviation = left_out.mean() - left_out
    spread = float((deviation**2).sum()) ** 1.5
    return float((deviation**3).sum()) / (6.0 * spread) if spread > 0.0 else 0.0
