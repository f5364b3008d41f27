"""Where a curve of distance over noise meets the best baseline that needs no QPU."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.parts import Frozen
from qhw.analysis.scores.bootstrap import FEW, student_half

FloatArray = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95


class Crossing(Frozen):
    """A noise scale with its interval; ends beyond the studied scales are ``None``.

    Attributes:
        state: ``crosses``; ``above``: better than the baseline at every scale studied; ``below``:
            worse already at the least; ``unknown``: too few rows or one scale alone.
        scale: where the mean distance reaches the best baseline's, linear between scales.
        low: lower end of the interval, ``None`` if below the least scale.
        high: upper end, ``None`` if beyond the largest scale.
        least: least scale studied.
        largest: largest scale studied.
        level: nominal coverage.
    """

    state: Literal["crosses", "above", "below", "unknown"]
    scale: float | None = None
    low: float | None = None
    high: float | None = None
    least: float
    largest: float
    level: float = LEVEL

    @property
    def words(self) -> str:
        """One sentence, empty when nothing is known."""
        if self.state == "above":
            return f"Stays better than the baseline up to {self.largest:g} times the noise."
        if self.state == "below":
            return f"Below the baseline already at {self.least:g} times the noise."
        if self.state == "unknown" or self.scale is None:
            return ""
        low = f"under {self.least:g}" if self.low is None else f"{self.low:.2f}"
        high = f"over {self.largest:g}" if self.high is None else f"{self.high:.2f}"
        return (
            f"Crosses the no-QPU baseline at {self.scale:.2f} times the reported noise "
            f"({100 * self.level:.0f} % interval {low} to {high})."
        )


def crossing(
    scales: FloatArray, tvd: FloatArray, baselines: FloatArray, rng: np.random.Generator
) -> Crossing:
    """Find the first crossing, with a percentile bootstrap over latents.

    The best baseline is chosen again in every resample, and latents are resampled together at all
    scales, so what they share does not widen the interval. Of few latents it is never narrower
    than Student's.

    Args:
        scales: increasing ``(S,)``.
        tvd: distance of each latent at each scale ``(S, K)``.
        baselines: the same distance of each baseline ``(M, K)``.
        rng: source of randomness.
    """
    least, largest = float(scales[0]), float(scales[-1])
    if len(scales) < 2 or tvd.shape[1] < 2:
        return Crossing(state="unknown", least=least, largest=largest)
    value = float(_first(scales, tvd.mean(axis=1)[None], baselines.mean(axis=1)[None])[0])
    if np.isneginf(value):
        return Crossing(state="below", least=least, largest=largest)
    if np.isposinf(value):
        return Crossing(state="above", least=least, largest=largest)
    rows = rng.integers(0, tvd.shape[1], size=(RESAMPLES, tvd.shape[1]))
    weights = np.zeros((RESAMPLES, tvd.shape[1]))
    np.add.at(weights, (np.arange(RESAMPLES)[:, None], rows), 1 / tvd.shape[1])
    found = _first(scales, weights @ tvd.T, weights @ baselines.T)
    # resamples that never cross are infinite; quantiles must not interpolate with them
    half = (1 - LEVEL) / 2
    low, high = np.quantile(found, [half, 1 - half], method="inverted_cdf")
    if tvd.shape[1] < FEW:
        low, high = _widened(float(low), float(high), value, scales, tvd, baselines)
    return Crossing(
        state="crosses",
        scale=value,
        low=float(low) if np.isfinite(low) else None,
        high=float(high) if np.isfinite(high) else None,
        least=least,
        largest=largest,
    )


def _widened(
    low: float,
    high: float,
    value: float,
    scales: FloatArray,
    tvd: FloatArray,
    baselines: FloatArray,
) -> tuple[float, float]:
    """Never narrower than Student's interval, see :mod:`qhw.analysis.scores.bootstrap`.

    An end beyond the scales is infinite; both are where leaving a latent out moves it there.
    """
    k = tvd.shape[1]
    without = [(v.sum(axis=1, keepdims=True) - v) / (k - 1) for v in (tvd, baselines)]
    left_out = _first(scales, without[0].T, without[1].T)
    if not np.isfinite(left_out).all():
        return -np.inf, np.inf
    half = student_half(left_out, LEVEL)
    low, high = min(low, value - half), max(high, value + half)
    return low if low >= scales[0] else -np.inf, high if high <= scales[-1] else np.inf


def _first(scales: FloatArray, means: FloatArray, baselines: FloatArray) -> FloatArray:
    """First crossing of each row of means ``(R, S)``; -inf if below at once, inf if never."""
    excess = means - baselines.min(axis=1, keepdims=True)
    worse = excess > 0
    at = worse.argmax(axis=1)
    rows = np.arange(len(excess))
    before = np.maximum(at - 1, 0)
    rise = excess[rows, at] - excess[rows, before]
    share = np.divide(-excess[rows, before], rise, out=np.zeros(len(rows)), where=rise > 0)
    where = scales[before] + share * (scales[at] - scales[before])
    where = np.where(worse[:, 0], -np.inf, where)
    return np.asarray(np.where(worse.any(axis=1), where, np.inf), dtype=np.float64)
