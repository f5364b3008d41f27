"""Confusion matrices of three unlike wires, and of a pair that is misread together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

UP = np.array([0.01, 0.05, 0.2])
DOWN = np.array([0.03, 0.1, 0.02])


def confusion_matrices(up: ArrayLike, down: ArrayLike) -> np.ndarray:
    """``(m, 2, 2)``, element ``[wire, read, prepared]``, of ``p(1|0)`` and ``p(0|1)``."""
    u, d = np.asarray(up), np.asarray(down)
    return np.stack([np.stack([1 - u, d], -1), np.stack([u, 1 - d], -1)], -2)


SINGLES = confusion_matrices(UP, DOWN)
PAIR = np.array(
    [
        [0.95, 0.05, 0.03, 0.02],
        [0.02, 0.91, 0.01, 0.04],
        [0.02, 0.01, 0.93, 0.06],
        [0.01, 0.03, 0.03, 0.88],
    ]
)
"""``(4, 4)``, element ``[read, prepared]``, no product of two matrices."""
