"""The one check of real amplitude matrices that every preparation shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_amplitudes(amplitudes: ArrayLike) -> NDArray[np.float64]:
    """Rows scaled to unit norm, with no negative zeros.

    Args:
        amplitudes: real ``(B, 2**m)``, m >= 1.

    Returns:
        A new ``(B, 2**m)`` float64 array.

    Raises:
        ValueError: wrong shape or dtype, or a row that is not finite or cannot be normalised.
    """
    a = np.asarray(amplitudes)
    if np.iscomplexobj(a):
        raise ValueError("Argument `amplitudes` must be real, but is complex.")
    a = a.astype(np.float64)
    if a.ndim != 2 or a.shape[1] < 2 or a.shape[1] & (a.shape[1] - 1):
        raise ValueError(
            f"Argument `amplitudes` must have shape (B, 2**m) with m >= 1, but has shape {a.shape}."
        )
    bad = np.flatnonzero(~np.isfinite(a).all(axis=1))
    if bad.size:
        raise ValueError(f"Argument `amplitudes` must be finite, but row {bad[0]} is not.")
    # Scaled first, so that neither tiny nor huge rows under- or overflow in the norm.
    largest = np.abs(a).max(axis=1, keepdims=True, initial=0.0)
    bad = np.flatnonzero(largest[:, 0] == 0)
    if bad.size:
        raise ValueError(
            f"Argument `amplitudes` must have no zero row, but row {bad[0]} cannot be normalised."
        )
    a = a / largest
    # arctan2 tells -0.0 from 0.0; adding 0.0 removes the difference.
    unit: NDArray[np.float64] = a / np.linalg.norm(a, axis=1, keepdims=True) + 0.0
    return unit
