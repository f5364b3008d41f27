"""Argument checks shared by the latent mathematics."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

MIN_DIM = 2
MAX_DIM = 1024
KAPPA_MAX = 1e5
"""Largest supported concentration."""
UNIT_TOLERANCE = 1e-5
"""Allowed deviation of a norm from 1: what float32 rounding leaves at dimension 1024."""


def check_dim(dim: int) -> int:
    """Return ``dim`` as int.

    Raises:
        ValueError: it is not a whole number in 2..1024.
    """
    if not isinstance(dim, int | np.integer) or not MIN_DIM <= dim <= MAX_DIM:
        raise ValueError(
            f"Argument `dim` must be a whole number in {MIN_DIM}..{MAX_DIM}, but is {dim!r}"
        )
    return int(dim)


def as_kappa(kappa: ArrayLike) -> FloatArray:
    """Return concentrations as a float64 array.

    Raises:
        ValueError: one of them is outside 0..1e5 or NaN.
    """
    out = np.asarray(kappa, dtype=np.float64)
    bad = ~((out >= 0.0) & (out <= KAPPA_MAX))
    if bad.any():
        raise ValueError(
            f"Argument `kappa` must be in 0..{KAPPA_MAX:g}, but contains {float(out[bad].flat[0])}"
        )
    return out


def as_unit_vectors(name: str, x: ArrayLike) -> FloatArray:
    """Return ``(..., d)`` vectors as float64, renormalised to full precision.

    Raises:
        ValueError: wrong dimension, a value that is not finite, or a norm that is not 1 within
            :data:`UNIT_TOLERANCE`.
    """
    out = np.asarray(x, dtype=np.float64)
    if out.ndim == 0:
        raise ValueError(f"Argument `{name}` must be a vector (..., d), but is a scalar")
    check_dim(out.shape[-1])
    if not np.isfinite(out).all():
        raise ValueError(f"Argument `{name}` must be finite, but contains NaN or infinity")
    norm = np.linalg.norm(out, axis=-1, keepdims=True)
    worst = float(np.abs(norm - 1.0).max(initial=0.0))
    if worst > UNIT_TOLERANCE:
        raise ValueError(
            f"Argument `{name}` must hold unit vectors, but a norm is off by {worst:.3g} "
            f"(allowed: {UNIT_TOLERANCE:g})"
        )
    return np.asarray(out / norm, dtype=np.float64)
