"""Layerwise Richardson: coefficients against mitiq's, and the order of what is left."""

from __future__ import annotations

import numpy as np
import pytest

from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.mitigation.base import MitigationError
from qhw.mitigation.lre import fold_patterns, richardson_coefficients
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program, run_program
from tests.mitigation.test_pipeline import ANGLES, chain


def test_text_and_back() -> None:
    assert str(Pipeline.parse("readout+lre(2,3)")) == "readout+lre(2,3)"
    assert str(Pipeline.parse("lre")) == "lre(1,4)"
    assert Pipeline.parse("lre(2,4)").circuits == 15


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lre(0,4)", "numbers from 1"),
        ("lre(3,30)", "at most 500 circuits"),
        ("lre(1.5,4)", "whole number"),
        ("lre(1,2,3)", "up to 2 arguments"),
    ],
)
def test_bad_text_is_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(MitigationError, match=said) as error:
        Pipeline.parse(text)
    assert "\n" not in str(error.value)


@pytest.mark.slow  # importing cirq and mitiq takes longer than all else here
@pytest.mark.parametrize(("degree", "chunks"), [(1, 1), (1, 4), (2, 3), (2, 4), (3, 2)])
def test_coefficients_are_mitiqs(degree: int, chunks: int) -> None:
    cirq = pytest.importorskip("cirq")
    lre = pytest.importorskip("mitiq.lre.inference")
    qubits = cirq.LineQubit.range(2)
    circuit = cirq.Circuit([cirq.CZ(*qubits)] * 12)
    theirs = lre.multivariate_richardson_coefficients(
        circuit, degree=degree, fold_multiplier=1, num_chunks=chunks
    )
    ours = richardson_coefficients(fold_patterns(degree, chunks))
    assert np.allclose(ours, theirs)


def test_known_coefficients() -> None:
    assert richardson_coefficients(fold_patterns(1, 1)) == pytest.approx([1.5, -0.5])
    assert richardson_coefficients(fold_patterns(1, 4)) == pytest.approx(
        [3, -0.5, -0.5, -0.5, -0.5]
    )
    assert richardson_coefficients(fold_patterns(2, 1)) == pytest.approx([15 / 8, -5 / 4, 3 / 8])


def test_polynomials_are_read_off_exactly() -> None:
    patterns = fold_patterns(2, 3)
    scales = 1 + 2 * np.array(patterns)
    values = 0.7 + scales @ [0.1, -0.2, 0.3] + 0.05 * scales[:, 0] * scales[:, 2]
    assert richardson_coefficients(patterns) @ values == pytest.approx(0.7)


def test_what_is_left_falls_with_the_degree() -> None:
    errors = []
    noise = NoiseOptions(idle=0, readout=0, gates=0.5)
    backend = EngineBackend(load_snapshot("ibm_sherbrooke"), noise=noise)
    compiled = backend.compile(chain())
    exact = measured_probabilities(compiled, ANGLES)
    for text in ("none", "lre(1,3)", "lre(2,3)"):
        program = build_program(
            Pipeline.parse(text), backend, compiled, ANGLES, shots=10**6, seed=0
        )
        gates = [b.compiled.two_qubit_gates for b in program.batches]
        assert gates[0] == compiled.two_qubit_gates
        counts = {
            b.label: np.round(backend.probabilities(b.compiled, b.angles) * 10**10).astype(np.int64)
            for b in program.batches
        }
        errors.append(np.abs(program.combine(counts).values - exact).sum())
    # one-qubit gates are not folded: their noise is what the second degree cannot remove
    assert errors[1] < 0.25 * errors[0]
    assert errors[2] < errors[1]


def test_no_noise_is_within_error_bars() -> None:
    backend = ExactBackend()
    compiled = backend.compile(chain())
    exact = measured_probabilities(compiled, ANGLES)
    program = build_program(
        Pipeline.parse("readout+lre(1,3)"), backend, compiled, ANGLES, shots=4000, seed=0
    )
    inside = []
    for seed in range(200):
        found = run_program(program, seed=seed)
        inside.append(np.abs(found.values - exact) < 1.96 * found.standard_error)
    assert 0.94 < np.mean(inside) < 0.965


def test_refusals_come_before_anything_runs() -> None:
    backend = ExactBackend()
    compiled = backend.compile(chain())
    for text, shots, said in (
        ("lre(1,40)", 1000, "at least 40 two-qubit gates, but it has 9"),
        ("lre(1,4)", 3, "at least one"),
    ):
        with pytest.raises(MitigationError, match=said):
            build_program(Pipeline.parse(text), backend, compiled, ANGLES, shots=shots, seed=0)
