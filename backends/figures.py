"""What a compiled circuit amounts to: its size, and the errors its device reports for its gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction

from backends.base import CompiledTemplate
from backends.delays import without_delays
from backends.native.entanglers import canonical_of
from backends.native.simulable import simulable
from calibration.reading import placed
from calibration.snapshot import DeviceSnapshot


class Size(TypedDict):
    """Fields of a :class:`CompiledTemplate` that follow from its gates alone."""

    two_qubit_gates: int
    two_qubit_depth: int
    depth: int


def size_of(circuit: QuantumCircuit) -> Size:
    """Numbers and depths of a circuit's gates; neither waits nor delays count."""
    gates = without_delays(circuit)
    return Size(
        two_qubit_gates=gates.num_nonlocal_gates(),
        two_qubit_depth=gates.depth(_entangles),
        depth=gates.depth(),
    )


def _entangles(item: CircuitInstruction) -> bool:
    return len(item.qubits) == 2 and item.operation.name != "barrier"


def sum_of_errors(
    circuit: QuantumCircuit, snapshot: DeviceSnapshot, qubits: Sequence[int]
) -> float:
    """Sum of the reported errors of a circuit's two-qubit gates, "n2 e2".

    Args:
        circuit: native gates, those that must be asked for among them, or canonical ones, for
            which the native gate that they become counts.
        snapshot: the device, or how simulators see it.
        qubits: device qubit of each circuit qubit.
    """
    return sum(
        gate_error(name, [qubits[p] for p in places], snapshot) or 0.0
        for _, name, places in placed(circuit)
        if len(places) == 2 and name != "barrier"
    )


def gate_error(name: str, on: Sequence[int], snapshot: DeviceSnapshot) -> float | None:
    """Reported error of a native gate, or of the one behind a canonical gate; ``None`` if not."""
    gate = snapshot.gate(name, on)
    if gate is None and len(on) == 2:
        behind = snapshot.two_qubit_gate(on[0], on[1])
        gate = behind if behind and canonical_of(behind.name) == name else None
    return None if gate is None else gate.error


def expected_errors(compiled: CompiledTemplate) -> float | None:
    """:func:`sum_of_errors` of a template; ``None`` on an ideal device."""
    if compiled.snapshot is None:
        return None
    device = simulable(compiled.snapshot)
    return sum_of_errors(compiled.circuit, device, compiled.physical_qubits)
