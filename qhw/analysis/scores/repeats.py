"""How far one circuit's distance would move if the experiment were repeated.

Over many circuits, intervals come from the circuits (:mod:`qhw.analysis.scores.bootstrap`). One
circuit alone has only its shots: its distribution is drawn again with the standard errors it has,
and the spread of the distance is laid around the measured value (drawing again from a measured
distribution adds noise to noise, so the draws' own mean lies too high).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.scores.bootstrap import Bounds, Interval
from qhw.mitigation.simplex import project_to_simplex

FloatArray = NDArray[np.float64]

REPEATS = 1000
_MOST_NUMBERS = 2**24
"""Numbers drawn in all (128 MB): of very wide distributions fewer repeats are drawn."""


def repeats(
    p: FloatArray,
    shots: int,
    rng: np.random.Generator,
    error: FloatArray | None = None,
    *,
    most: int = REPEATS,
) -> FloatArray:
    """The distribution as repeated experiments would give it, ``(R, D)``.

    Args:
        p: measured ``(1, D)``.
        shots: behind it.
        rng: of the draws.
        error: standard errors ``(1, D)`` of a mitigated one; draws are then normal ones, projected
            to distributions. Without it they are multinomial.
        most: repeats drawn.
    """
    count = max(100, min(most, _MOST_NUMBERS // p.shape[1]))
    if error is None:
        exact = p[0].clip(0.0, None)
        return np.asarray(rng.multinomial(shots, exact / exact.sum(), size=count) / shots)
    moved = p + error * rng.standard_normal((count, p.shape[1]))
    # a probability's errors sum to none: what is drawn too much is taken from all alike
    moved -= (moved.sum(axis=1, keepdims=True) - 1.0) / p.shape[1]
    return project_to_simplex(moved).probabilities


def spread_interval(
    value: float,
    replicates: FloatArray | None,
    *,
    within: Bounds = (-math.inf, math.inf),
    level: float = 0.95,
) -> Interval:
    """The spread of replicates laid around a value.

    Args:
        value: measured.
        replicates: ``(R,)`` of repeated experiments; ``None`` for what is exact.
        within: what the value cannot leave.
        level: nominal coverage.
    """
    if replicates is None:
        return Interval(float(value), float(value), float(value), level)
    ends = np.quantile(replicates - replicates.mean(), (0.5 - level / 2, 0.5 + level / 2))
    low, high = (float(np.clip(value + end, *within)) for end in ends)
    return Interval(float(value), low, high, level)
