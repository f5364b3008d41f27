"""Errors of a measured readout calibration: their derivatives, their coverage, and what they share.

Derivatives stand beside central differences in every rate and matrix element of the calibration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial, reduce

import numpy as np
import pytest
from qiskit import QuantumCircuit

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.engine.backend import EngineBackend
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.readout import ReadoutCalibration, calibration_states, fit_readout
from qhw.chem.encoding import encode, slots
from qhw.mitigation.base import Estimate
from qhw.mitigation.calibrate import measured_device_qubits
from qhw.mitigation.expectation import build_expectation
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import Program, build_program
from qhw.mitigation.readout import joint
from qhw.mitigation.structure import structured
from qhw.mitigation.zne import shrunk
from tests.mitigation.misread import PAIR, SINGLES, confusion_matrices
from tests.mitigation.test_pipeline import ANGLES, chain
from tests.mitigation.test_structure import PAPER, molecules

Counts = dict[str, np.ndarray]

SIGNS = np.array([[1 - 2 * (i.bit_count() & 1) for i in range(16)],
                  [1 - 2 * (i >> 3) for i in range(16)]], dtype=np.float64)  # fmt: skip
FEATURES = np.concatenate(
    [np.eye(8), [[1 - 2 * (i.bit_count() & 1) for i in range(8)], [1, 1, 1, 1, -1, -1, -1, -1]]]
)
"""Of three wires: every outcome, the parity of all wires, Z of the first."""
SHOTS = 2000
DEVICE = reduce(np.kron, confusion_matrices([0.03, 0.05, 0.08], [0.06, 0.1, 0.04]))
BOTH_AT_ONCE = joint({(0, 2): 0.85 * np.eye(4) + 0.15 * np.eye(4)[::-1], (1,): SINGLES[1]})
"""Wires 0 and 2 are misread together or not at all."""


def needs(text: str) -> None:
    if "m3" in text:
        pytest.importorskip("mthree", reason="readout(m3) needs the extra qhw[m3]")


def three_wires_compiled() -> CompiledTemplate:
    circuit = QuantumCircuit(3, 3)
    for wire, angle in enumerate([0.9, 2.0, 2.3]):
        circuit.ry(angle, wire)
    circuit.cz(0, 1)
    circuit.cx(1, 2)
    circuit.measure(range(3), [2, 1, 0])
    return AerBackend(load_snapshot("iqm_garnet")).compile(circuit)


def chances(program: Program) -> Counts:
    """Distributions on the device, readout errors included."""
    backend = program.context.backend
    noisy = {b.label: backend.probabilities(b.compiled, b.angles) for b in program.batches}
    return {label: p / p.sum(axis=1, keepdims=True) for label, p in noisy.items()}


def misread(program: Program, truth: np.ndarray) -> Counts:
    """Exact distributions, misread by ``truth``."""
    return {
        b.label: measured_probabilities(b.compiled, b.angles) @ truth.T for b in program.batches
    }


def drawn(program: Program, noisy: Counts, rng: np.random.Generator) -> Counts:
    return {b.label: rng.multinomial(b.shots, noisy[b.label]) for b in program.batches}


def measured(
    compiled: CompiledTemplate,
    truth: np.ndarray,
    shots: int,
    rng: np.random.Generator,
    device: str = "aer:iqm_garnet",
) -> ReadoutCalibration:
    """A calibration of wires misread by ``truth`` ``(2**m, 2**m)``, ``shots`` a state."""
    qubits = measured_device_qubits(compiled)
    states = calibration_states(len(qubits))
    index = states @ (1 << np.arange(len(qubits))[::-1])
    counts = rng.multinomial(shots, truth.T[index])
    return fit_readout(states, counts, qubits, device=device, taken=datetime.now(UTC))


def slope(
    program: Program, counts: Counts, changed: Callable[[float], ReadoutCalibration]
) -> np.ndarray:
    """Central difference of the values in one number of the calibration."""
    low, high = (
        replace(program, context=replace(program.context, calibration=changed(step)))
        .combine(counts)
        .values
        for step in (-1e-5, 1e-5)
    )
    return (high - low) / 2e-5


def variance_by_differences(
    program: Program, counts: Counts, known: ReadoutCalibration
) -> np.ndarray:
    """``J C J^T`` of the values, ``C`` binomial for single wires, multinomial for pairs."""

    def rate(i: int, name: str, step: float) -> ReadoutCalibration:
        qubits = list(known.qubits)
        qubits[i] = qubits[i].model_copy(update={name: getattr(qubits[i], name) + step})
        return known.model_copy(update={"qubits": tuple(qubits)})

    def element(i: int, read: int, prepared: int, step: float) -> ReadoutCalibration:
        pairs, matrix = list(known.pairs), np.array(known.pairs[i].matrix)
        matrix[read, prepared] += step
        pairs[i] = pairs[i].model_copy(update={"matrix": tuple(map(tuple, matrix))})
        return known.model_copy(update={"pairs": tuple(pairs)})

    total = np.zeros(1)
    for i, qubit in enumerate(known.qubits):
        for name in ("p10", "p01"):
            of_rate = slope(program, counts, partial(rate, i, name))
            total = total + (of_rate * getattr(qubit, f"{name}_error")) ** 2
    for i, pair in enumerate(known.pairs):
        for prepared, p in enumerate(np.array(pair.matrix).T):
            j = [slope(program, counts, partial(element, i, r, prepared)) for r in range(4)]
            covariance = (np.diag(p) - np.outer(p, p)) / (known.shots * known.states / 4)
            total = total + np.einsum("abk,ac,cbk->bk", j, covariance, j)
    return total


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("readout", None),
        ("readout", SIGNS),
        ("readout(tensored)", None),
        ("readout(m3)", SIGNS),
        ("readout(ibu)", SIGNS),
        ("twirl(2)+readout+zne(1,3)", None),
        ("readout+zne(1,3,exp)", None),
        ("readout+lre(1,2)", SIGNS),
        ("readout+cdr(6)", None),
        ("readout+cdr(6,slope)", SIGNS),
        ("readout+pec(4)", SIGNS),
    ],
)
def test_common_errors_are_derivatives(text: str, features: np.ndarray | None) -> None:
    """Two of four wires are misread together; counts are what is expected, shot noise next to 0."""
    needs(text)
    backend = EngineBackend(load_snapshot("ibm_torino"))
    compiled = backend.compile(chain())
    truth = joint({(0, 2): PAIR, (1,): SINGLES[0], (3,): SINGLES[1]})
    known = measured(compiled, truth, 2000, np.random.default_rng(0), backend.name)
    together = known.correlated_pairs(measured_device_qubits(compiled))
    assert len(together) == 1
    known = known.model_copy(update={"pairs": tuple(together)})
    program = build_program(
        Pipeline.parse(text), backend, compiled, ANGLES, shots=10**9, seed=0,
        features=features, calibration=known,
    )  # fmt: skip
    noisy = chances(program)
    counts = {b.label: np.rint(b.shots * noisy[b.label] @ truth.T).astype(np.int64)
              for b in program.batches}  # fmt: skip
    found = program.combine(counts)
    got = (found.common**2).sum(axis=0)
    expected = variance_by_differences(program, counts, known)
    np.testing.assert_allclose(np.sqrt(got), np.sqrt(expected), rtol=0.03, atol=3e-6)
    np.testing.assert_allclose(found.standard_error**2, found.own_error**2 + got)
    assert got.max() > 1e-6


def test_common_errors_of_extrapolation_that_shrinks_to_the_exponential() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(16), size=5)
    at = [1 / 16 + (p - 1 / 16) * np.exp(-0.1 * s) for s in (1.0, 3.0)]
    common = [0.01 * rng.normal(size=(4, 1, 1)) * a for a in at]

    def found(move: np.ndarray) -> Estimate:
        both = [
            Estimate(a + np.tensordot(move, c, axes=1), np.full_like(p, 1e-5), common=c)
            for a, c in zip(at, common, strict=True)
        ]
        return shrunk(both, (1.0, 3.0), 1 / 16)

    assert found(np.zeros(4)).record["zne"]["linear_weight"] == 0.0
    slopes = [(found(e).values - found(-e).values) / 2e-3 for e in 1e-3 * np.eye(4)]
    np.testing.assert_allclose(found(np.zeros(4)).common, slopes, rtol=0.02, atol=2e-6)


def test_common_errors_of_molecules_stay_within_their_blocks() -> None:
    """Scaling an atom's outcomes to their sum, by hand: no floor, types left as they are."""
    given = molecules(9)
    exact = encode(given) ** 2
    common = 1e-3 * np.random.default_rng(0).normal(size=(3, *exact.shape)) * (exact > 0)
    found = structured(Estimate(exact, np.zeros_like(exact), common=common), PAPER)
    for row, n in enumerate(given.counts):
        where = slots("paper", int(n))
        for places, types, aux in zip(where.places, where.types, where.aux, strict=True):
            np.testing.assert_allclose(found.common[:, row, types], 0.0, atol=1e-9)
            rest = [*places, aux]
            v, dv = exact[row, rest], common[:, row, rest]
            by_hand = dv - v / v.sum() * dv.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(found.common[:, row, rest], by_hand, rtol=1e-3, atol=1e-7)
    assert np.abs(found.common).max() > 1e-4


def test_what_is_known_exactly_has_no_common_error() -> None:
    backend, compiled = AerBackend(load_snapshot("iqm_garnet")), three_wires_compiled()
    known = measured(compiled, np.eye(8), 1000, np.random.default_rng(0))
    sure = tuple(q.model_copy(update={"p10_error": 0.0, "p01_error": 0.0}) for q in known.qubits)
    for given in (None, known.model_copy(update={"qubits": sure})):
        program = build_program(
            Pipeline.parse("readout"), backend, compiled, np.zeros((2, 0)), shots=100, seed=0,
            calibration=given,
        )  # fmt: skip
        found = program.combine(drawn(program, chances(program), np.random.default_rng(0)))
        assert found.common.shape == (0, 2, 8)
        assert (found.standard_error == found.own_error).all()


@pytest.mark.parametrize(
    ("text", "truth", "given"),
    [
        ("readout(share=0.2)", DEVICE, False),
        ("readout(tensored,share=0.2)", DEVICE, False),
        ("readout(m3,share=0.2)", DEVICE, False),
        ("readout(share=0.2)+zne(1,3)", DEVICE, False),
        ("readout", DEVICE, True),
        ("readout", BOTH_AT_ONCE, True),
    ],
)
def test_error_bars_cover(text: str, truth: np.ndarray, given: bool) -> None:
    """One row, as many calibrations as repeats: its own shots alone would cover 93 % or less."""
    needs(text)
    backend, compiled = AerBackend(load_snapshot("iqm_garnet")), three_wires_compiled()
    exact = measured_probabilities(compiled, np.zeros((1, 0))) @ FEATURES.T
    program = build_program(
        Pipeline.parse(text), backend, compiled, np.zeros((1, 0)), shots=SHOTS, seed=0,
        features=FEATURES,
    )  # fmt: skip
    rng, off, own, bars = np.random.default_rng(0), [], [], []
    noisy = misread(program, truth)
    for _ in range(400):
        if given:
            known = measured(compiled, truth, SHOTS // 40, rng)
            program = replace(program, context=replace(program.context, calibration=known))
        found = program.combine(drawn(program, noisy, rng))
        off.append(np.abs(found.values - exact))
        own.append(found.own_error)
        bars.append(found.standard_error)
    inside = (np.array(off) < 1.96 * np.array(bars))[:, 0]
    assert 0.93 < inside[:, :8].mean() < 0.97  # outcomes
    assert 0.93 < inside[:, 8:].mean() < 0.97  # expectation values
    if "zne" not in text:  # which enlarges shot noise, but not the calibration's errors
        assert (np.array(off) < 1.96 * np.array(own)).mean() < 0.93


def test_a_mean_over_rows_has_the_common_errors_whole() -> None:
    rows = 10
    backend, compiled = AerBackend(load_snapshot("iqm_garnet")), three_wires_compiled()
    program = build_program(
        Pipeline.parse("readout(share=0.05)"), backend, compiled, np.zeros((rows, 0)),
        shots=20_000, seed=0, features=FEATURES[8:],
    )  # fmt: skip
    rng = np.random.default_rng(0)
    noisy = misread(program, DEVICE)
    found = [program.combine(drawn(program, noisy, rng)) for _ in range(300)]
    scatter = np.std([f.values.mean(axis=0) for f in found], axis=0, ddof=1)
    own = np.mean([(f.own_error**2).mean(axis=0) / rows for f in found], axis=0)
    common = np.mean([(f.common.mean(axis=1) ** 2).sum(axis=0) for f in found], axis=0)
    np.testing.assert_allclose(np.sqrt(own + common), scatter, rtol=0.08)
    independent = np.mean([(f.standard_error**2).mean(axis=0) / rows for f in found], axis=0)
    assert (np.sqrt(independent) < 0.7 * scatter).all()


def test_measurement_bases_share_the_calibrations_errors() -> None:
    """A Bell state, whose three correlations are all 1: little shot noise, one calibration."""
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    program = build_expectation(
        AerBackend(load_snapshot("iqm_garnet")), circuit, np.zeros((1, 0)),
        {"XX": 1.0, "ZZ": 1.0, "YY": -1.0}, pipeline="readout(share=0.1)", shots=4000, seed=0,
    )  # fmt: skip
    truth = np.kron(SINGLES[0], SINGLES[1])
    noisy = {
        b.label: measured_probabilities(b.compiled, b.angles) @ truth.T for b in program.batches
    }
    rng, found = np.random.default_rng(0), []
    for _ in range(300):
        counts = {b.label: rng.multinomial(b.shots, noisy[b.label]) for b in program.batches}
        found.append(program.combine(counts))
    scatter = np.std([f.values for f in found], ddof=1)
    bars = np.sqrt(np.mean([f.standard_error**2 for f in found]))
    assert bars == pytest.approx(scatter, rel=0.08)
    apart = [sum(g.mitigated.standard_error**2 for g in f.groups) for f in found]
    assert np.sqrt(np.mean(apart)) < 0.85 * scatter
