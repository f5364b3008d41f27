"""Clifford gates as tables of what they make of Paulis: tableaus and errors go through alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Clifford, PauliList

from backends.checks import SILENT

BoolArray = NDArray[np.bool_]

_WITH_Z = ("cz", "rzz", "cp", "measure", "barrier", *SILENT)
"""Instructions that rotations about z pass unchanged."""
_ROUNDING = 1e-12


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
    """A gate of a Clifford circuit.

    Attributes:
        name: of the instruction, ``delay`` among them.
        qubits: of the circuit.
        instruction: itself, bound.
        table: of the gate; ``None`` for what does nothing without noise.
    """

    name: str
    qubits: tuple[int, ...]
    instruction: Instruction
    table: PauliMap | None


def clifford_steps(circuit: QuantumCircuit) -> tuple[Step, ...] | None:
    """The gates of a bound circuit, or ``None`` where one is no Clifford gate.

    Angles that are multiples of pi/2 to about 1e-8 make Clifford gates.
    """
    steps, index = [], {qubit: i for i, qubit in enumerate(circuit.qubits)}
    for item in circuit.data:
        name = item.operation.name
        if name in ("measure", "barrier"):
            continue
        table = None if name in SILENT else _table(item.operation)
        if table is None and name not in SILENT:
            return None
        steps.append(Step(name, tuple(index[q] for q in item.qubits), item.operation, table))
    return tuple(steps)


def merged_z(circuit: QuantumCircuit) -> QuantumCircuit:
    """A bound circuit whose rotations about z are added up where they commute to.

    Compilers leave ``rz(a) cz rz(-a)`` in Clifford circuits: no gate of it is Clifford alone. Noise
    of twirled relaxation and depolarisation commutes with z rotations as well. What is left before
    a measurement changes nothing and is dropped.

    Args:
        circuit: bound.
    """
    out, pending = circuit.copy_empty_like(), [0.0] * circuit.num_qubits
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    for item in circuit.data:
        name, places = item.operation.name, [index[q] for q in item.qubits]
        if name == "rz":
            pending[places[0]] += float(item.operation.params[0])
            continue
        if name == "x":
            pending[places[0]] *= -1.0
        elif name not in _WITH_Z:
            for place in places:
                angle = math.remainder(pending[place], 4 * math.pi)
                if abs(angle) > _ROUNDING:
                    out.rz(angle, place)
                pending[place] = 0.0
        out.append(item)
    return out


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
