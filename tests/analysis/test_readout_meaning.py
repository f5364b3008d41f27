"""`--mitigation readout` and `readout` in a pipeline are one thing."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path

import numpy as np
import pytest

from backends.engine.backend import EngineBackend
from backends.readout import readout_matrices
from calibration.catalog import load_snapshot
from calibration.readout import PairReadout, QubitReadout, ReadoutCalibration
from qhw.analysis.compare.model import compare
from qhw.analysis.compare.settings import Settings
from qhw.analysis.compare.stage import Stage
from qhw.mitigation.calibrate import measured_device_qubits
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program

BACKEND = EngineBackend(load_snapshot("ibm_fez"))
SINGLE = np.array([[0.96, 0.07], [0.04, 0.93]])
PAIR = np.array(
    [
        [0.90, 0.05, 0.03, 0.06],
        [0.02, 0.85, 0.01, 0.04],
        [0.02, 0.01, 0.91, 0.05],
        [0.06, 0.09, 0.05, 0.85],
    ]
)


def compared(model: Path, **changes: object) -> tuple[Stage, str | None]:
    """The decoder's stage of a comparison, and where its matrices came from."""
    settings = Settings.parse(
        model=str(model), device="engine:ibm_fez", shots=3000, molecules=3, task="generate",
        **changes,
    )  # fmt: skip
    found = compare(settings, backend=BACKEND, notify=lambda _: None)
    return found.outcome.stages[0], found.result.circuits[0].readout_source


def in_a_pipeline(text: str, stage: Stage, known: ReadoutCalibration | None) -> np.ndarray:
    """What the pipeline makes of the counts that the comparison took."""
    program = build_program(
        Pipeline.parse(text), BACKEND, stage.compiled, stage.angles, shots=3000, seed=9,
        calibration=known,
    )  # fmt: skip
    found = program.combine({"circuit": stage.counts}).probabilities
    assert found is not None
    return found


def by_hand(counts: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The inverse, then the nearest distribution: a shift that leaves a sum of 1, by bisection."""
    quasi = np.linalg.solve(matrix, (counts / counts.sum(axis=1, keepdims=True)).T).T
    low, high = quasi.min(axis=1) - 1, quasi.max(axis=1)
    for _ in range(100):
        middle = (low + high) / 2
        above = np.maximum(quasi - middle[:, None], 0).sum(axis=1) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.maximum(quasi - low[:, None], 0)


def correlated(m: int, first: int, second: int) -> np.ndarray:
    """``(2**m, 2**m)``, element by element: one pair of wires together, the others alone."""
    whole = np.ones((2**m, 2**m))
    for read, made in itertools.product(range(2**m), repeat=2):
        r, p = ([value >> (m - 1 - w) & 1 for w in range(m)] for value in (read, made))
        whole[read, made] = PAIR[2 * r[first] + r[second], 2 * p[first] + p[second]]
        for wire in set(range(m)) - {first, second}:
            whole[read, made] *= SINGLE[r[wire], p[wire]]
    return whole


def measured(qubits: tuple[int, ...], first: int, second: int) -> ReadoutCalibration:
    """A calibration that knows of :func:`correlated`."""
    # what is seen of a wire of the pair when the other one is ignored
    grouped = PAIR.reshape(2, 2, 2, 2).sum(axis=1).mean(axis=2)
    other = PAIR.reshape(2, 2, 2, 2).sum(axis=0).mean(axis=1)
    alone = {first: grouped, second: other}
    rows = tuple(map(tuple, PAIR.tolist()))
    return ReadoutCalibration(
        device=BACKEND.name,
        taken=datetime.now(UTC),
        shots=1000,
        states=2 ** len(qubits),
        qubits=tuple(
            QubitReadout(
                qubit=q, p10=alone.get(w, SINGLE)[1, 0], p10_error=0.0,
                p01=alone.get(w, SINGLE)[0, 1], p01_error=0.0,
            )
            for w, q in enumerate(qubits)
        ),
        pairs=(
            PairReadout(
                qubits=(qubits[first], qubits[second]), matrix=rows, errors=rows, correlation=0.1,
                significance=50.0,
            ),
        ),
    )  # fmt: skip


@pytest.mark.slow
def test_without_a_calibration(small_model: Path) -> None:
    stage, source = compared(small_model, mitigation="readout")
    assert stage.best_source == "device_readout"
    assert source is not None and source.startswith("snapshot of ibm_fez")
    assert (in_a_pipeline("readout", stage, None) == stage.best).all()
    assert (in_a_pipeline("readout(tensored)", stage, None) == stage.best).all()
    known = reduce(np.kron, readout_matrices(stage.compiled).matrices)
    np.testing.assert_allclose(stage.best, by_hand(stage.counts, known), atol=1e-10)
    raw, _ = compared(small_model, mitigation="none")
    assert (raw.counts == stage.counts).all()


@pytest.mark.slow
def test_with_a_pair_that_is_misread_together(small_model: Path, tmp_path: Path) -> None:
    qubits = measured_device_qubits(compared(small_model, mitigation="none")[0].compiled)
    m, first, second = len(qubits), len(qubits) - 1, 1  # neither neighbours nor in order
    known = measured(qubits, first, second)
    file = tmp_path / "readout.json"
    file.write_text(known.to_json())
    stage, source = compared(small_model, mitigation="readout", calibrations=(str(file),))
    assert source is not None and source.startswith("measured on engine:ibm_fez")
    assert (in_a_pipeline("readout", stage, known) == stage.best).all()
    expected = by_hand(stage.counts, correlated(m, first, second))
    np.testing.assert_allclose(stage.best, expected, atol=1e-10)
    apart = in_a_pipeline("readout(tensored)", stage, known)
    assert np.abs(apart - expected).sum(axis=1).min() / 2 > 0.02
    facts = stage.pipeline.mitigated
    assert facts.negative_mass == pytest.approx(-np.minimum(facts.values, 0).sum(axis=1))
    assert facts.distance == pytest.approx(np.linalg.norm(facts.values - stage.best, axis=1))
