r"""States, effects and channels as real arrays in the Pauli basis.

Everything is expanded in the orthonormal basis ``P / sqrt(2**k)`` of Pauli strings: a density
matrix or an effect of ``k`` qubits becomes ``4**k`` real numbers, a channel a real matrix
``R[i, j] = tr(P_i S(P_j))``, its adjoint the transpose. Half the memory and a quarter of the work
of complex density matrices. The digit of the first qubit is the most significant one (I, X, Y, Z
= 0, 1, 2, 3).

Source: Greenbaum, "Introduction to quantum gate set tomography", arXiv:1509.02921, section 2.
"""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_LETTERS = np.array(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]]
) / math.sqrt(2)

ZERO = np.array([1.0, 0.0, 0.0, 1.0]) / math.sqrt(2)
"""The state ``|0><0|``."""
UNSEEN = np.array([math.sqrt(2), 0.0, 0.0, 0.0])
"""The effect of not measuring a qubit: the identity."""


@cache
def _basis(k: int) -> ComplexArray:
    """``(4**k, 4**k)``: column-stacked strings as columns, first qubit least significant bit."""
    columns = []
    for letters in itertools.product(range(4), repeat=k):
        matrix = np.ones((1, 1), dtype=complex)
        for letter in letters:
            matrix = np.kron(_LETTERS[letter], matrix)
        columns.append(matrix.flatten(order="F"))
    return np.stack(columns, axis=1)


def of_superoperator(superoperator: ComplexArray) -> FloatArray:
    """``(4**k, 4**k)`` in this basis, from one on column-stacked density matrices.

    Args:
        superoperator: ``(4**k, 4**k)``, first qubit least significant, as in
            :mod:`calibration.noise` and ``qiskit.quantum_info.SuperOp``.
    """
    basis = _basis(round(math.log(len(superoperator), 4)))
    return np.asarray((basis.conj().T @ superoperator @ basis).real, dtype=np.float64)


def of_unitary(matrix: ComplexArray) -> FloatArray:
    """``(4**k, 4**k)`` of a gate matrix ``(2**k, 2**k)``, first qubit least significant."""
    return of_superoperator(np.asarray(np.kron(matrix.conj(), matrix), dtype=np.complex128))


def readout_effects(confusion: FloatArray) -> FloatArray:
    """``(2, 4)`` effects of reading 0 and 1 with a confusion matrix ``[read, true]``."""
    effects = np.zeros((2, 4))
    effects[:, 0] = (confusion[:, 0] + confusion[:, 1]) / math.sqrt(2)
    effects[:, 3] = (confusion[:, 0] - confusion[:, 1]) / math.sqrt(2)
    return effects
