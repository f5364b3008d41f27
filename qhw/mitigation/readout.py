"""Readout correction by tensored inverse, followed by a projection onto the simplex.

Each measured wire has a 2x2 confusion matrix ``A[w]`` with ``A[w][read, prepared]``; readout acts
as their tensor product. Wire 0 is the most significant bit of the outcome index.

Source: Maciejewski, Zimboras and Oszmaniec, Quantum 4, 257 (2020), uncorrelated case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhw.distributions import SUM_TOLERANCE, as_distributions
from qhw.mitigation.simplex import project_to_simplex

FloatArray = NDArray[np.float64]

MIN_CONTRAST = 0.02
"""Smallest ``1 - p(1|0) - p(0|1)`` inverted: below it a wire tells next to nothing."""


@dataclass(frozen=True, eq=False)
class ReadoutCorrection:
    """Corrected distributions and what the correction had to do.

    Attributes:
        probabilities: ``(..., 2**m)``, valid distributions.
        quasi: ``(..., 2**m)``, the plain inverse before projection; sums to 1, may be negative.
        negative_mass: ``(...)``, negative mass of ``quasi``.
        distance: ``(...)``, Euclidean distance the projection moved it.
    """

    probabilities: FloatArray
    quasi: FloatArray
    negative_mass: FloatArray
    distance: FloatArray


def confusion_matrices(p10: ArrayLike, p01: ArrayLike) -> FloatArray:
    """Confusion matrices from the two error rates of each wire.

    Args:
        p10: probability of reading 1 when 0 was prepared, ``(m,)``.
        p01: probability of reading 0 when 1 was prepared, ``(m,)``.

    Returns:
        ``(m, 2, 2)``, rows = read, columns = prepared.

    Raises:
        ValueError: unequal lengths or rates outside [0, 1].
    """
    up, down = np.asarray(p10, dtype=np.float64), np.asarray(p01, dtype=np.float64)
    if up.ndim != 1 or up.shape != down.shape:
        raise ValueError(
            f"Argument `p01` must match `p10` (m,), but shapes are {down.shape} and {up.shape}"
        )
    matrices = np.stack([np.stack([1 - up, down], -1), np.stack([up, 1 - down], -1)], -2)
    return _as_confusion(matrices)


def apply_confusion(probabilities: ArrayLike, confusion: ArrayLike) -> FloatArray:
    """What readout makes of exact distributions.

    Args:
        probabilities: ``(..., 2**m)``, wire 0 most significant.
        confusion: ``(m, 2, 2)``, wire order, columns = prepared state.

    Returns:
        Read distributions, shape of ``probabilities``.

    Raises:
        ValueError: not distributions, not stochastic matrices, or sizes that do not match.
    """
    matrices = _as_confusion(confusion)
    p = as_distributions("probabilities", probabilities)
    _check_size("probabilities", p, len(matrices))
    return _contract(p, matrices)


def correct_readout(frequencies: ArrayLike, confusion: ArrayLike) -> ReadoutCorrection:
    """Undo readout errors and return valid distributions.

    Args:
        frequencies: measured relative frequencies ``(..., 2**m)``, wire 0 most significant.
        confusion: ``(m, 2, 2)``, wire order, columns = prepared state.

    Returns:
        The projection of the tensored inverse, with the negative mass and distance recorded.

    Raises:
        ValueError: not distributions, not stochastic matrices, sizes that do not match, or a wire
            whose error rates add to (nearly) 1 or more, so that its matrix cannot be inverted.
    """
    matrices = _as_confusion(confusion)
    p = as_distributions("frequencies", frequencies)
    _check_size("frequencies", p, len(matrices))
    contrast = matrices[:, 0, 0] + matrices[:, 1, 1] - 1.0
    worst = int(np.argmin(contrast))
    if contrast[worst] < MIN_CONTRAST:
        raise ValueError(
            "Argument `confusion` must be invertible with p(1|0) + p(0|1) <= "
            f"{1.0 - MIN_CONTRAST:g}, but on wire {worst} they add to {1.0 - contrast[worst]:.4g}"
        )
    quasi = _contract(p, np.asarray(np.linalg.inv(matrices), dtype=np.float64))
    projection = project_to_simplex(quasi)
    return ReadoutCorrection(
        projection.probabilities, quasi, projection.negative_mass, projection.distance
    )


def _as_confusion(confusion: ArrayLike) -> FloatArray:
    matrices = np.asarray(confusion, dtype=np.float64)
    if matrices.ndim != 3 or matrices.shape[1:] != (2, 2) or len(matrices) == 0:
        raise ValueError(
            f"Argument `confusion` must be (m, 2, 2) with m >= 1, but has shape {matrices.shape}"
        )
    # NaN fails the first comparison.
    if not ((matrices >= 0.0) & (matrices <= 1.0)).all():
        raise ValueError("Argument `confusion` must hold probabilities in [0, 1], but does not")
    if np.abs(matrices.sum(axis=1) - 1.0).max() > SUM_TOLERANCE:
        raise ValueError(
            "Argument `confusion` must have columns (prepared states) that sum to 1, but has not"
        )
    return matrices


def _check_size(name: str, p: FloatArray, wires: int) -> None:
    if p.shape[-1] != 2**wires:
        raise ValueError(
            f"Argument `{name}` must have 2**{wires} = {2**wires} outcomes for {wires} confusion "
            f"matrices, but has {p.shape[-1]}"
        )


def _contract(p: FloatArray, matrices: FloatArray) -> FloatArray:
    """Apply one 2x2 matrix to each wire axis."""
    out = p
    for wire, matrix in enumerate(matrices):
        split = out.reshape(*p.shape[:-1], 2**wire, 2, p.shape[-1] >> (wire + 1))
        out = np.einsum("rp,...apb->...arb", matrix, split)
    return out.reshape(p.shape)
