"""Circuits too wide for a statevector, and narrow ones of the same kinds."""

from __future__ import annotations

import numpy as np
from qiskit import QuantumCircuit


def ghz(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n)
    circuit.h(0)
    for i in range(n - 1):
        circuit.cx(i, i + 1)
    circuit.measure_all()
    return circuit


def clifford_layers(n: int, layers: int, seed: int = 0) -> QuantumCircuit:
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    for layer in range(layers):
        for q in range(n):
            [circuit.h, circuit.s, circuit.sx][int(rng.integers(3))](q)
        for q in range(layer % 2, n - 1, 2):
            circuit.cz(q, q + 1)
    circuit.measure_all()
    return circuit


def shallow(n: int, layers: int = 3, seed: int = 0) -> QuantumCircuit:
    """Rotations by any angle and layers of CZ between neighbours."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    for layer in range(layers):
        for q in range(n):
            circuit.ry(rng.uniform(0, np.pi), q)
            circuit.rz(rng.uniform(0, np.pi), q)
        for q in range(layer % 2, n - 1, 2):
            circuit.cz(q, q + 1)
    circuit.measure_all()
    return circuit
