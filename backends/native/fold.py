"""Two-qubit angles of a compiled template, brought into the range the hardware takes."""

from __future__ import annotations

import math

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression
from qiskit.circuit.library import RZZGate

from backends.base import BackendError
from backends.native.entanglers import fold_rzz
from calibration.snapshot import DeviceSnapshot


def fold_rzz_angles(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> QuantumCircuit:
    """The same circuit, up to global phase, with every ``rzz`` within the snapshot's limit.

    Args:
        circuit: native circuit; its one-qubit angles may be free, those of ``rzz`` may not.
        snapshot: gives the limit; a device without one gets its circuit back as it is.

    Raises:
        BackendError: an ``rzz`` has a free angle, so nobody knows how to fold it.
    """
    limit = snapshot.limit("rzz")
    if limit is None or not circuit.get_instructions("rzz"):
        return circuit
    folded = circuit.copy_empty_like()
    for item in circuit.data:
        if item.operation.name != "rzz":
            folded.append(item)
            continue
        angle = item.operation.params[0]
        if isinstance(angle, ParameterExpression) and angle.parameters:
            raise BackendError(
                f"Argument `circuit` must have fixed two-qubit angles for the fractional gates of "
                f"{snapshot.name}, but one is {angle}; bind it, or compile without them."
            )
        fold = fold_rzz(float(angle), limit)
        if fold.x_around:
            folded.x(item.qubits[0])
        folded.append(RZZGate(fold.angle), item.qubits)
        if fold.x_around:
            folded.x(item.qubits[0])
        if fold.z_both:
            for qubit in item.qubits:
                folded.rz(math.pi, qubit)
    return folded
