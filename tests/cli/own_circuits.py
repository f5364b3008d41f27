"""One asymmetric circuit of three registers' worth of bits, as files, and what it gives exactly."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm2, qasm3, qpy
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector

ROWS = np.array([[0.4, 1.1, 2.3], [1.2, 0.3, 0.9], [2.2, 1.7, 0.5], [0.8, 2.6, 1.4]])
LABELS = ("near", "bond", "far", "broken")


def template() -> QuantumCircuit:
    """Crossed bits in two registers; columns in Qiskit's order are alpha, beta, gamma."""
    wires = QuantumRegister(3, "q")
    circuit = QuantumCircuit(wires, ClassicalRegister(1, "a"), ClassicalRegister(2, "b"))
    for qubit, name in enumerate(("gamma", "alpha", "beta")):
        circuit.ry(Parameter(name), qubit)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure([2, 0, 1], [0, 1, 2])
    return circuit


def truth() -> np.ndarray:
    """By Qiskit's statevector: bit c of an outcome is classical bit c."""
    bare = template().remove_final_measurements(inplace=False)
    states = [
        Statevector(bare.assign_parameters(dict(zip(_in_order(), r, strict=True)))) for r in ROWS
    ]
    return np.array([state.probabilities([2, 0, 1]) for state in states])


def outcome(index: int) -> str:
    """Qiskit's name: the last register first, highest bits first."""
    return f"{index >> 1:02b} {index & 1}"


def write_files(folder: Path) -> dict[str, list[Path]]:
    """The same rows in three ways: a template beside its angles, and a file a row."""
    (folder / "mine.qasm").write_text(qasm3.dumps(template()))
    with (folder / "mine.qpy").open("wb") as file:
        qpy.dump(template(), file)
    with (folder / "angles.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["gamma", "label", "alpha", "beta"])
        for (alpha, beta, gamma), label in zip(ROWS.tolist(), LABELS, strict=True):
            writer.writerow([gamma, label, alpha, beta])
    np.savez(
        folder / "angles.npz",
        **{name: ROWS[:, i] for i, name in enumerate(("alpha", "beta", "gamma"))},
        name=np.array(LABELS),
    )
    alone = []
    for row, label in zip(ROWS, LABELS, strict=True):
        alone.append(folder / f"{label}.qasm")
        bound = template().assign_parameters(dict(zip(_in_order(), row, strict=True)))
        alone[-1].write_text(qasm2.dumps(bound))
    return {"alone": alone}


def _in_order() -> tuple[str, ...]:
    return ("alpha", "beta", "gamma")
