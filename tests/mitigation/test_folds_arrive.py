"""Folded gates reach the vendors: nothing on the way cancels a gate and its inverse."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.braket.compile import labels_of, rows_of
from backends.ibm.program import IBMOptions, encode
from backends.loopback.ibm_execute import decode
from backends.native.compile import compile_template
from backends.vendor import Submission
from calibration.catalog import load_snapshot
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program
from qhw.mitigation.zne import ZeroNoise

ANGLES = np.array([[0.4], [1.9]])


def free_circuit() -> QuantumCircuit:
    """Three wires, a free angle, gates between all neighbours."""
    circuit = QuantumCircuit(3, 3)
    circuit.ry(Parameter("d[0]"), 0)
    for layer in range(2):
        for wire in range(2):
            circuit.cz(wire, wire + 1)
        for wire in range(3):
            circuit.ry(0.7 - 0.2 * wire + 0.1 * layer, wire)
            circuit.rz(0.3 * wire + 0.2, wire)
    circuit.measure(range(3), [2, 1, 0])
    return circuit


def scaled(compiled: CompiledTemplate, backend: AerBackend) -> CompiledTemplate:
    """The circuit with all its two-qubit gates three times."""
    program = build_program(
        Pipeline((ZeroNoise((1.0, 3.0)),)), backend, compiled, ANGLES, shots=100, seed=0
    )
    return program.batches[1].compiled


def test_our_folds_arrive_at_ibm() -> None:
    fez = load_snapshot("ibm_fez")
    backend = AerBackend(fez, scheduled=False)
    compiled = backend.compile(free_circuit())
    n = compiled.two_qubit_gates
    payload = encode(
        Submission(scaled(compiled, backend), ANGLES, 100), fez.n_qubits, IBMOptions(), None
    )
    (work,) = decode(payload, seed=0, default_rep_delay_s=0.0).works
    assert work.circuit.count_ops()["cz"] == 3 * n > 0


@pytest.mark.parametrize(
    "device", ["iqm_garnet", "ionq_forte_enterprise", "rigetti_cepheus_1_108q"]
)
def test_our_folds_arrive_at_braket(device: str) -> None:
    program = pytest.importorskip("backends.braket.program", reason="needs the extra `braket`")
    snapshot = load_snapshot(device)
    compiled = compile_template(free_circuit(), snapshot)
    bigger = scaled(compiled, AerBackend(snapshot))
    for plain, row in zip(rows_of(compiled, ANGLES), rows_of(bigger, ANGLES), strict=True):
        texts = [program.openqasm(c, labels_of(compiled)) for c in (plain, row)]
        lines = [[x for x in t.splitlines() if x.count("$") == 2] for t in texts]
        assert len(lines[1]) == 3 * len(lines[0]) > 0
