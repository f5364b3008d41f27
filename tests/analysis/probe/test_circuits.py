"""Probes: smaller, on the circuit's own qubits, with an answer that every device knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from backends.aer import AerBackend
from backends.exact import ExactBackend
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.analysis.probe.circuits import MOST_SHOTS, probes_of
from qhw.analysis.probe.places import halves


def _layered(n: int, layers: int = 2) -> QuantumCircuit:
    qc = QuantumCircuit(n, n)
    for layer in range(layers):
        for q in range(n):
            qc.ry(Parameter(f"t{layer}{q}"), q)
        for q in range(n - 1):
            qc.cx(q, q + 1)
    qc.measure(range(n), range(n))
    return qc


def _probes(device: str, n: int, shots: int = 100, layers: int = 2):
    backend = AerBackend(load_snapshot(device))
    compiled = backend.compile(_layered(n, layers))
    angles = np.random.default_rng(3).uniform(0, 6, (2, len(compiled.parameter_names)))
    return compiled, probes_of(compiled, angles, label="circuit", shots=shots)


@pytest.mark.parametrize(
    "device",
    [
        "ibm_lagos",
        "iqm_garnet",
        pytest.param("ibm_boston", marks=pytest.mark.slow),
        pytest.param("rigetti_cepheus_1_108q", marks=pytest.mark.slow),
        pytest.param("ionq_forte_enterprise", marks=pytest.mark.slow),
    ],
)
def test_without_noise_the_answer_is_certain_and_the_probe_smaller(device):
    compiled, probes = _probes(device, 5)
    silent = AerBackend(load_snapshot(device), noise=NoiseOptions(0, 0, 0))
    assert len(probes) == 3
    for probe in probes:
        variant = probe.batch.compiled
        found = silent.probabilities(variant, probe.batch.angles)[0]
        assert found[probe.answer] == pytest.approx(1.0, abs=1e-9)
        assert 0 < variant.two_qubit_gates < compiled.two_qubit_gates
        assert set(variant.physical_qubits) <= set(compiled.physical_qubits)
        assert variant.n_measured == len(variant.physical_qubits)
    whole, one, other = (set(p.batch.compiled.physical_qubits) for p in probes)
    assert one | other == whole and not one & other


def test_few_qubits_are_probed_by_depth_and_labels_and_shots_are_told():
    _, probes = _probes("ibm_lagos", 2, shots=100_000)
    assert [p.name for p in probes] == ["the whole depth", "twice the depth"]
    assert [p.batch.label for p in probes] == ["circuit/probe=0", "circuit/probe=1"]
    assert {p.batch.shots for p in probes} == {MOST_SHOTS}
    assert {p.batch.shots for p in _probes("ibm_lagos", 2, shots=70)[1]} == {70}
    compiled, deep = _probes("ibm_lagos", 3, layers=4)
    assert [p.name for p in deep] == ["half the depth", "the whole depth"]
    gates = [p.batch.compiled.two_qubit_gates for p in deep]
    assert gates[0] < gates[1] <= compiled.two_qubit_gates


def test_the_same_circuit_gives_the_same_probes():
    first, second = (_probes("ibm_lagos", 4)[1] for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.batch.compiled.circuit == b.batch.compiled.circuit


def test_what_cannot_run_backwards_is_refused():
    backend = AerBackend(load_snapshot("ibm_lagos"))
    compiled = backend.compile(_layered(2))
    broken = compiled.circuit.copy()
    broken.x(0)
    turned = replace(compiled, circuit=broken)
    angles = np.zeros((1, len(compiled.parameter_names)))
    with pytest.raises(ValueError, match="cannot be run backwards"):
        probes_of(turned, angles, label="circuit", shots=10)
    ideal = ExactBackend().compile(_layered(2))
    with pytest.raises(ValueError, match="without noise"):
        probes_of(ideal, angles, label="circuit", shots=10)


def test_halves_of_a_chain_are_chains_and_of_pieces_pieces():
    assert halves(range(6), [(q, q + 1) for q in range(5)]) == ((0, 1, 2), (3, 4, 5))
    assert halves(range(5), [(3, 1), (1, 4), (4, 0), (0, 2)]) == ((0, 2, 4), (1, 3))
    assert halves(range(4), [(0, 2), (1, 3)]) == ((0, 2), (1, 3))
