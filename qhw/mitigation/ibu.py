"""Iterative Bayesian unfolding: the likeliest true distribution behind misread counts.

Each step reweighs the estimate by how well it explains what was read. The estimate stays a valid
distribution throughout, and what it converges to is the maximum of the likelihood.

Sources: D'Agostini, Nucl. Instrum. Methods A 362, 487 (1995); Nachman, Urbanek, de Jong and Bauer,
npj Quantum Information 6, 84 (2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qhw.mitigation.base import PSEUDO_COUNTS, Estimate

FloatArray = NDArray[np.float64]

MAX_ITERATIONS = 500
CHANGE = 1e-3
"""Stop where a step moves no row by more than this share of its shot noise, as total variation."""
REPLICAS = 60
"""Resampled counts of every row behind an error bar."""


@dataclass(frozen=True, eq=False)
class Unfolded:
    """What unfolding found.

    Attributes:
        probabilities: ``(B, D)`` distributions.
        iterations: steps taken, the same for all rows.
        converged: whether the last step was small enough.
    """

    probabilities: FloatArray
    iterations: int
    converged: bool


def unfold(
    frequencies: FloatArray,
    confusion: FloatArray,
    *,
    tolerance: float,
    start: FloatArray | None = None,
    limit: int = MAX_ITERATIONS,
) -> Unfolded:
    """Unfold rows of frequencies.

    Args:
        frequencies: ``(B, D)`` as read, each row summing to 1.
        confusion: ``(D, D)``, element ``[read, prepared]``, columns summing to 1.
        tolerance: largest change of a row in the last step, half the sum of absolute differences.
        start: ``(B, D)`` positive distributions to start from; uniform by default.
        limit: most steps.
    """
    d = frequencies.shape[1]
    found = np.full_like(frequencies, 1.0 / d) if start is None else start
    for step in range(1, limit + 1):
        predicted = found @ confusion.T
        ratio = np.divide(frequencies, predicted, where=predicted > 0, out=np.zeros_like(predicted))
        better = found * (ratio @ confusion)
        change = 0.5 * np.abs(better - found).sum(axis=1).max(initial=0.0)
        found = better
        if change <= tolerance:
            return Unfolded(found, step, True)
    return Unfolded(found, limit, False)


def unfolded_estimate(
    measured: Estimate,
    confusion: FloatArray,
    features: FloatArray | None,
    rng: np.random.Generator,
    others: Sequence[FloatArray] = (),
) -> Estimate:
    """Features of the unfolded distributions, error bars by a parametric bootstrap.

    What the calibration's errors change is found by unfolding once more with each of them made:
    a difference in place of a derivative, which the edge of the simplex does not have.

    Args:
        measured: plain frequencies ``(B, D)`` with their shots.
        confusion: ``(D, D)``, element ``[read, prepared]``.
        features: ``(K, D)``, ``None`` for the distribution itself.
        rng: of the bootstrap.
        others: ``(D, D)`` each, the confusion with one of its independent errors made.
    """
    rows, d = measured.values.shape
    n = measured.shots
    tolerance = CHANGE * min(1.0, float(np.sqrt(d / n)))
    # half a count more everywhere: nothing unseen is certain, and no bin starts at an absorbing 0
    smooth = (measured.values * n + PSEUDO_COUNTS) / (n + PSEUDO_COUNTS * d)
    best = unfold(measured.values, confusion, tolerance=tolerance, start=smooth)
    drawn = rng.multinomial(n, smooth, size=(REPLICAS, rows)).reshape(-1, d) / n
    again = unfold(drawn, confusion, tolerance=tolerance, start=np.tile(smooth, (REPLICAS, 1)))
    moved = [
        unfold(measured.values, other, tolerance=tolerance, start=smooth).probabilities
        for other in others
    ]
    values, replicas = best.probabilities, again.probabilities
    common: FloatArray = np.array([m - values for m in moved]).reshape(-1, rows, d)
    if features is not None:
        values, replicas, common = (v @ features.T for v in (values, replicas, common))
    variance = replicas.reshape(REPLICAS, rows, -1).var(axis=0, ddof=1)
    record = {"iterations": best.iterations, "converged": best.converged}
    return Estimate(values, variance, 0, measured.record, common=common).noted(ibu=record)
