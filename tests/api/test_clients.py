"""Libraries that nobody here wrote, on the primitives: they are told nothing but the device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import PauliList, SparsePauliOp, Statevector
from qiskit_addon_cutting import (
    cut_wires,
    expand_observables,
    generate_cutting_experiments,
    partition_problem,
    reconstruct_expectation_values,
)
from qiskit_addon_cutting.instructions import CutWire
from qiskit_algorithms import VQE
from qiskit_algorithms.optimizers import COBYLA, SLSQP
from qiskit_machine_learning.connectors import TorchConnector
from qiskit_machine_learning.neural_networks import EstimatorQNN, NeuralNetwork, SamplerQNN

import qhw

H2 = SparsePauliOp(
    ["II", "IZ", "ZI", "ZZ", "XX"],
    [
        -1.052373245772859,
        0.39793742484318045,
        -0.39793742484318045,
        -0.01128010425623538,
        0.18093119978423156,
    ],
)
"""Of H2 at 0.735 Å in STO-3G, parity mapping, two qubits; electronic energy in hartree."""
GROUND = float(np.linalg.eigvalsh(H2.to_matrix())[0])

POINTS = np.random.default_rng(1).uniform(-1, 1, (12, 2))
CLASSES = (POINTS[:, 0] + 0.4 * POINTS[:, 1] > 0).astype(int)
X, W = ParameterVector("x", 2), ParameterVector("w", 4)


def classifier() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    for q in range(2):
        circuit.ry(np.pi / 2 * X[q], q)
        circuit.ry(W[q], q)
    circuit.cx(1, 0)
    for q in range(2):
        circuit.ry(W[2 + q], q)
    return circuit


def sampler_network() -> NeuralNetwork:
    return SamplerQNN(
        circuit=classifier().measure_all(inplace=False),
        input_params=list(X),
        weight_params=list(W),
        interpret=lambda outcome: outcome & 1,
        output_shape=2,
        sampler=qhw.Sampler("engine:ibm_fez", default_shots=500, seed=1),
    )


def estimator_network() -> NeuralNetwork:
    return EstimatorQNN(
        circuit=classifier(),
        observables=SparsePauliOp("IZ"),
        input_params=list(X),
        weight_params=list(W),
        estimator=qhw.Estimator("engine:ibm_fez", default_precision=0.05, seed=1),
    )


@pytest.mark.parametrize("make", [sampler_network, estimator_network])
def test_a_network_of_qiskit_machine_learning_learns_two_classes(make: object) -> None:
    network = TorchConnector(make(), initial_weights=np.full(4, 0.3))  # type: ignore[operator]
    inputs = torch.tensor(POINTS, dtype=torch.float32)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.3)

    def score() -> torch.Tensor:
        """Of class 0 rather than 1, from -1 to 1."""
        out = network(inputs)
        return out[:, 0] - out[:, 1] if out.shape[1] == 2 else out[:, 0]

    losses = []
    for _ in range(7):
        optimiser.zero_grad()
        loss = ((score() - torch.tensor(1 - 2 * CLASSES)) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]
    assert ((score() < 0).int().numpy() == CLASSES).mean() >= 10 / 12


def test_vqe_of_qiskit_algorithms_finds_the_energy_of_h2() -> None:
    exact = qhw.Estimator("exact", default_precision=0)
    ansatz, start = real_amplitudes(2, reps=1), np.full(4, 0.1)
    found = VQE(exact, ansatz, SLSQP(), initial_point=start).compute_minimum_eigenvalue(H2)
    assert found.eigenvalue == pytest.approx(GROUND, abs=1e-6)
    noisy = qhw.Estimator(
        "engine:ibm_fez", mitigation="readout+zne(1,3)", default_precision=0.01, seed=1
    )
    solver = VQE(noisy, ansatz, COBYLA(maxiter=30), initial_point=found.optimal_point)
    point = solver.compute_minimum_eigenvalue(H2).optimal_point
    fresh = qhw.Estimator(
        "engine:ibm_fez", mitigation="readout+zne(1,3)", default_precision=0.01, seed=2
    )
    data = fresh.run([(ansatz, H2, point)]).result()[0].data  # the minimum seen is biased low
    assert abs(data.evs - GROUND) < 3 * data.stds and data.stds < 0.02


def test_a_cut_circuit_is_put_together_again() -> None:
    circuit = QuantumCircuit(3)
    circuit.ry(0.7, 0)
    circuit.cx(0, 1)
    circuit.append(CutWire(), [1])
    circuit.ry(0.4, 1)
    circuit.cx(1, 2)
    whole = QuantumCircuit(3)
    whole.ry(0.7, 0)
    whole.cx(0, 1)
    whole.ry(0.4, 1)
    whole.cx(1, 2)
    observables = PauliList(["ZZZ", "IIZ", "ZIZ"])
    cut = cut_wires(circuit)
    parts = partition_problem(
        circuit=cut, observables=expand_observables(observables, circuit, cut)
    )
    experiments, coefficients = generate_cutting_experiments(
        parts.subcircuits, parts.subobservables, num_samples=np.inf
    )
    sampler = qhw.Sampler("exact", default_shots=20_000, seed=3)
    results = {label: sampler.run(subs).result() for label, subs in experiments.items()}
    found = reconstruct_expectation_values(results, coefficients, parts.subobservables)
    state = Statevector(whole)
    exact = [state.expectation_value(SparsePauliOp(p)).real for p in observables]
    np.testing.assert_allclose(found, exact, atol=0.06)
