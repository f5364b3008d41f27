"""Asymmetric measured circuits whose distributions are known without any simulator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter


def product_circuit(n: int, measured: tuple[int, ...] | None = None) -> QuantumCircuit:
    """RY(a[w]) on wire w (qubit n-1-w); measured wires most significant first."""
    wires = tuple(range(n)) if measured is None else measured
    circuit = QuantumCircuit(QuantumRegister(n, "q"), ClassicalRegister(len(wires), "c"))
    for wire in range(n):
        circuit.ry(Parameter(f"a{wire}"), n - 1 - wire)
    for bit, wire in enumerate(reversed(wires)):
        circuit.measure(n - 1 - wire, bit)
    return circuit


def product_distribution(
    angles: NDArray[np.float64], measured: tuple[int, ...]
) -> NDArray[np.float64]:
    """cos^2, sin^2 of each measured wire, first most significant."""
    p = np.ones(1)
    for wire in measured:
        half = angles[wire] / 2
        p = np.kron(p, [np.cos(half) ** 2, np.sin(half) ** 2])
    return p


def staircase_circuit(n: int, measured: tuple[int, ...] | None = None) -> QuantumCircuit:
    """The product circuit, then CX from wire 0 to each next wire: a star, no line holds it."""
    circuit = product_circuit(n, measured)
    tail = circuit.copy_empty_like()
    gates = [item for item in circuit.data if item.operation.name == "ry"]
    for item in gates:
        tail.append(item)
    for wire in range(1, n):
        tail.cx(n - 1, n - 1 - wire)
    for item in circuit.get_instructions("measure"):
        tail.append(item)
    return tail


def staircase_distribution(
    angles: NDArray[np.float64], measured: tuple[int, ...]
) -> NDArray[np.float64]:
    """Bit 0 is b; every other bit is its own draw xor b."""
    n = len(angles)
    full = product_distribution(angles, tuple(range(n)))
    out = np.zeros(2 ** len(measured))
    for index, p in enumerate(full):
        bits = [index >> (n - 1 - w) & 1 for w in range(n)]
        bits = [bits[0], *(b ^ bits[0] for b in bits[1:])]
        out[int("".join(str(bits[w]) for w in measured), 2)] += p
    return out
