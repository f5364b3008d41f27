"""Readout correction where some pairs of wires are misread together.

The confusion matrix is a product of 4x4 matrices of disjoint pairs and 2x2 matrices of the other
wires; its inverse is the product of theirs.

Source: Maciejewski, Baccari, Zimboras and Oszmaniec, Quantum 5, 464 (2021), clusters of two.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhw.distributions import as_distributions
from qhw.mitigation.readout import ReadoutCorrection
from qhw.mitigation.simplex import project_to_simplex

FloatArray = NDArray[np.float64]

MAX_CONDITION = 100.0
"""Largest condition number inverted: beyond it shot noise is all that would remain."""


def correct_readout_pairs(
    frequencies: ArrayLike, singles: ArrayLike, pairs: Mapping[tuple[int, int], ArrayLike]
) -> ReadoutCorrection:
    """Undo readout errors and return valid distributions.

    Args:
        frequencies: measured relative frequencies ``(..., 2**m)``, wire 0 most significant.
        singles: ``(m, 2, 2)`` confusion matrices ``[read, prepared]``; those of paired wires are
            not used.
        pairs: ``(4, 4)`` confusion matrices of disjoint pairs of wires, first wire of the pair
            most significant.

    Raises:
        ValueError: not distributions, sizes that do not match, pairs that share a wire, or a
            matrix that cannot be inverted.
    """
    p = as_distributions("frequencies", frequencies)
    one = np.asarray(singles, dtype=np.float64)
    m = len(one)
    if one.shape != (m, 2, 2) or p.shape[-1] != 2**m:
        raise ValueError(
            f"Argument `singles` must be (m, 2, 2) for frequencies (..., 2**m), "
            f"but shapes are {one.shape} and {p.shape}"
        )
    paired = [wire for pair in pairs for wire in pair]
    if len(set(paired)) != len(paired) or not set(paired) <= set(range(m)):
        raise ValueError(
            f"Argument `pairs` must be disjoint wires below {m}, but is {sorted(pairs)}"
        )
    factors: dict[tuple[int, ...], FloatArray] = {
        pair: np.asarray(matrix, dtype=np.float64) for pair, matrix in pairs.items()
    }
    factors |= {(w,): one[w] for w in range(m) if w not in paired}
    quasi = p.reshape(-1, *(2,) * m)
    for wires, matrix in factors.items():
        quasi = _apply(quasi, _inverse(matrix, wires), wires)
    quasi = quasi.reshape(p.shape)
    projection = project_to_simplex(quasi)
    return ReadoutCorrection(
        projection.probabilities, quasi, projection.negative_mass, projection.distance
    )


def _inverse(matrix: FloatArray, wires: tuple[int, ...]) -> FloatArray:
    d = 2 ** len(wires)
    if matrix.shape != (d, d) or not np.linalg.cond(matrix) <= MAX_CONDITION:
        raise ValueError(
            f"Argument `pairs` and `singles` must be ({d}, {d}) with a condition number up to "
            f"{MAX_CONDITION:g} on wires {wires}, but it is not"
        )
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _apply(values: FloatArray, matrix: FloatArray, wires: tuple[int, ...]) -> FloatArray:
    """Multiply a matrix onto some axes (wire ``w`` is axis ``w + 1``)."""
    k = len(wires)
    axes = [w + 1 for w in wires]
    moved = np.moveaxis(values, axes, range(k))
    flat = (matrix @ moved.reshape(2**k, -1)).reshape(moved.shape)
    return np.moveaxis(flat, range(k), axes)
