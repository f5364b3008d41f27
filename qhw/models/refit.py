"""A linear map refitted to noisy inputs: ridge regression towards the map that is there.

With n rows of features X and wanted outputs Y, centred, and a map W that is right without noise,
the refitted map is ``W + D``, where D minimises ``|Y - X (W + D)^T|^2 + s |D|^2``: noise is
learned, what a few rows cannot tell stays as trained. The intercept is not shrunk. The strength s
is chosen by leaving each row out once, in closed form (PRESS), and where even the best strength
does not predict left-out rows better than the map that is there, that map stays.

Source: Hoerl and Kennard, Technometrics 12, 55 (1970); Allen, Technometrics 16, 125 (1974), for
PRESS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

STRENGTHS = tuple(float(s) for s in np.logspace(-4, 3, 29))
"""Tried, in units of the mean sum of squares of a centred feature."""
_TINY = 1e-24


@dataclass(frozen=True, eq=False)
class LinearMap:
    """``x -> weight x + bias``.

    Attributes:
        weight: ``(O, F)``.
        bias: ``(O,)``.
    """

    weight: FloatArray
    bias: FloatArray

    def __call__(self, features: ArrayLike) -> FloatArray:
        """``(B, O)`` of features ``(B, F)``."""
        return np.asarray(np.asarray(features) @ self.weight.T + self.bias)


@dataclass(frozen=True, eq=False)
class Refit:
    """A refitted map.

    Attributes:
        map: it.
        strength: chosen, in units of :data:`STRENGTHS`; ``None`` where the map stayed.
        error: squared error of left-out rows over that of the map that was there, mean over
            outputs; 1 where it stayed.
    """

    map: LinearMap
    strength: float | None
    error: float


def ridge(features: ArrayLike, targets: ArrayLike, start: LinearMap, strength: float) -> LinearMap:
    """The map that is refitted with one strength.

    Args:
        features: ``(n, F)``, n >= 2.
        targets: ``(n, O)`` what the map should give.
        start: what it is shrunk to.
        strength: at least 0, in the features' own units squared.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centred = x - x_mean
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    residual = y - y_mean - centred @ start.weight.T
    # directions without any spread have nothing to tell, whatever the strength
    gain = np.divide(s, s**2 + strength, where=s > s.max(initial=0.0) * 1e-12, out=np.zeros_like(s))
    weight = start.weight + (vt.T @ (gain[:, None] * (u.T @ residual))).T
    return LinearMap(weight, y_mean - weight @ x_mean)


def left_out_errors(
    features: ArrayLike, targets: ArrayLike, start: LinearMap, strengths: ArrayLike
) -> FloatArray:
    """Mean squared error of each row by the map of all others, ``(S, O)``, for each strength.

    Args:
        features: ``(n, F)``, n >= 2.
        targets: ``(n, O)``.
        start: as for :func:`ridge`.
        strengths: ``(S,)``, above 0.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    centred = x - x.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    residual = y - y.mean(axis=0) - centred @ start.weight.T
    inside = u.T @ residual
    found = []
    for strength in np.asarray(strengths, dtype=np.float64):
        share = s**2 / (s**2 + strength)
        leverage = 1 / len(x) + (u**2 * share).sum(axis=1)
        off = (residual - u @ (share[:, None] * inside)) / np.maximum(1 - leverage, _TINY)[:, None]
        found.append((off**2).mean(axis=0))
    return np.array(found)


def refit(features: ArrayLike, targets: ArrayLike, start: LinearMap) -> Refit:
    """The map refitted with the strength that predicts left-out rows best.

    Outputs of different units count by how far the map that is there is off in each.

    Args:
        features: ``(n, F)`` measured.
        targets: ``(n, O)`` known.
        start: the map without noise.

    Raises:
        ValueError: fewer than three rows, or shapes that do not match.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    outputs, inputs = start.weight.shape
    if len(x) < 3 or x.shape != (len(y), inputs) or y.shape != (len(x), outputs):
        raise ValueError(
            f"Arguments `features` and `targets` must be (n, {inputs}) and (n, {outputs}) with "
            f"n 3 or more, but are {x.shape} and {y.shape}."
        )
    unit = ((x - x.mean(axis=0)) ** 2).sum(axis=0).mean()
    before = ((y - start(x)) ** 2).mean(axis=0)
    told = before > _TINY
    if unit <= _TINY or not told.any():
        return Refit(start, None, 1.0)
    strengths = unit * np.array(STRENGTHS)
    errors = left_out_errors(x, y, start, strengths)
    relative = (errors[:, told] / before[told]).mean(axis=1)
    best = int(relative.argmin())
    if relative[best] >= 1:
        return Refit(start, None, 1.0)
    found = ridge(x, y, start, float(strengths[best]))
    return Refit(found, STRENGTHS[best], float(relative[best]))
