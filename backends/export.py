"""Compiled templates as files: QPY (exact, Qiskit) and OpenQASM 3 (readable anywhere)."""

from __future__ import annotations

import io

from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import Delay, Duration
from qiskit.circuit.classical import expr

from backends.base import CompiledTemplate


def to_qpy_bytes(*compiled: CompiledTemplate) -> bytes:
    """The compiled circuits, parameters free, in Qiskit's QPY format.

    Waits are written as duration expressions: Qiskit 2.6 loses the unit of a plain delay in QPY
    and reads seconds back as clock periods.
    """
    buffer = io.BytesIO()
    qpy.dump([_with_written_waits(one.circuit) for one in compiled], buffer)
    return buffer.getvalue()


def _with_written_waits(plain: QuantumCircuit) -> QuantumCircuit:
    circuit = plain.copy()
    for place, step in enumerate(circuit.data):
        if step.operation.name == "delay" and step.operation.unit == "s":
            wait = Delay(expr.lift(Duration.s(step.operation.duration)))
            circuit.data[place] = step.replace(operation=wait)
    return circuit


def from_qpy_bytes(data: bytes) -> QuantumCircuit:
    """The first circuit of :func:`to_qpy_bytes`, its waits plain delays in seconds again."""
    return all_from_qpy_bytes(data)[0]


def all_from_qpy_bytes(data: bytes) -> list[QuantumCircuit]:
    """Every circuit of :func:`to_qpy_bytes`, waits plain delays in seconds again."""
    circuits: list[QuantumCircuit] = qpy.load(io.BytesIO(data))
    for circuit in circuits:
        for place, step in enumerate(circuit.data):
            if step.operation.name == "delay" and step.operation.unit == "expr":
                wait = step.operation.params[0].value
                circuit.data[place] = step.replace(operation=Delay(wait.value(), wait.unit()))
    return circuits


def to_openqasm3(compiled: CompiledTemplate) -> str:
    """OpenQASM 3 text: free angles are ``input`` parameters, waits are ``delay`` statements.

    Qiskit writes parameter ``d[3]`` as the identifier ``_d_3_``, OpenQASM having no brackets in
    names.
    """
    text: str = qasm3.dumps(compiled.circuit)
    return text
