"""Ten dynamic circuits whose outcome distributions are known in closed form."""

from __future__ import annotations

import math

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister


def teleportation(switch: bool = False) -> QuantumCircuit:
    q, m, out = QuantumRegister(3), ClassicalRegister(2, "m"), ClassicalRegister(1, "out")
    circuit = QuantumCircuit(q, m, out)
    circuit.ry(1.1, 0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], m)
    if switch:
        with circuit.switch(m) as case:
            with case(1):
                circuit.z(2)
            with case(2):
                circuit.x(2)
            with case(3):
                circuit.x(2)
                circuit.z(2)
    else:
        with circuit.if_test((m[1], 1)):
            circuit.x(2)
        with circuit.if_test((m[0], 1)):
            circuit.z(2)
    circuit.ry(-1.1, 2)
    circuit.measure(2, out)
    return circuit


def phase_estimation(bits: int = 3, phase: int = 5) -> QuantumCircuit:
    """The phase ``phase / 2**bits`` of a gate, bit by bit on one ancilla, lowest bit first."""
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(bits, "phi"))
    circuit.x(1)
    for k in range(bits):
        circuit.h(0)
        circuit.cp(2 * math.pi * phase / 2**bits * 2 ** (bits - 1 - k), 0, 1)
        for j in range(k):
            with circuit.if_test((circuit.clbits[j], 1)):
                circuit.p(-math.pi / 2 ** (k - j), 0)
        circuit.h(0)
        circuit.measure(0, k)
        circuit.reset(0)
    return circuit


def repeat_until_success(tries: int = 2) -> QuantumCircuit:
    """Flip a coin again where it was 0; the bit holds the last throw."""
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    for _ in range(tries):
        with circuit.if_test((0, 0)):
            circuit.h(0)
            circuit.measure(0, 0)
    return circuit


def detection_rounds(rounds: int = 2, error: bool = True) -> QuantumCircuit:
    """Parity of two data qubits by one ancilla that is reset, round by round."""
    circuit = QuantumCircuit(3, rounds + 2)
    circuit.h(0)
    circuit.cx(0, 1)
    for k in range(rounds):
        if error and k == 1:
            circuit.x(0)
        circuit.cx(0, 2)
        circuit.cx(1, 2)
        circuit.measure(2, k)
        circuit.reset(2)
    circuit.measure([0, 1], [rounds, rounds + 1])
    return circuit


def corrected_code() -> QuantumCircuit:
    """Three-qubit repetition code: the syndrome decides which qubit is flipped back."""
    data, ancillas = QuantumRegister(3, "d"), QuantumRegister(2, "a")
    syndrome, out = ClassicalRegister(2, "s"), ClassicalRegister(3, "out")
    circuit = QuantumCircuit(data, ancillas, syndrome, out)
    circuit.x(0)
    circuit.cx(0, 1)
    circuit.cx(0, 2)
    circuit.x(1)
    for k in range(2):
        circuit.cx(data[k], ancillas[k])
        circuit.cx(data[k + 1], ancillas[k])
    circuit.measure(ancillas, syndrome)
    for value, qubit in ((1, 0), (3, 1), (2, 2)):
        with circuit.if_test((syndrome, value)):
            circuit.x(data[qubit])
    circuit.measure(data, out)
    return circuit


def reset_in_use() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.reset(1)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def entangled_by_measuring() -> QuantumCircuit:
    """A GHZ state of constant depth: parity measured, and put right."""
    circuit = QuantumCircuit(3, 3)
    circuit.h([0, 2])
    circuit.cx(0, 1)
    circuit.cx(2, 1)
    circuit.measure(1, 1)
    with circuit.if_test((1, 1)):
        circuit.x(2)
    circuit.measure([0, 2], [0, 2])
    return circuit


def chosen_rotation() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.ry(2 * math.asin(math.sqrt(0.3)), 0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as otherwise:
        circuit.ry(2 * math.asin(math.sqrt(0.2)), 1)
    with otherwise:
        circuit.ry(2 * math.asin(math.sqrt(0.6)), 1)
    circuit.measure(1, 1)
    return circuit


def measured_twice() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(0, 1)
    return circuit


CIRCUITS: dict[str, tuple[QuantumCircuit, dict[int, float]]] = {
    "teleportation": (teleportation(), dict.fromkeys(range(4), 0.25)),
    "teleportation by switch": (teleportation(switch=True), dict.fromkeys(range(4), 0.25)),
    "phase estimation": (phase_estimation(), {5: 1.0}),
    "repeat until success": (repeat_until_success(), {0: 0.125, 1: 0.875}),
    "detection rounds": (detection_rounds(error=False), {0b0000: 0.5, 0b1100: 0.5}),
    "detection rounds with an error": (detection_rounds(), {0b0110: 0.5, 0b1010: 0.5}),
    "corrected code": (corrected_code(), {0b11111: 1.0}),
    "reset in use": (reset_in_use(), {0b10: 0.5, 0b11: 0.5}),
    "entangled by measuring": (
        entangled_by_measuring(),
        {0b000: 0.25, 0b101: 0.25, 0b010: 0.25, 0b111: 0.25},
    ),
    "chosen rotation": (
        chosen_rotation(),
        {0b00: 0.7 * 0.4, 0b10: 0.7 * 0.6, 0b01: 0.3 * 0.8, 0b11: 0.3 * 0.2},
    ),
    "measured twice": (measured_twice(), {0b10: 0.5, 0b01: 0.5}),
}
"""A circuit, and the probability of its outcomes, bit c of an outcome clbit c."""
