"""A small native circuit, and executors that give its exact noisy values to mitiq and to us."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit.library import RZZGate
from qiskit.quantum_info import DensityMatrix, SuperOp

from backends.base import CompiledTemplate
from qhw.mitigation.program import Mitigated, Program

WIRES = 3
LIMIT = 10**12
"""Counts that stand for infinitely many shots."""
SIGN = np.array([1 - 2 * ((i >> 2 ^ i) & 1) for i in range(8)], dtype=np.float64)
"""Parity of the first and the last wire, wire 0 most significant."""


def native_circuit() -> QuantumCircuit:
    """Wire w is qubit w; rz, sx and cz only, no symmetry."""
    circuit = QuantumCircuit(WIRES, WIRES)
    for layer in range(3):
        for wire in range(WIRES):
            circuit.rz(0.3 + 0.5 * wire - 0.2 * layer, wire)
            circuit.sx(wire)
            circuit.rz(1.1 * wire - 0.7 + 0.4 * layer, wire)
        circuit.cz(0, 1)
        circuit.cz(1, 2)
        for wire in range(WIRES):
            circuit.sx(wire)
    return circuit


def measured(circuit: QuantumCircuit) -> CompiledTemplate:
    """As a template of an ideal device: nothing is compiled again."""
    whole = circuit.copy()
    whole.measure(range(WIRES), range(WIRES - 1, -1, -1))
    gates = whole.num_nonlocal_gates()
    return CompiledTemplate(whole, (), WIRES, tuple(range(WIRES)), gates, gates, 9, 0.0, 0, None)


def probabilities(
    circuit: QuantumCircuit, depolarising: float = 0.0, zz_rad: float = 0.0
) -> NDArray[np.float64]:
    """Outcomes ``(8,)``, wire 0 most significant; noise follows every cz and nothing else."""
    d = 16
    mixed = np.zeros((d, d))
    mixed[np.ix_([0, 5, 10, 15], [0, 5, 10, 15])] = 0.25
    turn = SuperOp(RZZGate(zz_rad))
    noise = turn.compose(SuperOp((1 - depolarising) * np.eye(d) + depolarising * mixed))
    state = DensityMatrix.from_label("0" * WIRES)
    for item in circuit.data:
        if item.operation.name in ("measure", "barrier"):
            continue
        qubits = [circuit.find_bit(q).index for q in item.qubits]
        state = state.evolve(item.operation, qargs=qubits)
        if len(qubits) == 2:
            state = state.evolve(noise, qargs=qubits)
    return np.asarray(state.probabilities(list(range(WIRES - 1, -1, -1))), dtype=np.float64)


def combined(program: Program, read: Callable[[QuantumCircuit], NDArray[np.float64]]) -> Mitigated:
    """A program's result from exact distributions of its circuits."""
    counts = {
        batch.label: np.rint(read(batch.compiled.circuit)[None] * LIMIT).astype(np.int64)
        for batch in program.batches
    }
    return program.combine(counts)
