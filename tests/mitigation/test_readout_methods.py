"""All methods of readout correction against each other, mthree, and known answers."""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit

from backends.aer import AerBackend
from backends.readout import readout_matrices
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions, apply_confusion
from calibration.readout import calibration_states, fit_readout
from qhw.mitigation.base import MitigationError, frequencies
from qhw.mitigation.ibu import unfold, unfolded_estimate
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program, run_program
from qhw.mitigation.readout import confusion_factors, inverse, joint
from qhw.mitigation.simplex import project_to_simplex
from tests.mitigation.misread import SINGLES, confusion_matrices

CONFUSION = reduce(np.kron, SINGLES)
UNDO = inverse({(w,): matrix for w, matrix in enumerate(SINGLES)})
METHODS = ["readout", "readout(tensored)", "readout(ibu)", "readout(m3)"]


def needs(text: str) -> None:
    if "m3" in text:
        pytest.importorskip("mthree", reason="readout(m3) needs the extra qhw[m3]")


def asymmetric() -> QuantumCircuit:
    """Three wires, mostly |011>, every outcome with a probability of its own."""
    circuit = QuantumCircuit(3, 3)
    for wire, angle in enumerate([0.5, 2.4, 2.8]):
        circuit.ry(angle, wire)
    circuit.cz(0, 1)
    circuit.measure(range(3), [2, 1, 0])
    return circuit


@pytest.mark.parametrize("text", METHODS)
def test_every_method_undoes_a_devices_readout_with_bits_in_place(text: str) -> None:
    needs(text)
    noise = NoiseOptions(gates=0, idle=0, depolarising=0)
    backend = AerBackend(load_snapshot("iqm_garnet"), noise=noise)
    compiled = backend.compile(asymmetric())
    angles = np.zeros((1, 0))
    exact = measured_probabilities(compiled, angles)

    def error(of: str) -> float:
        program = build_program(
            Pipeline.parse(of), backend, compiled, angles, shots=1_000_000, seed=3
        )
        return float(np.abs(run_program(program, seed=4).values - exact).max())

    assert error("none") > 8e-3
    assert error(text) < 1.5e-3


@pytest.mark.parametrize("text", METHODS)
def test_expectation_values_are_those_of_the_corrected_distribution(text: str) -> None:
    needs(text)
    backend = AerBackend(load_snapshot("ibm_fez"))
    compiled = backend.compile(asymmetric())
    angles = np.zeros((1, 0))
    signs = np.array([[1 - 2 * (i >> 2 & 1) for i in range(8)], [0, 1, 0, 0, 0, 0, 0, 0]])
    pipeline = Pipeline.parse(text)
    whole = build_program(pipeline, backend, compiled, angles, shots=20_000, seed=0)
    few = build_program(
        pipeline, backend, compiled, angles, shots=20_000, seed=0, features=signs.astype(float)
    )
    counts = {b.label: backend.run(b.compiled, angles, shots=20_000, seed=1).counts
              for b in whole.batches}  # fmt: skip
    distribution, values = whole.combine(counts), few.combine(counts)
    np.testing.assert_allclose(values.values, distribution.values @ signs.T, atol=1e-12)
    # one outcome as a feature has that outcome's error bar; a sign's knows of correlations
    assert values.standard_error[0, 1] == pytest.approx(distribution.standard_error[0, 1])
    raw = next(iter(counts.values()))[0] @ signs[0] / 20_000
    contrast = readout_matrices(compiled).matrices[0].diagonal().sum() - 1
    expected = np.sqrt((1 - raw**2) / 20_000) / contrast
    assert values.standard_error[0, 0] == pytest.approx(
        expected, rel=0.25 if "ibu" in text else 0.02
    )


@pytest.mark.parametrize("shots", [300, 20_000])
def test_m3_is_mthree_and_the_tensored_inverse_where_every_outcome_was_seen(shots: int) -> None:
    mthree = pytest.importorskip("mthree", reason="readout(m3) needs the extra qhw[m3]")
    from qhw.mitigation.m3 import m3_estimate

    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.full(8, 0.4), size=4)
    counts = rng.multinomial(shots, apply_confusion(p, list(SINGLES)))
    ours = m3_estimate(frequencies(counts), SINGLES)
    mitigator = mthree.M3Mitigation(None)
    mitigator.cals_from_matrices([SINGLES[2], SINGLES[1], SINGLES[0]])
    for row, seen in enumerate(counts):
        named = {f"{i:03b}": int(c) for i, c in enumerate(seen) if c}
        quasi, _ = mitigator.apply_correction(
            named, [0, 1, 2], distance=3, return_mitigation_overhead=True, details=True
        )
        theirs = np.array([quasi.get(f"{i:03b}", 0.0) for i in range(8)])
        np.testing.assert_allclose(ours.values[row], theirs, atol=1e-6)
        if (seen > 0).all():
            np.testing.assert_allclose(ours.values[row], UNDO @ seen / shots, atol=1e-6)
            # mthree bounds the standard error by the square root of the overhead over shots
            assert (ours.variance[row] <= quasi.mitigation_overhead / shots).all()


def test_m3_leaves_unseen_outcomes_at_zero_and_is_normalised() -> None:
    pytest.importorskip("mthree", reason="readout(m3) needs the extra qhw[m3]")
    from qhw.mitigation.m3 import m3_estimate

    counts = np.array([[0, 90, 0, 880, 0, 0, 0, 30]])
    out = m3_estimate(frequencies(counts), SINGLES)
    assert (out.values[0, counts[0] == 0] == 0).all()
    assert out.values.sum() == pytest.approx(1.0, abs=1e-6)
    assert (out.variance > 0).all()


def test_missing_mthree_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mthree", None)
    backend = AerBackend(load_snapshot("ibm_fez"))
    compiled = backend.compile(asymmetric())
    with pytest.raises(MitigationError, match=r"pip install \"qhw\[m3\]\"") as error:
        build_program(
            Pipeline.parse("readout(m3)"), backend, compiled, np.zeros((1, 0)), shots=99, seed=0
        )
    assert "\n" not in str(error.value)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), wires=st.integers(1, 5))
def test_unfolding_exact_frequencies_is_exact(seed: int, wires: int) -> None:
    rng = np.random.default_rng(seed)
    matrices = confusion_matrices(*rng.uniform(0, 0.15, size=(2, wires)))
    p = rng.dirichlet(np.full(2**wires, 2.0), size=3)
    read = apply_confusion(p, list(matrices))
    out = unfold(read, reduce(np.kron, matrices), tolerance=1e-9, limit=5000)
    assert out.converged
    np.testing.assert_allclose(out.probabilities, p, atol=1e-6)


def test_unfolding_is_the_maximum_of_the_likelihood() -> None:
    # 3000 shots from a sparse state: the maximum lies on the boundary. There the gradient of the
    # log-likelihood is at most the number of shots everywhere, and equal to it where p > 0.
    rng = np.random.default_rng(5)
    read = rng.multinomial(3000, apply_confusion(np.eye(8)[[3, 6]], list(SINGLES))) / 3000
    out = unfold(read, CONFUSION, tolerance=1e-12, limit=100_000)
    slope = (read / (out.probabilities @ CONFUSION.T)) @ CONFUSION
    assert out.converged
    assert slope.max() < 1 + 1e-3
    assert np.abs(slope[out.probabilities > 1e-3] - 1).max() < 1e-6
    assert (out.probabilities < 1e-6).any()


def test_unfolding_agrees_with_inversion_within_the_shot_noise() -> None:
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(8), size=20)
    measured = frequencies(rng.multinomial(50_000, apply_confusion(p, list(SINGLES))))
    out = unfolded_estimate(measured, CONFUSION, None, np.random.default_rng(0))
    quasi = measured.values @ UNDO.T
    projection = project_to_simplex(quasi)
    valid = projection.negative_mass == 0  # there the maximum of the likelihood is the inverse
    assert 10 <= valid.sum() < 20
    assert np.abs((out.values - quasi)[valid]).max() < 5e-4
    assert (np.abs(out.values - projection.probabilities) < 3 * np.sqrt(out.variance)).all()
    assert (out.values >= 0).all()
    np.testing.assert_allclose(out.values.sum(axis=1), 1.0)


@pytest.mark.parametrize("text", ["readout", "readout(ibu)", "readout(m3)"])
def test_error_bars_cover(text: str) -> None:
    needs(text)
    noise = NoiseOptions(gates=0, idle=0, depolarising=0)
    backend = AerBackend(load_snapshot("iqm_garnet"), noise=noise)
    compiled = backend.compile(asymmetric())
    angles = np.zeros((100, 0))
    exact = measured_probabilities(compiled, angles)
    program = build_program(Pipeline.parse(text), backend, compiled, angles, shots=4000, seed=0)
    found = run_program(program, seed=7)
    # a hundred repeats of eight outcomes; the rows share one exact distribution
    covered = np.mean(np.abs(found.values - exact) < 1.96 * found.standard_error)
    assert 0.92 < covered < 0.98


def test_a_measured_calibration_finds_correlated_pairs() -> None:
    snapshot = load_snapshot("ibm_fez")
    backend = AerBackend(snapshot)
    compiled = backend.compile(asymmetric())
    qubits = [compiled.physical_qubits[i] for i in range(3)]
    joined = np.eye(4) * 0.85 + 0.15 * np.eye(4)[::-1]  # both misread at once, or neither
    truth = joint({(0, 1): joined, (2,): SINGLES[2]})
    states = calibration_states(3)
    rng = np.random.default_rng(0)
    index = states @ [4, 2, 1]
    counts = rng.multinomial(200_000, truth.T[index])
    fitted = fit_readout(states, counts, qubits, device=backend.name, taken=datetime.now(UTC))
    factors = confusion_factors(compiled, fitted)
    assert sorted(map(len, factors)) == [1, 2]
    np.testing.assert_allclose(joint(factors), truth, atol=0.01)
    apart = confusion_factors(compiled, fitted, pairs=False)
    assert np.abs(joint(apart) - truth).max() > 0.1


def test_joint_is_the_kronecker_product_in_any_order() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.dirichlet(np.ones(4), size=4).T, rng.dirichlet(np.ones(2), size=2).T
    whole = joint({(2, 0): a, (1,): b})
    for read, made in itertools.product(range(8), repeat=2):
        r, p = ([v >> 2 & 1, v >> 1 & 1, v & 1] for v in (read, made))
        expected = a[2 * r[2] + r[0], 2 * p[2] + p[0]] * b[r[1], p[1]]
        assert whole[read, made] == pytest.approx(expected)
