"""Readout mitigation of wide counts, on the outcomes that were seen.

The confusion matrix of independent wires is restricted to the outcomes observed in a row, its
columns made to sum to 1 again: the method of M3 (:mod:`qhw.mitigation.m3`), without a vector of
``2**m`` anywhere. Outcomes never seen stay 0, which is the method's bias.

Source: Nation, Kang, Sundaresan and Gambetta, PRX Quantum 2, 040326 (2021).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from scipy.sparse.linalg import LinearOperator, gmres

from backends.outcomes import Outcomes
from qhw.mitigation.base import PSEUDO_COUNTS, Estimate, MitigationError

FloatArray = NDArray[np.float64]

DIRECT = 2048
"""Outcomes up to which the system is inverted, and error bars are exact: 34 MB."""
_SMALLEST = 1e-7
"""Elements of the confusion matrix below this share of the diagonal are left out beyond that."""
_MOST_ELEMENTS = 2 * 10**7
_BLOCK = 256
_TOLERANCE = 1e-8


def subspace_estimate(measured: Estimate, singles: FloatArray, outcomes: Outcomes) -> Estimate:
    """Quasi-distributions on the outcomes seen in each row.

    Args:
        measured: plain frequencies ``(B, K)`` with their shots.
        singles: ``(m, 2, 2)`` confusion matrices, element ``[wire, read, prepared]``, first wire
            most significant.
        outcomes: of the K columns.

    Returns:
        Values that sum to 1; up to :data:`DIRECT` outcomes a row with the variance that the inverse
        makes of the multinomial's, beyond that to first order (its diagonal).

    Raises:
        MitigationError: the system is too dense or cannot be solved.
    """
    values, variance = np.zeros_like(measured.values), np.zeros_like(measured.values)
    bits, n = outcomes.bits().astype(np.float64), max(measured.shots, 1)
    exact = True
    for row, frequencies in enumerate(measured.values):
        seen = np.flatnonzero(frequencies)
        f = frequencies[seen]
        if len(seen) <= DIRECT:
            inverse = np.linalg.inv(_normalised(confusion_block(singles, bits[seen], bits[seen])))
            values[row, seen] = inverse @ f
            spread = np.maximum(inverse**2 @ f - (inverse @ f) ** 2, 0.0)
            reach = np.ptp(inverse, axis=1)
        else:
            exact = False
            matrix, diagonal = _sparse(singles, bits[seen])
            values[row, seen] = _solved(matrix, diagonal, f)
            spread, reach = f * (1 - f) / diagonal**2, 1 / diagonal
        variance[row, seen] = spread / n + PSEUDO_COUNTS * (reach / n) ** 2
    words = "inverted on the outcomes seen" + ("" if exact else ", error bars to first order")
    return Estimate(values, variance, 0, {**measured.record, "readout": {"method": words}})


def confusion_block(singles: FloatArray, read: FloatArray, prepared: FloatArray) -> FloatArray:
    """Elements ``(R, P)`` of the product of confusion matrices.

    Args:
        singles: ``(m, 2, 2)``.
        read: bits ``(R, m)``.
        prepared: bits ``(P, m)``.
    """
    logs = np.log(np.maximum(singles, 1e-300))
    of_read = logs[:, 1, 0] - logs[:, 0, 0]
    of_prepared = logs[:, 0, 1] - logs[:, 0, 0]
    of_both = logs[:, 1, 1] - logs[:, 1, 0] - of_prepared
    total = (read * of_both) @ prepared.T
    total += (read @ of_read)[:, None] + prepared @ of_prepared + logs[:, 0, 0].sum()
    return np.asarray(np.exp(total), dtype=np.float64)


def _normalised(matrix: FloatArray) -> FloatArray:
    return np.asarray(matrix / matrix.sum(axis=0), dtype=np.float64)


def _sparse(singles: FloatArray, bits: FloatArray) -> tuple[csr_array, FloatArray]:
    """The normalised matrix without its smallest elements, and its diagonal."""
    blocks, elements, diagonal = [], 0, np.empty(len(bits))
    for start in range(0, len(bits), _BLOCK):
        block = confusion_block(singles, bits[start : start + _BLOCK], bits)
        rows = np.arange(len(block))
        diagonal[start : start + _BLOCK] = block[rows, start + rows]
        block[block < _SMALLEST * block[rows, start + rows][:, None]] = 0.0
        blocks.append(csr_array(block))
        elements += blocks[-1].nnz
        if elements > _MOST_ELEMENTS:
            raise MitigationError(
                f"readout must have outcomes seen that are not all misread as each other, but the "
                f"{len(bits)} here give more than {_MOST_ELEMENTS:,} elements: fewer shots"
            )
    matrix = vstack(blocks, format="csr")
    sums = np.asarray(matrix.sum(axis=0)).ravel()
    return csr_array(matrix.multiply(1.0 / sums[None, :])), diagonal / sums


def _solved(matrix: csr_array, diagonal: FloatArray, f: FloatArray) -> FloatArray:
    size = len(f)
    undo = LinearOperator((size, size), matvec=lambda x: x.ravel() / diagonal)
    found, failed = gmres(matrix, f, x0=f, rtol=_TOLERANCE, M=undo, restart=30, maxiter=20)
    if failed:
        raise MitigationError(
            f"readout must have a confusion matrix that can be inverted on the {size} outcomes "
            "seen, but the solver did not converge: a circuit with fewer bits, or better readout"
        )
    return np.asarray(found, dtype=np.float64)
