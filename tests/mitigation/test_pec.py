"""Probabilistic error cancellation: known channels inverted, samples unbiased, cost told first."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit

from backends.checks import sample
from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.native.compile import compile_template
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.snapshot import DeviceSnapshot, Qubit
from qhw.mitigation.base import MitigationError
from qhw.mitigation.pauli_noise import inverses, pauli_noise, sampling_cost
from qhw.mitigation.pec import drawn_paulis, inserted
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program, run_program
from tests.mitigation.test_pipeline import ANGLES, chain

FIDELITY_TO_KEPT = 4 / 3
"""Two qubits: average infidelity ``e`` of depolarising leaves ``1 - 4 e / 3`` of every Pauli."""


def depolarising(error: float) -> EngineBackend:
    """ibm_fez with nothing but depolarising two-qubit gates, all alike."""
    snapshot = load_snapshot("ibm_fez")
    qubits = tuple(Qubit(label=q.label, p10=0.0, p01=0.0) for q in snapshot.qubits)
    gates = tuple(
        g.model_copy(update={"error": error if len(g.qubits) == 2 else 0.0})
        for g in snapshot.gates
        if g.usable
    )
    fields = {name: getattr(snapshot, name) for name in type(snapshot).model_fields}
    return EngineBackend(DeviceSnapshot(**{**fields, "qubits": qubits, "gates": gates}))


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.ry(0.7, 0)
    circuit.ry(1.1, 1)
    circuit.cz(0, 1)
    circuit.ry(-0.4, 0)
    circuit.rx(0.3, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def test_text_and_back() -> None:
    assert str(Pipeline.parse("twirl(1)+readout+pec(40,limit=30)")) == (
        "twirl(1)+readout+pec(40,limit=30)"
    )
    assert str(Pipeline.parse("pec")) == "pec(100)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pec(1)", "n from 2"),
        ("pec(10,limit=0.5)", "limit from 1"),
        ("pec(10,limit=many)", "number"),
        ("pec(10,gamma=3)", "options limit"),
        ("pec(1,2)", "up to 1 argument"),
    ],
)
def test_bad_text_is_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(MitigationError, match=said) as error:
        Pipeline.parse(text)
    assert "\n" not in str(error.value)


def test_depolarising_has_the_closed_form() -> None:
    error = 0.03
    backend = depolarising(error)
    compiled = backend.compile(bell())
    noise = pauli_noise(compiled)
    kept = 1 - FIDELITY_TO_KEPT * error
    assert [(n.number, n.after) for n in noise] == [(0, True)]
    for each, inverse in zip(noise, inverses(compiled), strict=True):
        expected = np.full((4, 4), kept)
        expected[0, 0] = 1.0
        assert np.allclose(each.eigenvalues, expected)
        assert inverse.weights.sum() == pytest.approx(1.0)
        assert inverse.weights[1, 2] == pytest.approx((1 - 1 / kept) / 16)
        assert inverse.gamma == pytest.approx((15 / kept - 7) / 8)
    assert sampling_cost(compiled) == pytest.approx(((15 / kept - 7) / 8) ** 2)


def test_all_insertions_with_their_weights_are_exact() -> None:
    backend = depolarising(0.05)
    compiled = backend.compile(bell())
    noise = inverses(compiled)
    total = np.zeros((1, 4))
    for pick in range(16):
        variant = inserted(compiled, noise, np.array([pick]))
        assert variant.two_qubit_gates == compiled.two_qubit_gates
        total += noise[0].weights.ravel()[pick] * backend.probabilities(variant, np.zeros((1, 0)))
    exact = measured_probabilities(compiled, np.zeros((1, 0)))
    assert np.abs(backend.probabilities(compiled, np.zeros((1, 0))) - exact).max() > 0.02
    assert np.allclose(total, exact, atol=1e-9)


def test_draws_follow_the_weights() -> None:
    noise = inverses(depolarising(0.08).compile(chain()))
    picks, signs = drawn_paulis(noise, 40_000, np.random.default_rng(0))
    assert (picks.any(axis=1)).all()
    sizes = np.array([np.abs(i.weights.ravel()) / i.gamma for i in noise])
    some = 1 - np.prod(sizes[:, 0])
    for place in range(len(noise)):
        seen = np.bincount(picks[:, place], minlength=16) / len(picks)
        assert np.allclose(seen[1:], sizes[place, 1:] / some, atol=0.004)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert np.array_equal(signs, (-1.0) ** np.count_nonzero(picks, axis=1))


@pytest.mark.slow
def test_mean_over_samples_is_unbiased_and_error_bars_hold() -> None:
    backend = depolarising(0.01)
    compiled = backend.compile(chain())
    exact = measured_probabilities(compiled, ANGLES)
    values, inside = [], []
    for seed in range(20):
        program = build_program(
            Pipeline.parse("pec(10)"), backend, compiled, ANGLES, shots=4000, seed=seed
        )
        truth = {b.label: backend.probabilities(b.compiled, b.angles) for b in program.batches}
        for again in range(10):
            rng = np.random.default_rng([seed, again])
            counts = {b.label: sample(truth[b.label], b.shots, rng) for b in program.batches}
            found = program.combine(counts)
            values.append(found.values)
            inside.append(np.abs(found.values - exact) < 1.96 * found.standard_error)
    raw = np.abs(backend.probabilities(compiled, ANGLES) - exact)
    mean_error = np.abs(np.mean(values, axis=0) - exact)
    assert raw.max() > 0.015
    # 200 estimates, 20 independent choices of circuits
    spread = np.std(values, axis=0) / math.sqrt(20)
    assert np.mean(mean_error < 3 * spread) > 0.97
    assert mean_error.sum() < 0.2 * raw.sum()
    assert 0.93 < np.mean(inside) < 0.99
    assert found.record["pec"]["gamma_squared"] == pytest.approx(sampling_cost(compiled))


def test_reported_noise_of_a_device_shrinks_much() -> None:
    backend = EngineBackend(load_snapshot("ibm_sherbrooke"))
    compiled = backend.compile(chain())
    exact = measured_probabilities(compiled, ANGLES)
    errors = {}
    for text in ("readout", "twirl(1)+readout+pec(30)"):
        program = build_program(
            Pipeline.parse(text), backend, compiled, ANGLES, shots=10**6, seed=1
        )
        errors[text] = np.abs(run_program(program, seed=2).values - exact).sum()
    assert errors["twirl(1)+readout+pec(30)"] < 0.45 * errors["readout"]


def test_no_noise_is_the_circuit_itself() -> None:
    backend = ExactBackend()
    compiled = backend.compile(chain())
    program = build_program(
        Pipeline.parse("readout+pec(20)"), backend, compiled, ANGLES, shots=4000, seed=0
    )
    assert [b.compiled for b in program.batches] == [compiled]
    exact = measured_probabilities(compiled, ANGLES)
    inside = []
    for seed in range(200):
        found = run_program(program, seed=seed)
        inside.append(np.abs(found.values - exact) < 1.96 * found.standard_error)
    assert 0.94 < np.mean(inside) < 0.965


def test_next_to_no_noise_takes_few_shots() -> None:
    """No sample was given a shot, and the circuit was refused for it."""
    backend = depolarising(1e-5)
    compiled = backend.compile(chain())
    few, many = (
        build_program(Pipeline.parse("pec(20)"), backend, compiled, ANGLES, shots=shots, seed=0)
        for shots in (50, 10**6)
    )
    assert [b.shots for b in few.batches] == [48, 1, 1]
    assert len(many.batches) == 21 and min(b.shots for b in many.batches) > 1


def test_too_much_noise_is_refused_with_its_figure() -> None:
    backend = EngineBackend(load_snapshot("ibm_sherbrooke"))
    compiled = backend.compile(chain())
    cost = sampling_cost(compiled)
    limit = 1 + (cost - 1) / 2
    with pytest.raises(MitigationError, match=rf"this device has {cost:.4g}") as error:
        build_program(
            Pipeline.parse(f"pec(10,limit={limit})"), backend, compiled, ANGLES, shots=10**4, seed=0
        )
    assert "\n" not in str(error.value)
    with pytest.raises(MitigationError, match="at least one"):
        build_program(Pipeline.parse("pec(10)"), backend, compiled, ANGLES, shots=2, seed=0)


def test_canonical_templates_take_the_noise_of_their_pair() -> None:
    snapshot = load_snapshot("iqm_garnet")
    compiled = compile_template(chain(), snapshot)
    assert len([n for n in pauli_noise(compiled) if n.after]) == compiled.two_qubit_gates
    assert sampling_cost(compiled) > 1


def test_canonical_templates_take_the_noise_of_the_pulses_that_are_sent() -> None:
    snapshot = load_snapshot("iqm_garnet")
    compiled = compile_template(chain(), snapshot)
    fields = {name: getattr(snapshot, name) for name in type(snapshot).model_fields}
    gates = tuple(
        g.model_copy(update={"error": 0.0}) if g.name == "r" else g for g in snapshot.gates
    )
    without = replace(compiled, snapshot=DeviceSnapshot(**{**fields, "gates": gates}))
    assert sampling_cost(compiled) > sampling_cost(without) > 1
