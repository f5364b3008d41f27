"""Clifford gates as tables of what they make of Paulis: tableaus and errors go through alike.

Compilers leave rotations in Clifford circuits that undo each other further on, such as ``rz(a) cz
rz(-a)``: no gate of it is Clifford alone. So what a rotation's angle is beyond a multiple of pi/2
is carried along as a rotation about a Pauli that the gates after it change, until it meets its
like. Rotations about Z that are left before a measurement change nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction
from qiskit.circuit.library import RXGate, RZGate
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Clifford, Pauli, PauliList

from backends.checks import SILENT

BoolArray = NDArray[np.bool_]

_AXES = {"rz": "Z", "rx": "X", "ry": "Y", "p": "Z", "u1": "Z", "rzz": "ZZ", "rxx": "XX"}
"""Rotations, and the Pauli on their qubits that they are about."""
_ROUNDING = 1e-8
_MOST_CARRIED = 64
"""Rotations carried along at once, beyond which a circuit is not taken for Clifford."""


@dataclass(frozen=True, eq=False)
class PauliMap:
    """What a gate on k qubits makes of each of the ``4**k`` Paulis.

    The number of a Pauli has bit ``q`` for X on qubit ``q`` and bit ``k + q`` for Z.

    Attributes:
        images: ``(4**k, 2k)`` bits of the image, X of each qubit, then Z.
        signs: ``(4**k,)`` whether the image is negative.
    """

    images: BoolArray
    signs: BoolArray


@dataclass(frozen=True, eq=False)
class Step:
    """An instruction of a Clifford circuit, ``delay`` among them.

    Attributes:
        gates: Clifford gates and their qubits, in order; none for what does nothing without noise.
    """

    gates: tuple[tuple[PauliMap, tuple[int, ...]], ...]


def clifford_steps(circuit: QuantumCircuit) -> tuple[Step, ...] | None:
    """The instructions of a bound circuit but barriers and measurements, in order.

    Angles that are multiples of pi/2 to about 1e-8 make Clifford gates.

    Returns:
        ``None`` where the circuit is no Clifford circuit, or cannot be seen to be one.
    """
    steps, index = [], {qubit: i for i, qubit in enumerate(circuit.qubits)}
    carried = _Rotations(circuit.num_qubits)
    for item in circuit.data:
        if item.operation.name in ("measure", "barrier"):
            continue
        qubits = tuple(index[q] for q in item.qubits)
        gates = []
        for gate, axis, angle in _pieces(item.operation):
            table = _table(gate)
            if table is None:
                return None
            gates.append((table, qubits))
            carried.conjugate(table, qubits)
            place = carried.add(axis, qubits, angle) if angle else None
            if place is not None:
                joined = carried.joined(place)
                if joined is None:
                    return None
                gates += joined
        steps.append(Step(tuple(gates)))
    return tuple(steps) if carried.invisible() else None


def _pieces(gate: Instruction) -> list[tuple[Instruction, str, float]]:
    """Clifford gates, each with the rest of its rotation: axis and angle."""
    if gate.name in SILENT:
        return []
    if gate.name == "r":
        theta, phi = map(float, gate.params)
        return [*_pieces(RZGate(-phi)), *_pieces(RXGate(theta)), *_pieces(RZGate(phi))]
    if gate.name not in _AXES:
        return [(gate, "", 0.0)]
    angle = float(gate.params[0])
    whole = round(angle / (math.pi / 2)) * (math.pi / 2)
    rest = angle - whole
    nearest = type(gate)(whole)
    return [(nearest, _AXES[gate.name], rest if abs(rest) > _ROUNDING else 0.0)]


class _Rotations:
    """Rotations about Paulis at the front of a circuit, first one first."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._bits: BoolArray = np.zeros((0, 2 * n), dtype=bool)
        self._angles: NDArray[np.float64] = np.zeros(0)

    def conjugate(self, table: PauliMap, qubits: tuple[int, ...]) -> None:
        """Take all of them through a gate."""
        if len(self._angles):
            signs = through(table, self._bits, qubits)
            self._angles = np.where(signs, -self._angles, self._angles)

    def add(self, axis: str, qubits: tuple[int, ...], angle: float) -> int:
        """One more, joined with its like if it commutes to it; its place."""
        new = np.zeros(2 * self._n, dtype=bool)
        for letter, qubit in zip(axis, qubits, strict=True):
            new[qubit], new[self._n + qubit] = letter in "XY", letter in "YZ"
        for place in reversed(range(len(self._angles))):
            if (self._bits[place] == new).all():
                self._angles[place] += angle
                return place
            if not _commute(self._bits[place], new, self._n):
                break
        self._bits = np.vstack([self._bits, new])
        self._angles = np.append(self._angles, angle)
        return len(self._angles) - 1

    def joined(self, place: int) -> list[tuple[PauliMap, tuple[int, ...]]] | None:
        """Clifford gates that a rotation became, taken before all others that are carried.

        Returns:
            ``None`` where too many are carried, or the gate is on more than two qubits.
        """
        quarters = self._angles[place] / (math.pi / 2)
        if abs(quarters - round(quarters)) > _ROUNDING:
            return [] if len(self._angles) <= _MOST_CARRIED else None
        turn, bits = round(quarters) % 4, self._bits[place].copy()
        later = self._bits[place + 1 :], self._angles[place + 1 :]
        self._bits, self._angles = self._bits[:place], self._angles[:place]
        gates = []
        if turn:
            support = np.flatnonzero(bits[: self._n] | bits[self._n :])
            if len(support) > 2:
                return None
            qubits = tuple(support.tolist())
            pauli = Pauli((bits[self._n + support], bits[support])).to_matrix()
            half = turn * math.pi / 4
            matrix = math.cos(half) * np.eye(len(pauli)) - 1j * math.sin(half) * pauli
            table = _table_of(np.ascontiguousarray(matrix, dtype=complex).tobytes(), len(qubits))
            assert table is not None  # a quarter turn about a Pauli
            self.conjugate(table, qubits)
            gates.append((table, qubits))
        self._bits = np.vstack([self._bits, later[0]])
        self._angles = np.append(self._angles, later[1])
        return gates

    def invisible(self) -> bool:
        """Whether a measurement of all qubits does not see what is left."""
        return not self._bits[:, : self._n].any()


def _commute(a: BoolArray, b: BoolArray, n: int) -> bool:
    return not ((a[:n] & b[n:]).sum() + (a[n:] & b[:n]).sum()) % 2


def through(table: PauliMap, bits: BoolArray, qubits: tuple[int, ...]) -> BoolArray:
    """Take Paulis through a gate, in place.

    Args:
        table: of the gate.
        bits: ``(N, 2n)``: X of each qubit, then Z.
        qubits: the gate's.

    Returns:
        ``(N,)`` whether the sign turned.
    """
    n = bits.shape[1] // 2
    columns = [*qubits, *(n + q for q in qubits)]
    numbers = bits[:, columns] @ (1 << np.arange(len(columns)))
    bits[:, columns] = table.images[numbers]
    return np.asarray(table.signs[numbers])


def _table(gate: Instruction) -> PauliMap | None:
    try:
        matrix = np.asarray(gate.to_matrix(), dtype=np.complex128)
    except (QiskitError, AttributeError):
        return None
    return _table_of(matrix.tobytes(), gate.num_qubits) if gate.num_qubits <= 2 else None


@lru_cache(maxsize=4096)
def _table_of(data: bytes, k: int) -> PauliMap | None:
    try:
        gate = Clifford.from_matrix(np.frombuffer(data, dtype=np.complex128).reshape(2**k, 2**k))
    except QiskitError:
        return None
    numbers = (np.arange(4**k)[:, None] >> np.arange(2 * k) & 1).astype(bool)
    images = PauliList.from_symplectic(numbers[:, k:], numbers[:, :k]).evolve(gate, frame="s")
    return PauliMap(np.hstack([images.x, images.z]), images.phase == 2)
