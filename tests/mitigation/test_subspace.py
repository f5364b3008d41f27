"""Readout of wide counts against the dense formulas on the same narrow ones."""

from __future__ import annotations

import numpy as np
import pytest

import qhw.mitigation.correction as correction
from backends.engine.backend import EngineBackend
from backends.outcomes import Outcomes
from calibration.catalog import load_snapshot
from qhw.mitigation import subspace
from qhw.mitigation.base import MitigationError, frequencies
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program, run_program
from qhw.mitigation.readout import joint
from qhw.mitigation.subspace import subspace_estimate
from tests.backends.reference.wide_circuits import clifford_layers, ghz

M = 8


def singles(m: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    p10, p01 = rng.uniform(0.005, 0.03, m), rng.uniform(0.01, 0.06, m)
    return np.stack([np.array([[1 - a, b], [a, 1 - b]]) for a, b in zip(p10, p01, strict=True)])


def counts_of(rng: np.random.Generator) -> np.ndarray:
    return rng.multinomial(5000, rng.dirichlet(np.full(2**M, 0.05)), size=2)


def test_the_subspace_of_narrow_counts_is_m3_s() -> None:
    matrices, counts = singles(M), counts_of(np.random.default_rng(2))
    whole = joint({(w,): matrices[w] for w in range(M)})
    found = subspace_estimate(frequencies(counts), matrices, Outcomes.all_of(M))
    for row, count in enumerate(counts):
        seen = np.flatnonzero(count)
        part = whole[np.ix_(seen, seen)]
        inverse = np.linalg.inv(part / part.sum(axis=0))
        f = count[seen] / count.sum()
        np.testing.assert_allclose(found.values[row, seen], inverse @ f, atol=1e-12)
        spread = (inverse**2 @ f - (inverse @ f) ** 2) / 5000
        np.testing.assert_allclose(found.variance[row, seen], spread, rtol=1e-3, atol=1e-7)
        assert found.values[row].sum() == pytest.approx(1.0)
        assert not found.values[row, count == 0].any()


def test_solving_gives_what_inverting_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = frequencies(counts_of(np.random.default_rng(3)))
    inverted = subspace_estimate(measured, singles(M), Outcomes.all_of(M))
    monkeypatch.setattr(subspace, "DIRECT", 0)
    solved = subspace_estimate(measured, singles(M), Outcomes.all_of(M))
    np.testing.assert_allclose(solved.values, inverted.values, atol=1e-6)
    assert "first order" in solved.record["readout"]["method"]


def test_wire_by_wire_is_the_whole_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = EngineBackend(load_snapshot("ibm_fez"))
    compiled = backend.compile(ghz(5))

    def run() -> object:
        program = build_program(
            Pipeline.parse("readout"), backend, compiled, np.zeros((2, 0)), shots=500, seed=1
        )
        return run_program(program, seed=3)

    whole = run()
    monkeypatch.setattr(correction, "MATRIX_BITS", 1)
    by_wire = run()
    np.testing.assert_allclose(by_wire.values, whole.values, atol=1e-13)
    np.testing.assert_allclose(by_wire.probabilities, whole.probabilities, atol=1e-13)
    np.testing.assert_allclose(by_wire.own_error, whole.own_error, rtol=5e-2)
    assert (by_wire.own_error >= whole.own_error * (1 - 1e-9)).all()


@pytest.mark.parametrize(
    "text", ["readout(tensored)", "readout(ibu)", "zne(1,3)", "readout(share=0.1)"]
)
def test_what_needs_all_outcomes_says_up_to_which_width_it_works(text: str) -> None:
    with pytest.raises(
        MitigationError, match="works up to 20 measured bits, but the circuit has 24"
    ):
        Pipeline.parse(text).check_width(24)
    Pipeline.parse(text).check_width(20)


def test_twirled_wide_circuits_are_pooled() -> None:
    backend = EngineBackend(load_snapshot("ibm_fez"))
    compiled = backend.compile(clifford_layers(22, 2))
    program = build_program(
        Pipeline.parse("twirl(2)+readout"), backend, compiled, np.zeros((1, 0)), shots=400, seed=1
    )
    found = run_program(program, seed=3)
    assert found.outcomes is not None and found.probabilities.shape == (1, len(found.outcomes))
    assert found.probabilities.sum() == pytest.approx(1.0)
    assert sum(table.sum() for table in found.counts.values()) == 400
