from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector

from backends.binding import bind_rows
from backends.exact import ExactBackend
from qhw.circuits.ansatz import qvae_ansatz
from qhw.circuits.plan import CircuitPlan
from qhw.circuits.templates import build_template, data_angles
from tests.backends.contract import DistributionContract


@pytest.fixture
def backend() -> ExactBackend:
    return ExactBackend()


class TestContract(DistributionContract):
    pass


def test_every_kind_of_gate_equals_qiskit(backend: ExactBackend) -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(4, 4, global_phase=a)
    for q in range(4):
        circuit.h(q)
        circuit.rz(a * (q + 1) - b / 3, q)
    circuit.crx(a, 0, 2)
    circuit.rzz(b, 3, 1)
    circuit.rxx(a * b, 1, 0)  # not linear in the parameters
    circuit.u(a, b, 0.3, 2)
    circuit.swap(0, 3)
    circuit.ecr(2, 1)
    circuit.ccx(0, 3, 1)
    circuit.rx(b, 1)
    circuit.measure(range(4), range(4))
    compiled = backend.compile(circuit)
    angles = np.random.default_rng(0).uniform(-3, 3, (5, 2))
    p = backend.probabilities(compiled, angles)
    for row, found in zip(angles, p, strict=True):
        bound = circuit.assign_parameters({a: row[0], b: row[1]})
        state = Statevector(bound.remove_final_measurements(inplace=False))
        np.testing.assert_allclose(found, state.probabilities(), atol=1e-12)


def test_thousand_rows_of_the_seven_qubit_encoder(backend: ExactBackend) -> None:
    rng = np.random.default_rng(1)
    ansatz = qvae_ansatz(7, 10)
    plan = CircuitPlan(
        "amplitudes",
        tuple(range(7)),
        None,
        ansatz,
        rng.uniform(-np.pi, np.pi, ansatz.n_angles),
        (0, 1, 2, 3, 4),
    )
    template = build_template(plan)
    compiled = backend.compile(template.circuit)
    assert compiled.two_qubit_gates == 126 + 140
    angles = data_angles(template, rng.normal(size=(1000, 128))).angles
    p = backend.probabilities(compiled, angles)
    bound = template.circuit.assign_parameters(
        dict(zip(template.parameter_names, angles[-1], strict=True))
    )
    state = Statevector(bound.remove_final_measurements(inplace=False))
    # Wires 0-4 are qubits 6-2; the first listed qubit is the least significant.
    np.testing.assert_allclose(p[-1], state.probabilities([2, 3, 4, 5, 6]), atol=1e-12)
    assert len(bind_rows(compiled, angles)) == 1000
