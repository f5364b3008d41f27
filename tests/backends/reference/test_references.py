"""Stabilizers and matrix product states against the statevector of the same circuit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.quantum_info import Statevector, random_clifford

from backends.base import BackendError
from backends.exact import ExactBackend
from backends.outcomes import Outcomes
from backends.reference import mps
from backends.reference.base import ExactReference, ReferenceFacts
from backends.reference.choose import DenseReference, exact_references
from backends.reference.clifford import clifford_steps
from backends.reference.mps import mps_reference
from backends.reference.stabilizer import StabilizerReference, stabilizer_reference
from tests.backends.reference.wide_circuits import clifford_layers, ghz, shallow


def known(circuit: QuantumCircuit, measured: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and correlations by the statevector, first measured wire most significant."""
    p = Statevector(circuit).probabilities(measured[::-1])
    m = len(measured)
    signs = 1.0 - 2.0 * (np.arange(2**m)[None] >> np.arange(m)[::-1, None] & 1)
    correlations = (signs * p) @ signs.T
    np.fill_diagonal(correlations, signs @ p)
    return p, correlations


def check(reference: ExactReference, circuit: QuantumCircuit, measured: list[int]) -> None:
    p, correlations = known(circuit, measured)
    m = len(measured)
    np.testing.assert_allclose(reference.probabilities(Outcomes.all_of(m)), p, atol=1e-10)
    np.testing.assert_allclose(reference.correlations(), correlations, atol=1e-10)
    shots = reference.sample(4000, np.random.default_rng(1))
    counts = np.bincount(shots @ (1 << np.arange(m)[::-1]), minlength=2**m)
    assert (p[counts > 0] > 1e-12).all()
    # of 2**m outcomes together, chi squared is within six of its standard deviations
    free = p > 1e-12
    chi = ((counts[free] - 4000 * p[free]) ** 2 / (4000 * p[free])).sum()
    assert chi < free.sum() + 6 * math.sqrt(2 * free.sum()) + 20


@pytest.mark.parametrize("seed", range(12))
def test_stabilizers_are_the_statevector(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 13))
    circuit = random_clifford(n, seed=seed).to_circuit()
    for _ in range(6):
        circuit.rz(math.pi / 2 * int(rng.integers(4)), int(rng.integers(n)))
        circuit.ry(math.pi / 2 * int(rng.integers(4)), int(rng.integers(n)))
        if n > 1:
            a, b = map(int, rng.permutation(n)[:2])
            circuit.iswap(a, b)
    measured = rng.permutation(n)[: int(rng.integers(1, n + 1))].tolist()
    steps = clifford_steps(circuit)
    assert steps is not None
    check(stabilizer_reference(steps, n, measured), circuit, measured)


def test_rotations_that_undo_each_other_make_no_clifford_circuit_another() -> None:
    circuit = QuantumCircuit(3)
    circuit.h([0, 1, 2])
    circuit.rz(0.3, 0)
    circuit.rx(0.7, 1)
    circuit.cz(0, 2)
    circuit.cx(0, 1)  # the rotation about x of its target passes
    circuit.rx(-0.7, 1)
    circuit.rz(-0.3, 0)
    circuit.h(0)
    circuit.rz(1.1, 2)  # seen by nothing
    circuit.rx(0.5, 1)
    circuit.cx(0, 1)
    circuit.rx(math.pi / 2 - 0.2, 1)  # three make a quarter turn together
    circuit.cx(2, 1)
    circuit.rx(-0.3, 1)
    circuit.h(1)
    steps = clifford_steps(circuit)
    assert steps is not None
    check(stabilizer_reference(steps, 3, [0, 1, 2]), circuit, [0, 1, 2])
    kept = circuit.copy()
    kept.rx(0.2, 2)
    assert clifford_steps(kept) is None


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_compiled_clifford_circuits_are_seen_to_be(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(8)
    circuit.h(range(8))
    for _ in range(12):
        a, b = map(int, rng.permutation(8)[:2])
        circuit.cx(a, b)
        circuit.s(b)
        circuit.h(a)
    line = [[i, i + 1] for i in range(7)] + [[i + 1, i] for i in range(7)]
    compiled = transpile(
        circuit,
        basis_gates=["rz", "sx", "x", "cz"],
        coupling_map=line,
        optimization_level=3,
        seed_transpiler=seed,
    )
    steps = clifford_steps(compiled)
    assert steps is not None
    check(stabilizer_reference(steps, 8, list(range(8))), compiled, list(range(8)))


@pytest.mark.parametrize("seed", range(8))
def test_matrix_product_states_are_the_statevector(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 11))
    circuit = shallow(n, 4, seed).remove_final_measurements(inplace=False)
    for _ in range(3):  # gates between qubits far apart
        a, b = map(int, rng.permutation(n)[:2])
        circuit.cx(a, b)
    measured = rng.permutation(n)[: n if seed % 2 else int(rng.integers(1, n + 1))].tolist()
    reference = mps_reference(circuit, measured)
    check(reference, circuit, measured)
    assert reference.facts.discarded_weight < 1e-12


def test_what_truncation_drops_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = shallow(10, 9, 3).remove_final_measurements(inplace=False)
    monkeypatch.setattr(mps, "MAX_BOND", 12)
    monkeypatch.setattr(mps, "MAX_DISCARDED", 1.0)
    found = mps_reference(circuit, list(range(10)))
    p, _ = known(circuit, list(range(10)))
    distance = np.abs(found.probabilities(Outcomes.all_of(10)) - p).sum() / 2
    assert 0 < distance < 4 * math.sqrt(found.discarded)
    assert "discarded weight" in found.facts.detail
    monkeypatch.setattr(mps, "MAX_DISCARDED", 1e-9)
    with pytest.raises(mps.TooEntangledError, match="bond dimension 12"):
        mps_reference(circuit, list(range(10)))


def test_the_method_follows_from_the_circuit() -> None:
    ideal = ExactBackend()
    for circuit, method in (
        (clifford_layers(60, 4), StabilizerReference),
        (shallow(21, 2), DenseReference),
        (shallow(40), mps.MPSReference),
    ):
        found = exact_references(ideal.compile(circuit), np.zeros((1, 0)))
        assert isinstance(found, tuple) and isinstance(found[0], method)


def test_no_reference_is_told_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mps, "MAX_BOND", 4)
    ideal = ExactBackend()
    compiled = ideal.compile(shallow(30, 8))
    found = ideal.references(compiled, np.zeros((1, 0)))
    assert isinstance(found, ReferenceFacts) and found.method == "none"
    assert "268 MB" in found.detail
    with pytest.raises(BackendError, match="must have an exact reference"):
        ideal.run(compiled, np.zeros((1, 0)), shots=10, seed=0)


def test_angles_that_become_clifford_when_bound() -> None:
    from qiskit.circuit import Parameter

    circuit = QuantumCircuit(30)
    a = Parameter("a")
    for q in range(30):
        circuit.ry(a, q)
    for q in range(29):
        circuit.cz(q, q + 1)
    circuit.measure_all()
    ideal = ExactBackend()
    found = ideal.references(ideal.compile(circuit), np.array([[math.pi / 2], [0.3]]))
    assert isinstance(found, tuple)
    assert [one.facts.method for one in found] == ["stabilizer", "matrix product state"]


def test_a_wide_ghz_state_on_exact() -> None:
    ideal = ExactBackend()
    found = ideal.run(ideal.compile(ghz(100)), np.zeros((1, 0)), shots=1000, seed=2)
    assert found.outcomes is not None
    assert found.outcomes.integers() == [0, 2**100 - 1]
    assert found.counts.sum() == 1000 and found.counts.min() > 400
