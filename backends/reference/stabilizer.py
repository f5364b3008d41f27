"""Clifford circuits of any width: measured outcomes are the solutions of parity equations.

A stabilizer state's measured bits are uniform over an affine space ``A x = b``: a row for every
independent stabilizer that is a product of Z on measured wires.

Source: Aaronson and Gottesman, Phys. Rev. A 70, 052328 (2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import PauliList

from backends.outcomes import Outcomes
from backends.reference.base import ReferenceFacts
from backends.reference.clifford import Step, through

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class StabilizerReference:
    """The outcome distribution of a Clifford circuit; made by :func:`stabilizer_reference`.

    Attributes:
        parities: ``(r, m)`` rows of A over measured wires, reduced: each has a pivot of its own.
        pivots: ``(r,)`` column of each row's pivot.
        values: ``(r,)`` bits b.
    """

    parities: BoolArray
    pivots: NDArray[np.int64]
    values: BoolArray

    @property
    def facts(self) -> ReferenceFacts:
        """How it is known."""
        r, m = self.parities.shape
        return ReferenceFacts(
            "stabilizer", f"Clifford circuit: {m} bits, uniform over 2**{m - r} outcomes"
        )

    def probabilities(self, outcomes: Outcomes) -> FloatArray:
        """Of each outcome ``(K,)``."""
        r, m = self.parities.shape
        # float32 sums of up to 2**24 ones are exact, and go through BLAS
        sums = outcomes.bits().astype(np.float32) @ self.parities.T.astype(np.float32)
        possible = ((sums % 2 == 1) == self.values).all(axis=1)
        return np.asarray(np.where(possible, 0.5 ** (m - r), 0.0), dtype=np.float64)

    def sample(self, shots: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Noiseless shots ``(shots, m)``, first measured wire first."""
        m = self.parities.shape[1]
        bits = rng.integers(0, 2, size=(shots, m), dtype=np.uint8)
        free = np.setdiff1d(np.arange(m), self.pivots)
        sums = bits[:, free].astype(np.float32) @ self.parities[:, free].T.astype(np.float32)
        bits[:, self.pivots] = (sums % 2 == 1) ^ self.values
        return bits

    def correlations(self) -> FloatArray:
        """``(m, m)``: ``<Z_i Z_j>`` of the measured wires, ``<Z_i>`` on the diagonal."""
        # a parity of one or two wires is known if and only if it is a sum of rows
        columns, signs = self._columns
        m = len(columns)
        out = np.zeros((m, m))
        _, kind = np.unique(columns, axis=0, return_inverse=True)
        kind = kind.ravel()
        same = kind[:, None] == kind[None, :]
        out[same] = (1.0 - 2.0 * (signs[:, None] ^ signs[None, :]))[same]
        fixed = ~columns.any(axis=1)
        np.fill_diagonal(out, np.where(fixed, 1.0 - 2.0 * signs, 0.0))
        return out

    @cached_property
    def _columns(self) -> tuple[BoolArray, BoolArray]:
        """Each wire as a sum of free ones ``(m, m - r)`` and a constant."""
        r, m = self.parities.shape
        free = np.setdiff1d(np.arange(m), self.pivots)
        columns, signs = np.zeros((m, m - r), dtype=bool), np.zeros(m, dtype=bool)
        columns[free, np.arange(m - r)] = True
        columns[self.pivots], signs[self.pivots] = self.parities[:, free], self.values
        return columns, signs


def stabilizer_reference(
    steps: Sequence[Step], n_qubits: int, measured: Sequence[int]
) -> StabilizerReference:
    """The outcome distribution of a Clifford circuit.

    Args:
        steps: its gates.
        n_qubits: of the circuit.
        measured: qubit of each measured wire, first most significant.
    """
    bits = np.hstack([np.zeros((n_qubits, n_qubits), dtype=bool), np.eye(n_qubits, dtype=bool)])
    signs = np.zeros(n_qubits, dtype=bool)
    for step in steps:
        for table, qubits in step.gates:
            signs ^= through(table, bits, qubits)
    rows = PauliList.from_symplectic(bits[:, n_qubits:], bits[:, :n_qubits], 2 * signs)
    others = [q for q in range(n_qubits) if q not in set(measured)]
    for qubit in range(n_qubits):
        rows = _without(rows, rows.x[:, qubit])
    for qubit in others:
        rows = _without(rows, rows.z[:, qubit])
    pivots: list[int] = []
    for column, qubit in enumerate(measured):
        found = np.flatnonzero(rows.z[len(pivots) :, qubit])
        if len(found):
            row, place = len(pivots), len(pivots) + int(found[0])
            order = np.arange(len(rows))
            order[[row, place]] = order[[place, row]]
            rows = rows[order]
            rest = rows.z[:, qubit] & (np.arange(len(rows)) != row)
            rows = _times(rows, rest, row)
            pivots.append(column)
    return StabilizerReference(
        rows.z[:, list(measured)], np.array(pivots, dtype=np.int64), rows.phase == 2
    )


def _without(rows: PauliList, there: BoolArray) -> PauliList:
    """Generators of what does not have a letter: one that has it is spent on all others."""
    found = np.flatnonzero(there)
    if not len(found):
        return rows
    rest = there.copy()
    rest[found[0]] = False
    return _times(rows, rest, int(found[0])).delete(int(found[0]))


def _times(rows: PauliList, chosen: BoolArray, factor: int) -> PauliList:
    if chosen.any():
        rows[chosen] = rows[chosen].dot(rows[factor])
    return rows
