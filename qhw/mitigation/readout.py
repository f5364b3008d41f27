"""How the measured wires of a circuit are misread, and what undoes it.

Readout acts on the outcome distribution as a product of confusion matrices ``A[read, prepared]``:
2x2 of single wires, and 4x4 of pairs that a measured calibration found to be misread together. The
inverse is the product of theirs. Wire 0 is the most significant bit of the outcome index.

Sources: Maciejewski, Zimboras and Oszmaniec, Quantum 4, 257 (2020); for pairs Maciejewski, Baccari,
Zimboras and Oszmaniec, Quantum 5, 464 (2021), clusters of two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backends.base import CompiledTemplate
from backends.readout import readout_matrices
from calibration.readout import ReadoutCalibration
from qhw.mitigation.base import MitigationError
from qhw.mitigation.calibrate import measured_device_qubits

FloatArray = NDArray[np.float64]
Factors = dict[tuple[int, ...], FloatArray]
"""Confusion matrices ``[read, prepared]`` of disjoint groups of wires, first most significant."""

MIN_CONTRAST = 0.02
"""Smallest ``1 - p(1|0) - p(0|1)`` inverted: below it a wire tells next to nothing."""
MAX_CONDITION = 100.0
"""Largest condition number of a pair inverted: beyond it shot noise is all that would remain."""


def confusion_factors(
    compiled: CompiledTemplate, calibration: ReadoutCalibration | None, *, pairs: bool = True
) -> Factors:
    """Confusion matrices of every measured wire, and of correlated pairs where there are any.

    Args:
        compiled: says which device qubit each wire is read from.
        calibration: measured; ``None`` for the error rates of the snapshot.
        pairs: whether significantly correlated pairs are taken together.

    Raises:
        MitigationError: a matrix that cannot be inverted.
        ValueError: a qubit that was not calibrated.
    """
    if calibration is None:
        singles = readout_matrices(compiled).matrices
        return _invertible({(w,): matrix for w, matrix in enumerate(singles)})
    qubits = measured_device_qubits(compiled)
    chosen = calibration.correlated_pairs(qubits) if pairs else []
    wire = {q: w for w, q in enumerate(qubits)}
    factors: Factors = {
        (wire[a], wire[b]): np.array(p.matrix) for p in chosen for a, b in [p.qubits]
    }
    paired = {w for pair in factors for w in pair}
    singles = calibration.matrices(qubits)
    return _invertible({(w,): singles[w] for w in range(len(qubits)) if w not in paired} | factors)


def joint(factors: Factors) -> FloatArray:
    """Product of matrices on disjoint groups of wires, ``(2**m, 2**m)``, wire 0 most significant.

    Args:
        factors: by wires; together they are ``0 .. m-1``.
    """
    m = sum(map(len, factors))
    product: FloatArray = np.eye(2**m).reshape((2,) * m + (2**m,))
    for wires, matrix in factors.items():
        k = len(wires)
        moved = np.moveaxis(product, wires, range(k))
        applied = matrix @ moved.reshape(2**k, -1)
        product = np.moveaxis(applied.reshape(moved.shape), range(k), wires)
    return np.ascontiguousarray(product.reshape(2**m, 2**m))


def inverse(factors: Factors) -> FloatArray:
    """What undoes the product of confusion matrices, ``(2**m, 2**m)``; its columns sum to 1."""
    return joint({w: np.asarray(np.linalg.inv(a), np.float64) for w, a in factors.items()})


def _invertible(factors: Factors) -> Factors:
    for wires, matrix in factors.items():
        if len(wires) == 1:
            contrast = matrix[0, 0] + matrix[1, 1] - 1.0
            if contrast < MIN_CONTRAST:
                raise MitigationError(
                    f"readout must have wires with p(1|0) + p(0|1) up to {1 - MIN_CONTRAST:g}, "
                    f"but on wire {wires[0]} they add to {1 - contrast:.4g}"
                )
        elif not np.linalg.cond(matrix) <= MAX_CONDITION:
            raise MitigationError(
                "readout must have pairs with a condition number up to "
                f"{MAX_CONDITION:g}, but that of wires {wires[0]} and {wires[1]} is "
                f"{np.linalg.cond(matrix):.4g}"
            )
    return factors
