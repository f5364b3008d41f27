"""Circuits instruction by instruction, as cheaply as Qiskit lets them be read and written.

An instruction of a circuit's data knows its name and numbers without its operation being made in
Python, which takes longer than everything else that is asked of it.
"""

from __future__ import annotations

from typing import TypeAlias

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Qubit

Placed: TypeAlias = tuple[CircuitInstruction, str, tuple[int, ...]]
"""An instruction, its name, and the place of each of its qubits in the circuit."""


def placed(circuit: QuantumCircuit) -> list[Placed]:
    """Every instruction in order."""
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    places: dict[tuple[Qubit, ...], tuple[int, ...]] = {}
    found = []
    for item in circuit.data:
        qubits = item.qubits
        here = places.get(qubits)
        if here is None:
            here = places[qubits] = tuple(index[q] for q in qubits)
        found.append((item, item.name, here))
    return found
