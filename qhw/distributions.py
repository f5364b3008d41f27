"""What counts as a batch of probability distributions or of counts: one check for every room."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

SUM_TOLERANCE = 1e-6
"""Allowed deviation of a sum from 1 (float32 models hand over distributions of 128 bins)."""


def as_distributions(name: str, values: ArrayLike) -> FloatArray:
    """Return ``(..., D)`` distributions as float64, rescaled to sum to 1 at full precision.

    Args:
        name: argument name used in messages.
        values: distributions over the last axis.

    Raises:
        ValueError: a value that is not finite or is negative, or a sum that is not 1.
    """
    out = np.asarray(values, dtype=np.float64)
    if out.ndim == 0 or out.shape[-1] == 0:
        raise ValueError(f"Argument `{name}` must be (..., D) with D >= 1, but is {out.shape}")
    if not np.isfinite(out).all():
        raise ValueError(f"Argument `{name}` must be finite, but contains NaN or infinity")
    if out.min(initial=0.0) < 0.0:
        raise ValueError(
            f"Argument `{name}` must hold non-negative probabilities, but contains {out.min():.3g}"
        )
    total = out.sum(axis=-1, keepdims=True)
    worst = float(np.abs(total - 1.0).max(initial=0.0))
    if worst > SUM_TOLERANCE:
        raise ValueError(
            f"Argument `{name}` must sum to 1 over the last axis, but a sum is off by {worst:.3g}"
        )
    return np.asarray(out / total, dtype=np.float64)


def relative_frequencies(counts: NDArray[np.int64]) -> FloatArray:
    """Counts ``(B, D)`` over their sums: a vendor may return fewer shots than were asked for."""
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), dtype=np.float64)


def as_counts(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Return ``(..., D)`` counts as int64.

    Args:
        name: argument name used in messages.
        values: whole numbers, each row with at least one shot.

    Raises:
        ValueError: fractional or negative counts, or a row without a shot.
    """
    raw = np.asarray(values)
    if raw.ndim == 0 or raw.shape[-1] == 0:
        raise ValueError(f"Argument `{name}` must be (..., D) with D >= 1, but is {raw.shape}")
    if not np.issubdtype(raw.dtype, np.integer):
        raise ValueError(f"Argument `{name}` must hold integers, but has dtype {raw.dtype}")
    out = raw.astype(np.int64)
    if out.min(initial=0) < 0:
        raise ValueError(f"Argument `{name}` must be non-negative, but contains {out.min()}")
    if (out.sum(axis=-1) == 0).any():
        raise ValueError(f"Argument `{name}` must have at least one shot a row, but a row is empty")
    return out


def check_shots(shots: int) -> int:
    """Return ``shots`` as int.

    Raises:
        ValueError: it is not a whole number >= 1.
    """
    if not isinstance(shots, int | np.integer) or shots < 1:
        raise ValueError(f"Argument `shots` must be a whole number >= 1, but is {shots!r}")
    return int(shots)
