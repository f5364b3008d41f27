"""Circuits that were compiled before, and are kept as they are: a mark in their files says where.

Whoever compiled them, what is simulated, priced and sent is then that very circuit, on those qubits
of that device. For any other device the mark says nothing, and they are compiled like any circuit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit.library import UGate, iSwapGate
from qiskit.synthesis import OneQubitEulerDecomposer

from backends.base import BackendError
from backends.native.gates import UNKNOWN_TO_AER
from backends.native.routing import Routed
from backends.native.writing import writes_rows
from calibration.reading import placed
from calibration.snapshot import DeviceSnapshot

KEY = "compiled_for"
"""Of a circuit's metadata."""
_WORD = re.compile(r"[\w.:@+-]{1,100}")
_EULER = OneQubitEulerDecomposer("U")
_NOT_GATES = ("measure", "barrier", "delay")


@dataclass(frozen=True)
class Place:
    """Where a compiled circuit stands.

    Attributes:
        device: name of its snapshot.
        qubits: device qubit of each circuit qubit.
        compiler: that made it.
    """

    device: str
    qubits: tuple[int, ...]
    compiler: str

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.qubits[:12])) + (", ..." if len(self.qubits) > 12 else "")
        return f"as {self.compiler} compiled it for {self.device}, on its qubits {shown}"


def marked(circuit: QuantumCircuit, place: Place) -> QuantumCircuit:
    """A copy that says where it stands, also from a QPY file."""
    found = circuit.copy()
    told = {"device": place.device, "qubits": list(place.qubits), "compiler": place.compiler}
    found.metadata = {**(circuit.metadata or {}), KEY: told}
    return found


def place_of(circuit: QuantumCircuit) -> Place | None:
    """Where a circuit says that it stands, ``None`` where it says nothing.

    Raises:
        BackendError: what it says is no such place.
    """
    told = (circuit.metadata or {}).get(KEY)
    if told is None:
        return None
    found = told if isinstance(told, dict) else {}
    parts: list[Any] = [found.get(name) for name in ("device", "qubits", "compiler")]
    device, qubits, compiler = parts
    words = all(isinstance(w, str) and _WORD.fullmatch(w) for w in (device, compiler))
    numbers = isinstance(qubits, list) and all(type(q) is int and q >= 0 for q in qubits)
    if not words or not numbers or len(set(qubits)) != len(qubits):
        raise BackendError(
            f"Argument `circuit` must name in its metadata {KEY!r} a device, different qubits of "
            "it and a compiler, but does not."
        )
    if len(qubits) != circuit.num_qubits:
        raise BackendError(
            f"Argument `circuit` must have the {len(qubits)} qubits that it was compiled with, "
            f"but has {circuit.num_qubits}."
        )
    return Place(device, tuple(qubits), compiler)


def place_on(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> tuple[int, ...] | None:
    """Device qubits that a circuit was compiled for, ``None`` if not for this device.

    Raises:
        BackendError: as :func:`place_of`; qubits that the device does not have, or not any more.
    """
    place = place_of(circuit)
    if place is None or place.device != snapshot.name:
        return None
    gone = [q for q in place.qubits if q >= snapshot.n_qubits or q in snapshot.dead_qubits]
    if gone:
        raise BackendError(
            f"Argument `circuit` must stand on usable qubits of {snapshot.name}, but qubit "
            f"{gone[0]} of its place is none; compile it again."
        )
    return place.qubits


def in_its_place(
    circuit: QuantumCircuit, snapshot: DeviceSnapshot, qubits: tuple[int, ...]
) -> Routed | None:
    """A circuit as it is, or ``None`` where a gate of it is not native there.

    On devices that are written row by row its one-qubit gates are kept as ``u``: pulses follow.
    """
    out = circuit.copy_empty_like()
    canonical = writes_rows(snapshot)
    for item, _, places in placed(circuit):
        operation = item.operation
        name = _name(operation)
        if not _native(name, snapshot, tuple(qubits[q] for q in places)):
            return None
        if canonical and len(places) == 1 and name not in _NOT_GATES:
            operation = _as_u(operation)
        elif name == "iswap":
            operation = iSwapGate()
        out.append(operation, item.qubits, item.clbits)
    own = tuple(range(circuit.num_qubits))
    return Routed(out, qubits, own, own, 0)


def _native(name: str, snapshot: DeviceSnapshot, places: tuple[int, ...]) -> bool:
    if name in _NOT_GATES:
        return True
    gate = snapshot.gate(name, places)
    if gate is None or not gate.usable:
        return False
    return name != "ecr" or gate.qubits == places  # of all native gates it alone has a direction


def _name(operation: Any) -> str:
    """Of a gate; of one that our files hold as a matrix the one that it is labelled with."""
    label = operation.label if operation.name == "unitary" else None
    return str(label if label in UNKNOWN_TO_AER else operation.name)


def _as_u(operation: Any) -> UGate:
    if operation.name == "u":
        return operation
    theta, phi, lam = _EULER.angles(operation.to_matrix())
    return UGate(theta, phi, lam)
