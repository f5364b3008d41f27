"""How many operations a circuit has once the definitions of its gates are written out."""

from __future__ import annotations

from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import AnnotatedOperation, ControlledGate, Gate, Instruction, PowerModifier

from qhw.circuits.qasm_scan import MAX_BITS, MAX_NESTING, MAX_OPERATIONS, MAX_QUBITS, TooLargeError


def check_written_out(circuit: QuantumCircuit) -> None:
    """Refuse a circuit that is small only as long as its definitions are folded.

    Gates of Qiskit's library count once: what they become is bounded by their qubits. So do gates
    that an OpenQASM 2 file defines, which were counted in its text.

    Raises:
        TooLargeError: too many qubits, bits or operations, or nested too deeply.
    """
    for found, most, what in (
        (circuit.num_qubits, MAX_QUBITS, "qubits"),
        (circuit.num_clbits, MAX_BITS, "classical bits"),
    ):
        if found > most:
            raise TooLargeError(f"must have at most {most} {what}, but has {found}")
    _count(circuit, {}, 1)


def _count(circuit: QuantumCircuit, known: dict[int, int], depth: int) -> int:
    if depth > MAX_NESTING:
        raise TooLargeError(f"must nest definitions at most {MAX_NESTING} deep, but nests deeper")
    if id(circuit) in known:
        return known[id(circuit)]
    total = 0
    for item in circuit.data:
        total += _operations(item.operation, known, depth)
        if total > MAX_OPERATIONS:
            raise TooLargeError(
                f"must have at most {MAX_OPERATIONS} operations when all is written out, but has "
                "more"
            )
    known[id(circuit)] = total
    return total


def _operations(operation: Any, known: dict[int, int], depth: int) -> int:
    if isinstance(operation, AnnotatedOperation):
        powers = (m.power for m in operation.modifiers if isinstance(m, PowerModifier))
        times = 1
        for power in powers:
            times *= max(1, min(abs(int(power)), MAX_OPERATIONS + 1))
        return times * _operations(operation.base_op, known, depth)
    blocks = getattr(operation, "blocks", ())
    if blocks:
        return max(1, sum(_count(block, known, depth + 1) for block in blocks))
    if type(operation) in (Gate, Instruction, ControlledGate):
        definition = operation.definition
        return 1 if definition is None else max(1, _count(definition, known, depth + 1))
    return 1
