"""A circuit as text, the same in every process: equal text, equal instructions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Operation, ParameterExpression


def fingerprint(circuit: QuantumCircuit) -> str:
    """SHA-256 of a circuit's instructions, definitions of unusual gates included."""
    return hashlib.sha256("\n".join(_lines(circuit)).encode()).hexdigest()


def is_standard(operation: Operation) -> bool:
    """Whether an operation is one of Qiskit's own gates, whose name and angles say all of it."""
    kind = getattr(operation, "base_class", type(operation))
    return str(kind.__module__).startswith("qiskit.circuit.library.standard_gates")


def bits_of(circuit: QuantumCircuit, place: int) -> list[int]:
    """Numbers of the qubits and then of the classical bits of an instruction."""
    item = circuit.data[place]
    return [circuit.find_bit(bit).index for bit in (*item.qubits, *item.clbits)]


def instruction_lines(circuit: QuantumCircuit, place: int) -> Iterator[str]:
    """One instruction as text."""
    operation = circuit.data[place].operation
    values = ",".join(map(_text, getattr(operation, "params", ())))
    unit = getattr(operation, "unit", "") if operation.name == "delay" else ""
    yield f"{operation.name}({values}){unit} {bits_of(circuit, place)}"
    if not is_standard(operation):
        definition = getattr(operation, "definition", None)
        if definition is not None:
            yield from (f"  {line}" for line in _lines(definition))


def _lines(circuit: QuantumCircuit) -> Iterator[str]:
    yield f"{circuit.num_qubits} {circuit.num_clbits} {_text(circuit.global_phase)}"
    for place in range(len(circuit.data)):
        yield from instruction_lines(circuit, place)


def _text(value: object) -> str:
    if isinstance(value, ParameterExpression) and value.parameters:
        return str(value)
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    if isinstance(value, QuantumCircuit):
        return ";".join(_lines(value))
    try:
        return repr(complex(value))  # type: ignore[call-overload]  # numbers of many types
    except (TypeError, ValueError):
        return str(value)
