"""Euclidean projection onto the probability simplex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SimplexProjection:
    """A valid distribution and how far the input was from being one.

    Attributes:
        probabilities: ``(..., D)``, non-negative, summing to 1.
        negative_mass: ``(...)``, sum of the absolute values of the negative entries of the input.
        distance: ``(...)``, Euclidean distance between input and projection.
    """

    probabilities: FloatArray
    negative_mass: FloatArray
    distance: FloatArray


def project_to_simplex(values: ArrayLike) -> SimplexProjection:
    """Nearest distribution, in Euclidean distance, to each row.

    The projection is ``max(v - t, 0)`` with the one ``t`` that makes it sum to 1, found by sorting.

    Args:
        values: quasi-distributions ``(..., D)``, any finite numbers.

    Returns:
        The projection, row by row, with its diagnostics.

    Raises:
        ValueError: no last axis, or a value that is not finite.

    Source: Held, Wolfe and Crowder, Mathematical Programming 6, 62 (1974).
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim == 0 or v.shape[-1] == 0:
        raise ValueError(f"Argument `values` must be (..., D) with D >= 1, but is {v.shape}")
    if not np.isfinite(v).all():
        raise ValueError("Argument `values` must be finite, but contains NaN or infinity")
    # The projection ignores a shift of the whole row; removing it keeps the sums below accurate.
    centred = v - v.max(axis=-1, keepdims=True)
    descending = -np.sort(-centred, axis=-1)
    excess = np.cumsum(descending, axis=-1) - 1.0
    rank = np.arange(1, v.shape[-1] + 1)
    support = np.count_nonzero(descending * rank > excess, axis=-1, keepdims=True)
    threshold = np.take_along_axis(excess, support - 1, axis=-1) / support
    projected = np.maximum(centred - threshold, 0.0)
    return SimplexProjection(
        probabilities=projected,
        negative_mass=-np.minimum(v, 0.0).sum(axis=-1),
        distance=np.linalg.norm(v - projected, axis=-1),
    )
