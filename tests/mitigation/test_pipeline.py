"""Pipelines as text, their accounting, and what they make of known circuits."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from backends.aer import AerBackend
from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.rewrite import rewritten, two_qubit_gates
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.mitigation.base import Estimate, MitigationError, frequencies, split_shots
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program, run_program
from qhw.mitigation.zne import shared_rate, shrunk


def chain() -> QuantumCircuit:
    """Four wires, two free angles, an asymmetric state."""
    circuit = QuantumCircuit(4, 4)
    for w in range(4):
        circuit.ry(Parameter(f"d[{w}]") if w < 2 else 0.4 + 0.3 * w, w)
    for layer in range(3):
        for w in range(3):
            circuit.cz(w, w + 1)
        for w in range(4):
            circuit.ry(0.7 - 0.2 * w + 0.1 * layer, w)
            circuit.rz(0.3 * w, w)
    circuit.measure(range(4), range(4))
    return circuit


ANGLES = np.array([[0.9, -0.4], [2.1, 1.3], [-1.2, 0.2]])


@pytest.mark.parametrize(
    "text",
    ["none", "twirl(8)", "readout", "readout(tensored,share=0.05)", "zne(1,3,exp)",
     "twirl(4)+readout+zne(1,2,3,richardson)"],
)  # fmt: skip
def test_text_and_back(text: str) -> None:
    assert str(Pipeline.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("magic", "among .* has 'magic' .all: .*readout"),
        ("readuot", r"'readuot' \(closest: readout; 13 others: `qhw doctor`"),
        ("zne(0.5,3)", "from 1 to"),
        ("zne(3,1)", "rising"),
        ("zne(1,3)+readout", "readout .* follows zne"),
        ("readout+readout", "once"),
        ("readout(share=0.9)", "share"),
        ("readout(best)", "methods"),
        ("readout(correlated)", "methods tensored, m3, ibu or none"),
        ("twirl(x)", "whole number"),
        ("twirl(1,2)", "up to 1 argument"),
        ("zne(1,3,cubic)", "models"),
        ("", "techniques"),
    ],
)
def test_bad_text_is_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(MitigationError, match=said) as error:
        Pipeline.parse(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "device", ["ibm_fez", "iqm_garnet", "ionq_forte_enterprise", "ibm_sherbrooke"]
)
@pytest.mark.parametrize("text", ["twirl(3)", "zne(1,3)", "zne(1,1.7)"])
def test_variants_mean_the_same_and_keep_their_gates(device: str, text: str) -> None:
    backend = EngineBackend(load_snapshot(device))
    compiled = backend.compile(chain())
    program = build_program(Pipeline.parse(text), backend, compiled, ANGLES, shots=600, seed=1)
    exact = measured_probabilities(compiled, ANGLES)
    gates = {b.label: b.compiled.two_qubit_gates for b in program.batches}
    for batch in program.batches:
        assert np.allclose(measured_probabilities(batch.compiled, ANGLES), exact, atol=1e-9)
        assert batch.compiled.physical_qubits == compiled.physical_qubits
        assert len(two_qubit_gates(batch.compiled)) == batch.compiled.two_qubit_gates
    n = compiled.two_qubit_gates
    if text == "zne(1,3)":
        assert gates == {"circuit/zne=1": n, "circuit/zne=3": 3 * n}
    if text == "twirl(3)":
        assert set(gates.values()) == {n}
        assert len({str(b.compiled.circuit.data) for b in program.batches}) == 3
    assert program.total_shots == 600 * len(ANGLES)


def test_shots_are_all_spent_and_counted() -> None:
    assert split_shots(10, [3.0, 1.0], "x") == (8, 2)
    assert sum(split_shots(1000, [1.0] * 7, "x")) == 1000
    with pytest.raises(MitigationError, match="at least one"):
        split_shots(2, [1.0, 1.0, 1.0], "x")
    backend = ExactBackend()
    pipeline = Pipeline.parse("twirl(2)+readout(share=0.1)+zne(1,3)")
    program = build_program(pipeline, backend, backend.compile(chain()), ANGLES, shots=4000, seed=0)
    assert program.total_shots <= 4000 * len(ANGLES)
    assert program.total_shots > 0.99 * 4000 * len(ANGLES)
    with pytest.raises(MitigationError, match="must pay"):
        build_program(pipeline, backend, program.compiled, ANGLES, shots=20, seed=0)


def test_no_noise_is_within_error_bars() -> None:
    backend = ExactBackend()
    compiled = backend.compile(chain())
    exact = measured_probabilities(compiled, ANGLES)
    inside = []
    for seed in range(60):
        program = build_program(
            Pipeline.parse("twirl(2)+readout+zne(1,3)"), backend, compiled, ANGLES,
            shots=4000, seed=seed,
        )  # fmt: skip
        found = run_program(program, seed=seed)
        inside.append(np.abs(found.values - exact) < 1.96 * found.standard_error)
    assert 0.93 < np.mean(inside) < 0.975


def test_readout_errors_alone_are_undone() -> None:
    noise = NoiseOptions(gates=0, idle=0, depolarising=0)
    backend = AerBackend(load_snapshot("ibm_fez"), noise=noise)
    compiled = backend.compile(chain())
    exact = measured_probabilities(compiled, ANGLES)
    for text in ("readout", "readout(tensored,share=0.2)", "readout(share=0.2)"):
        program = build_program(
            Pipeline.parse(text), backend, compiled, ANGLES, shots=2_000_000, seed=3
        )
        found = run_program(program, seed=4)
        assert np.abs(found.values - exact).max() < 1.8e-3
    raw = run_program(
        build_program(Pipeline(), backend, compiled, ANGLES, shots=2_000_000, seed=3), seed=4
    )
    assert np.abs(raw.values - exact).max() > 3e-3


def test_shared_rate_finds_the_decay_of_a_global_depolarising_channel() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(16), size=5)
    u, rate = 1 / 16, 0.2
    at = [u + (p - u) * np.exp(-rate * s) for s in (1.0, 3.0)]
    zero = np.zeros_like(p)
    found = shared_rate([Estimate(at[0], zero), Estimate(at[1], zero)], (1.0, 3.0), u)
    assert np.allclose(found.values, p)
    assert found.record["zne"]["decay"] == pytest.approx(np.exp(-2 * rate))


def test_rewriting_keeps_the_schedule() -> None:
    backend = AerBackend(load_snapshot("ibm_fez"))
    compiled = backend.compile(chain())
    same = rewritten(compiled, lambda _, gate, pair: [(gate, pair)])
    assert same.duration_s == pytest.approx(compiled.duration_s)
    assert same.circuit.count_ops()["delay"] == compiled.circuit.count_ops()["delay"]
    longer = rewritten(compiled, lambda _, gate, pair: [(gate, pair)] * 3)
    assert longer.duration_s > compiled.duration_s
    assert longer.predicted_success is not None and compiled.predicted_success is not None
    assert longer.predicted_success < compiled.predicted_success


def test_shrinking_goes_from_the_exponential_to_the_line_as_noise_falls() -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(16), size=5)
    # relaxation towards outcome 0 as well: one rate is not the whole truth
    bias = np.eye(16)[0] - p
    at = [1 / 16 + (p - 1 / 16) * np.exp(-0.1 * s) + 0.02 * s * bias for s in (1.0, 3.0)]
    weights = []
    for variance in (1e-2, 1e-4, 1e-6, 0.0):
        results = [Estimate(a, np.full_like(p, variance)) for a in at]
        found = shrunk(results, (1.0, 3.0), 1 / 16)
        weights.append(found.record["zne"]["linear_weight"])
        assert (found.variance >= 0).all()
    assert weights[0] == 0.0
    assert weights == sorted(weights)
    assert weights[-1] == pytest.approx(1.0)
    assert np.allclose(found.values, 1.5 * at[0] - 0.5 * at[1])


def test_a_row_that_got_fewer_shots_is_still_a_distribution() -> None:
    found = frequencies(np.array([[60, 40], [30, 50]]))
    assert found.values.tolist() == [[0.6, 0.4], [0.375, 0.625]]
    assert found.shots == 80
