"""Which method gives the exact distribution of a bound circuit, if any does.

Clifford circuits go by stabilizers at any width. Others up to :data:`MAX_STATEVECTOR` qubits go by
statevector, wider ones as a matrix product state while that loses next to nothing. The choice
depends on the circuit alone, so that the same circuit gives the same numbers on every machine.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.base import CompiledTemplate
from backends.binding import bind_rows
from backends.checks import measured_qubits
from backends.outcomes import DENSE_BITS, Outcomes
from backends.reference.base import ExactReference, ReferenceFacts
from backends.reference.clifford import clifford_steps
from backends.reference.mps import TooEntangledError, mps_reference
from backends.reference.stabilizer import stabilizer_reference
from backends.statevector import measured_probabilities

FloatArray = NDArray[np.float64]

MAX_STATEVECTOR = 24
"""A statevector of 24 qubits takes 268 MB, and some copies of it."""
_COPIES = 4
_AMPLITUDE_WORK = 20.0
"""What a gate costs for each amplitude, in multiplications."""


@dataclass(frozen=True, eq=False)
class DenseReference:
    """A distribution that is written down.

    Attributes:
        vector: ``(2**m,)``, amplitude index of the measured wires.
        qubits: of the circuit.
    """

    vector: FloatArray
    qubits: int

    @property
    def facts(self) -> ReferenceFacts:
        """How it is known."""
        return ReferenceFacts("statevector", f"{self.qubits} qubits, {_megabytes(self.qubits)}")

    def probabilities(self, outcomes: Outcomes) -> FloatArray:
        """Of each outcome ``(K,)``."""
        return np.asarray(self.vector[outcomes.integers()], dtype=np.float64)

    def sample(self, shots: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Noiseless shots ``(shots, m)``, first measured wire first."""
        ends = np.cumsum(self.vector)
        found = np.searchsorted(ends, rng.random(shots) * ends[-1], side="right")
        m = len(self.vector).bit_length() - 1
        return np.asarray(found[:, None] >> np.arange(m)[::-1] & 1, dtype=np.uint8)

    def correlations(self) -> FloatArray:
        """``(m, m)``: ``<Z_i Z_j>`` of the measured wires, ``<Z_i>`` on the diagonal."""
        m = len(self.vector).bit_length() - 1
        cube, out = self.vector.reshape((2,) * m), np.empty((m, m))
        for i in range(m):
            for j in range(i, m):
                others = tuple(k for k in range(m) if k not in (i, j))
                pair = cube.sum(axis=others)
                signs = np.array([1.0, -1.0])
                value = pair @ signs if i == j else signs @ pair @ signs
                out[i, j] = out[j, i] = value
        return out


def exact_references(
    compiled: CompiledTemplate, angles: FloatArray, *, most_work: float = math.inf
) -> tuple[ExactReference, ...] | ReferenceFacts:
    """The exact distributions of rows of angles, or why there are none.

    Args:
        compiled: from :class:`backends.exact.ExactBackend`.
        angles: ``(B, P)`` radians, columns ``compiled.parameter_names``.
        most_work: complex multiplications, about, that each row's method may take, of Clifford
            circuits aside; 4e9 of them take a second.
    """
    found: list[ExactReference] = []
    for row, bound in enumerate(bind_rows(compiled, angles)):
        try:
            found.append(_reference(compiled, bound, angles[row : row + 1], most_work))
        except TooEntangledError as error:
            many = f"{bound.num_qubits} qubits are too many for a statevector (up to "
            many += f"{MAX_STATEVECTOR}, {_megabytes(MAX_STATEVECTOR)})"
            if bound.num_qubits <= MAX_STATEVECTOR:
                many = f"a statevector of {bound.num_qubits} qubits takes too long or too much"
            return ReferenceFacts(
                "none", f"{many}, the circuit has gates that are not Clifford, and {error}"
            )
    return tuple(found)


def _reference(
    compiled: CompiledTemplate, bound: QuantumCircuit, angles: FloatArray, most_work: float
) -> ExactReference:
    measured = measured_qubits(bound)
    steps = clifford_steps(bound)
    if steps is not None:
        return stabilizer_reference(steps, bound.num_qubits, measured)
    quick = _AMPLITUDE_WORK * 2.0**bound.num_qubits * bound.size() <= most_work
    if quick and bound.num_qubits <= MAX_STATEVECTOR and _fits(bound.num_qubits):
        return DenseReference(measured_probabilities(compiled, angles)[0], bound.num_qubits)
    return mps_reference(bound, measured, most_work=most_work)


def dense(references: tuple[ExactReference, ...], n_bits: int) -> FloatArray:
    """``(B, 2**m)`` exact distributions; for at most :data:`DENSE_BITS` bits."""
    if n_bits > DENSE_BITS:
        raise ValueError(f"Argument `n_bits` must be at most {DENSE_BITS}, but is {n_bits}")
    everything = Outcomes.all_of(n_bits)
    return np.stack([reference.probabilities(everything) for reference in references])


def _fits(qubits: int) -> bool:
    """Whether the machine has room for it, as far as it says."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # not every system says
        return True
    return bool(_COPIES * 16 * 2**qubits < free)


def _megabytes(qubits: int) -> str:
    return f"{16 * 2**qubits / 1e6:,.0f} MB"
