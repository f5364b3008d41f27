"""Clifford data regression: training circuits, slopes, and what they make of known noise."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from backends.base import CompiledTemplate
from backends.checks import sample
from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.native.compile import compile_template
from backends.native.rows import native_rows
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot
from qhw.mitigation.base import Estimate, Measured, MitigationError, linear_variance
from qhw.mitigation.cdr import CliffordRegression
from qhw.mitigation.clifford import near_clifford
from qhw.mitigation.parity import leading_wires, parities, wires_in
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program, run_program
from qhw.mitigation.slopes import learn_slopes
from tests.mitigation.test_pipeline import ANGLES, chain

ROW = np.array([0.9, -0.4])


@pytest.mark.parametrize(
    "text", ["cdr(16)", "readout+cdr(24,slope,non_clifford=0.3,share=0.1)", "cdr(8,share=0.25)"]
)
def test_text_and_back(text: str) -> None:
    assert str(Pipeline.parse(text)) == text
    assert str(Pipeline.parse("cdr")) == "cdr(16)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cdr(1)", "n from 2"),
        ("cdr(8,cubic)", "maps weights, slope"),
        ("cdr(8,non_clifford=1.5)", "non_clifford from 0 to 1"),
        ("cdr(8,share=0)", "share above 0"),
        ("cdr(8,shots=3)", "options non_clifford, share"),
        ("cdr(8,share=x)", "number"),
    ],
)
def test_bad_text_is_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(MitigationError, match=said) as error:
        Pipeline.parse(text)
    assert "\n" not in str(error.value)


def structure(compiled: CompiledTemplate) -> list[tuple[str, tuple[int, ...]]]:
    index = {q: i for i, q in enumerate(compiled.circuit.qubits)}
    return [(i.operation.name, tuple(index[q] for q in i.qubits)) for i in compiled.circuit.data]


@pytest.mark.parametrize(
    "device", ["ibm_fez", "iqm_garnet", "rigetti_cepheus_1_108q", "ionq_forte_enterprise"]
)
@pytest.mark.parametrize("canonical", [False, True])
def test_training_circuits_keep_every_gate_and_are_near_clifford(
    device: str, canonical: bool
) -> None:
    snapshot = load_snapshot(device)
    backend = EngineBackend(snapshot)
    compiled = compile_template(chain(), snapshot) if canonical else backend.compile(chain())
    rng = np.random.default_rng(3)
    same = near_clifford(compiled, ROW, 1.0, rng)
    exact = measured_probabilities(compiled, ROW[None])
    assert np.allclose(measured_probabilities(same, ROW[None]), exact, atol=1e-12)
    snapped = near_clifford(compiled, ROW, 0.0, rng)
    assert structure(snapped) == structure(same) == structure(compiled)
    assert not snapped.circuit.parameters
    # a stabiliser state's parities are 0 or +-1
    values = np.abs(parities(measured_probabilities(snapped, ROW[None])))
    assert np.allclose(values, np.round(values), atol=1e-9)
    if canonical:
        (row,) = native_rows(snapped, ROW[None])
        assert row.num_nonlocal_gates() == compiled.two_qubit_gates


def test_fraction_kept_is_what_was_asked() -> None:
    compiled = ExactBackend().compile(chain())
    kept = []
    for seed in range(60):
        made = near_clifford(compiled, ROW, 0.3, np.random.default_rng(seed))
        free = [i for i in compiled.circuit.data if i.operation.params]
        now = [i for i in made.circuit.data if i.operation.params]
        turns = [float(i.operation.params[0]) / (np.pi / 2) for i in now]
        kept.append(np.mean([abs(t - round(t)) > 1e-9 for t in turns]))
        assert len(free) == len(now)
    assert 0.25 < np.mean(kept) < 0.33


def test_parities_are_expectations_of_z_products() -> None:
    p = np.random.default_rng(1).dirichlet(np.ones(8))
    signs = np.array([[(-1) ** (s & j).bit_count() for j in range(8)] for s in range(8)])
    assert np.allclose(parities(p[None])[0], signs @ p)
    assert wires_in(8).tolist() == [0, 1, 1, 2, 1, 2, 2, 3]
    assert leading_wires(signs[1:].astype(float)).tolist() == [1, 1, 2, 1, 2, 2, 3]


def test_variances_of_functionals_are_those_of_sampled_ones() -> None:
    rng = np.random.default_rng(5)
    p, shots = rng.dirichlet(np.ones(16)), 400
    wanted, inverse = rng.normal(size=(5, 16)), rng.normal(size=(16, 16))
    frequencies = rng.multinomial(shots, p, size=20000) / shots
    plain = Estimate(p[None], np.zeros((1, 16)), shots)
    made = (frequencies @ wanted.T).var(axis=0)
    assert np.allclose(plain.variance_of(wanted)[0], made, rtol=0.06)
    corrected = Estimate(
        p[None] @ inverse.T, np.ones((1, 16)), measured=Measured(p[None], shots, inverse)
    )
    made = (frequencies @ inverse.T @ wanted.T).var(axis=0)
    assert np.allclose(corrected.variance_of(wanted)[0], made, rtol=0.06)
    loose = Estimate(p[None], rng.uniform(0.1, 1, (1, 16)))
    assert np.allclose(loose.variance_of(wanted), loose.variance @ (wanted**2).T)


def test_unbiased_variance_is_right_on_average_for_few_shots() -> None:
    rng = np.random.default_rng(6)
    p, shots, wanted = rng.dirichlet(np.ones(8)), 5, rng.normal(size=(3, 8))
    frequencies = rng.multinomial(shots, p, size=200_000) / shots
    found = linear_variance(frequencies, shots, wanted, unbiased=True).mean(axis=0)
    assert np.allclose(found, (frequencies @ wanted.T).var(axis=0), rtol=0.02)


def test_slopes_are_free_of_attenuation_and_know_their_error() -> None:
    groups = np.array([0, 1, 1, 2, 2, 2])
    truth, noise = np.array([1.3, 1.3, 1.3, 2.0, 2.0, 2.0]), 0.05
    exact = np.random.default_rng(2).normal(0, 0.2, (12, 6))
    found, errors = [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        noisy = exact / truth + rng.normal(0, noise, exact.shape)
        learnt = learn_slopes(noisy, np.full(exact.shape, noise**2), exact, groups)
        found.append(learnt.values)
        errors.append(np.sqrt(np.diag(learnt.covariance)))
    naive = 1.3 * (0.2 / 1.3) ** 2 / ((0.2 / 1.3) ** 2 + noise**2)
    mean = np.mean(found, axis=0)
    assert mean[0] == 1.0
    assert mean[1] == pytest.approx(1.3, rel=0.03) and abs(naive / 1.3 - 1) > 0.08
    assert mean[2] == pytest.approx(2.0, rel=0.15)
    assert np.mean(errors, axis=0)[1] == pytest.approx(np.std(found, axis=0)[1], rel=0.35)


def test_a_group_without_signal_takes_the_common_slope() -> None:
    exact = np.array([[0.5, 0.0], [-0.4, 0.0], [0.3, 0.0]])
    learnt = learn_slopes(exact / 1.5, np.full((3, 2), 1e-9), exact, np.array([1, 2]))
    assert learnt.values == pytest.approx([1.0, 1.5, 1.5], rel=1e-6)


def misread(error: float) -> EngineBackend:
    """No gate noise; every bit is flipped with one chance."""
    snapshot = load_snapshot("ibm_fez")
    qubits = tuple(q.model_copy(update={"p10": error, "p01": error}) for q in snapshot.qubits)
    fields = {name: getattr(snapshot, name) for name in type(snapshot).model_fields}
    noise = NoiseOptions(gates=0, idle=0, depolarising=0)
    return EngineBackend(DeviceSnapshot(**{**fields, "qubits": qubits}), noise=noise)


def test_flips_of_every_bit_are_undone_exactly() -> None:
    backend = misread(0.04)
    compiled = backend.compile(chain())
    program = build_program(
        Pipeline.parse("cdr(12,share=0.2)"), backend, compiled, ANGLES, shots=10**7, seed=0
    )
    counts = {
        b.label: np.round(backend.probabilities(b.compiled, b.angles) * 10**9).astype(np.int64)
        for b in program.batches
    }
    found = program.combine(counts)
    exact = measured_probabilities(compiled, ANGLES)
    expected = [0.92**-k for k in range(1, 5)]
    assert found.record["cdr"]["slopes"] == pytest.approx(expected, rel=1e-5)
    assert np.abs(found.values - exact).max() < 1e-5
    z = parities(np.eye(16))[[8, 12, 15]]  # Z on wire 0, on 0 and 1, on all
    features = build_program(
        program.pipeline, backend, compiled, ANGLES, shots=10**7, seed=0, features=z
    ).combine(counts)
    assert np.abs(features.values - exact @ z.T).max() < 1e-5


@pytest.mark.parametrize("observed", [False, True])
@pytest.mark.parametrize("text", ["cdr(8,share=0.2)", "readout+cdr(8,slope,share=0.2)"])
def test_no_noise_is_within_error_bars(text: str, observed: bool) -> None:
    backend = ExactBackend()
    compiled = backend.compile(chain())
    exact = measured_probabilities(compiled, ANGLES)
    features = parities(np.eye(16))[[1, 8, 12, 7]] if observed else None
    exact = exact if features is None else exact @ features.T
    inside = []
    for seed in range(20):
        program = build_program(
            Pipeline.parse(text), backend, compiled, ANGLES, shots=3000, seed=seed,
            features=features,
        )  # fmt: skip
        truth = {b.label: backend.probabilities(b.compiled, b.angles) for b in program.batches}
        for again in range(10):
            rng = np.random.default_rng([seed, again])
            counts = {b.label: sample(truth[b.label], b.shots, rng) for b in program.batches}
            found = program.combine(counts)
            inside.append(np.abs(found.values - exact) < 1.96 * found.standard_error)
    assert 0.94 < np.mean(inside) < 0.985


def test_gate_noise_shrinks_and_error_bars_hold_what_slopes_miss() -> None:
    backend = EngineBackend(load_snapshot("ibm_sherbrooke"))
    compiled = backend.compile(chain())
    exact = measured_probabilities(compiled, ANGLES)
    inside, raw, better = [], list[float](), list[float]()
    for seed in range(6):
        for text, keep in (("readout", raw), ("readout+cdr(12,share=0.1)", better)):
            program = build_program(
                Pipeline.parse(text), backend, compiled, ANGLES, shots=100_000, seed=seed
            )
            found = run_program(program, seed=seed)
            keep.append(np.abs(found.values - exact).sum())
        inside.append(np.abs(found.values - exact) < 1.96 * found.standard_error)
    assert np.mean(better) < 0.6 * np.mean(raw)
    assert np.mean(inside) > 0.85


def test_shots_are_counted_and_refusals_come_first() -> None:
    backend = ExactBackend()
    compiled = backend.compile(chain())
    pipeline = Pipeline((CliffordRegression(8, training_share=0.2),))
    program = build_program(pipeline, backend, compiled, ANGLES, shots=1000, seed=0)
    assert 0.98 * 3000 < program.total_shots <= 3000
    assert pipeline.needs[0].startswith("8 near-Clifford")
    with pytest.raises(MitigationError, match="must pay for 8 training circuits"):
        build_program(pipeline, backend, compiled, ANGLES, shots=5, seed=0)
    with pytest.raises(MitigationError, match="noise hides"):
        build_program(pipeline, backend, compiled, ANGLES, shots=15, seed=0)


def test_training_values_without_spread_are_refused() -> None:
    flat = QuantumCircuit(3, 3)
    flat.ry(np.pi / 2, range(3))
    flat.cz(0, 1)
    flat.measure(range(3), range(3))
    assert np.allclose(
        Statevector(flat.remove_final_measurements(inplace=False)).probabilities(), 1 / 8
    )
    backend = ExactBackend()
    with pytest.raises(MitigationError, match="differ from those of the mixed"):
        build_program(
            Pipeline.parse("cdr"), backend, backend.compile(flat), np.zeros((1, 0)),
            shots=10**6, seed=0,
        )  # fmt: skip
