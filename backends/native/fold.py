"""Two-qubit angles of a compiled template, brought into the range the hardware takes."""

from __future__ import annotations

import math

from qiskit import QuantumCircuit
from qiskit.circuit.library import RZZGate

from backends.native.entanglers import fold_rzz
from calibration.snapshot import DeviceSnapshot


def fold_rzz_angles(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> QuantumCircuit:
    """The same circuit, up to global phase, with every fixed ``rzz`` within the snapshot's limit.

    A free ``rzz`` angle stays: only its value says how to fold it, so submission checks it.

    Args:
        circuit: native circuit.
        snapshot: gives the limit; a device without one gets its circuit back as it is.
    """
    limit = snapshot.limit("rzz")
    if limit is None or not circuit.get_instructions("rzz"):
        return circuit
    folded = circuit.copy_empty_like()
    for item in circuit.data:
        if item.operation.name != "rzz" or item.operation.is_parameterized():
            folded.append(item)
            continue
        fold = fold_rzz(float(item.operation.params[0]), limit)
        if fold.x_around:
            folded.x(item.qubits[0])
        folded.append(RZZGate(fold.angle), item.qubits)
        if fold.x_around:
            folded.x(item.qubits[0])
        if fold.z_both:
            for qubit in item.qubits:
                folded.rz(math.pi, qubit)
    return folded
