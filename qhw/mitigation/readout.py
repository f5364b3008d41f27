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
Shift = tuple[tuple[int, ...], FloatArray]
"""Wires, and what one standard deviation of one error changes in their confusion matrix."""

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


def calibration_shifts(
    compiled: CompiledTemplate, calibration: ReadoutCalibration | None, factors: Factors
) -> list[Shift]:
    """Independent errors of confusion matrices that were measured; none of those of a snapshot.

    A column of a matrix holds frequencies of one multinomial. Of two outcomes they have one error;
    of four, the errors are those of Poisson numbers that are divided by their sum. What is known
    exactly is left out. Matrices of different wires come from the same shots, but as if from their
    own: read apart, their errors are independent.

    Args:
        compiled: says which device qubit each wire is read from.
        calibration: that the factors are from.
        factors: from :func:`confusion_factors`.
    """
    if calibration is None:
        return []
    qubits = measured_device_qubits(compiled)
    errors_of: dict[tuple[int, ...], FloatArray] = {
        **{(q.qubit,): q.errors() for q in calibration.qubits},
        **{p.qubits: np.array(p.errors) for p in calibration.pairs},
    }
    shifts = []
    for wires, matrix in factors.items():
        errors = errors_of[tuple(qubits[w] for w in wires)]
        for prepared, (p, error) in enumerate(zip(matrix.T, errors.T, strict=True)):
            for direction in _directions(p, error):
                change = np.zeros_like(matrix)
                change[:, prepared] = direction
                shifts.append((wires, change))
    return [(wires, change) for wires, change in shifts if change.any()]


def _directions(p: FloatArray, error: FloatArray) -> FloatArray:
    """Independent errors ``(J, 2**k)`` of multinomial frequencies with these standard errors."""
    if len(p) == 2:
        return np.array([[-error[1], error[1]]])
    poisson = np.divide(error, np.sqrt(1 - p), where=p < 1, out=np.zeros_like(p))
    return np.asarray(poisson[:, None] * (np.eye(len(p)) - p), dtype=np.float64)


def shifted(factors: Factors, shift: Shift) -> Factors:
    """Confusion matrices with one error made."""
    wires, change = shift
    return {**factors, wires: factors[wires] + change}


def common_errors(corrected: FloatArray, factors: Factors, shifts: list[Shift]) -> FloatArray:
    """What each error of the calibration changes in corrected rows, to first order.

    ``d(A^-1 f) = -A^-1 dA A^-1 f``, of which only the wires of the error remain.

    Args:
        corrected: ``(B, 2**m)``.
        factors: inverted to correct.
        shifts: their C errors.

    Returns:
        ``(C, B, 2**m)``.
    """
    out = np.empty((len(shifts), *corrected.shape))
    for column, (wires, change) in zip(out, shifts, strict=True):
        column[:] = -applied(corrected.T, wires, solved(factors[wires], change)).T
    return out


def solved(matrix: FloatArray, change: FloatArray) -> FloatArray:
    """``matrix^-1 change``."""
    return np.asarray(np.linalg.solve(matrix, change), dtype=np.float64)


def applied(table: FloatArray, wires: tuple[int, ...], matrix: FloatArray) -> FloatArray:
    """A matrix on some wires of columns ``(2**m, N)``, wire 0 most significant."""
    m, k = len(table).bit_length() - 1, len(wires)
    moved = np.moveaxis(table.reshape((2,) * m + (-1,)), wires, range(k))
    done = (matrix @ moved.reshape(2**k, -1)).reshape(moved.shape)
    return np.ascontiguousarray(np.moveaxis(done, range(k), wires).reshape(table.shape))


def joint(factors: Factors) -> FloatArray:
    """Product of matrices on disjoint groups of wires, ``(2**m, 2**m)``, wire 0 most significant.

    Args:
        factors: by wires; together they are ``0 .. m-1``.
    """
    product: FloatArray = np.eye(2 ** sum(map(len, factors)))
    for wires, matrix in factors.items():
        product = applied(product, wires, matrix)
    return product


def undone(table: FloatArray, factors: Factors, *, squared: bool = False) -> FloatArray:
    """Rows ``(B, 2**m)`` times the inverse of the product, factor by factor.

    Args:
        table: a row each.
        factors: by wires; together they are ``0 .. m-1``.
        squared: by the squares of the inverse's elements, which are a product too.
    """
    columns = np.ascontiguousarray(table.T)
    for wires, matrix in factors.items():
        single = np.asarray(np.linalg.inv(matrix), np.float64)
        columns = applied(columns, wires, single**2 if squared else single)
    return np.asarray(columns.T)


def inverse_reach(factors: Factors) -> float:
    """Largest minus smallest element of the product's inverse, in any row at most."""
    high, low = 1.0, 1.0
    for matrix in factors.values():
        single = np.linalg.inv(matrix)
        ends = [a * float(b) for a in (high, low) for b in (single.max(), single.min())]
        high, low = max(ends), min(ends)
    return high - low


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
