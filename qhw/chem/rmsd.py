"""How far two geometries of the same molecule are apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qhw.chem.bonds import check_same_shape
from qhw.chem.molecule import MoleculeBatch


def kabsch_rmsd(
    first: MoleculeBatch, second: MoleculeBatch, *, align: bool = True
) -> NDArray[np.float64]:
    """Root mean square distance of matching atoms (by order; elements are not compared).

    Args:
        first: ``B`` molecules, Å.
        second: ``B`` molecules, Å.
        align: superpose first (best translation and proper rotation, so mirror images stay
            apart); else compare where they stand.

    Returns:
        ``(B,)`` Å; NaN where the atom counts differ or there are no atoms.

    Raises:
        ValueError: batches of different shapes.

    Source: Kabsch, Acta Cryst. A32, 922 (1976).
    """
    check_same_shape(first, second)
    counts = first.counts
    present = (first.types >= 0) & (second.types >= 0)
    usable = (counts > 0) & (counts == second.counts)
    weights = present[..., None] / np.maximum(counts, 1)[:, None, None]
    a, b = first.positions, second.positions
    if align:
        a = a - (a * weights).sum(axis=1, keepdims=True)
        b = b - (b * weights).sum(axis=1, keepdims=True)
        a = a @ _best_rotations((a * weights).transpose(0, 2, 1) @ b)
    squared = ((a - b) ** 2 * weights).sum(axis=(1, 2))
    result: NDArray[np.float64] = np.where(usable, np.sqrt(squared), np.nan)
    return result


def superposed(moving: MoleculeBatch, fixed: MoleculeBatch) -> MoleculeBatch:
    """``moving`` laid onto ``fixed`` by the best translation and proper rotation.

    Matching atoms (by order) decide.

    Raises:
        ValueError: batches of different shapes.
    """
    check_same_shape(moving, fixed)
    present = (moving.types >= 0) & (fixed.types >= 0)
    pairs = np.maximum(present.sum(axis=1), 1)[:, None, None]
    weights = present[..., None] / pairs
    centre = (moving.positions * weights).sum(axis=1, keepdims=True)
    goal = (fixed.positions * weights).sum(axis=1, keepdims=True)
    a, b = moving.positions - centre, fixed.positions - goal
    places = a @ _best_rotations((a * weights).transpose(0, 2, 1) @ b) + goal
    return moving.moved_to(np.where((moving.types >= 0)[..., None], places, 0.0))


def _best_rotations(covariances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Proper rotations R maximising trace(R^T C), to be applied as ``a @ R``."""
    u, _, vt = np.linalg.svd(covariances)
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    result: NDArray[np.float64] = u @ vt
    return result
