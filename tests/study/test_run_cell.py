from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.stored import StoredError
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions, apply_confusion
from qhw.analysis.scores.metrics import total_variation
from qhw.mitigation.zne import folded
from qhw.models.checkpoint import load
from qhw.models.exact import template_of
from qhw.study.circuits import (
    CircuitSet,
    compile_circuits,
    open_circuits,
)
from qhw.study.config import StudyConfig
from qhw.study.grid import Cell, digests, expand
from qhw.study.material import material
from qhw.study.run_cell import Row, run_cell


def _run(settings: dict[str, Any], **changes: Any) -> list[Row]:
    config = StudyConfig.model_validate(settings | changes)
    rows = []
    for cell in expand(config, digests(config)):
        rows += run_cell(cell, _circuits(cell))
    return rows


def _circuits(cell: Cell) -> str:
    made = compile_circuits(cell.circuit, cell.config.preparation, cell.config.task)
    return made.model_dump_json()


@pytest.mark.parametrize("task", ["generate", "reconstruct"])
@pytest.mark.parametrize("simulator", ["engine", "aer"])
def test_no_noise_and_infinite_shots_is_exact(
    settings: dict[str, Any], task: str, simulator: str
) -> None:
    rows = _run(
        settings,
        task=task,
        simulator=simulator,
        scales=[0],
        shots=["infinite"],
        preparation="exact",
    )
    assert [row["mitigation"] for row in rows] == ["none", "readout"]
    for row in rows:
        assert row["status"] == "done"
        assert max(row["tvd_rows"]) < 1e-9
        assert row["skill"] == pytest.approx(1)
        assert row["shot_floor_tvd"] < 1e-12
        assert row["valid"] == row["exact_valid"]
        assert row["type_accuracy"] == 1


def test_readout_alone_is_its_confusion_matrix_and_is_undone(settings: dict[str, Any]) -> None:
    changes = {"scales": [1], "shots": ["infinite"], "preparation": "exact"}
    budget = {"sources": ["readout"], "modes": ["only"]}
    config = StudyConfig.model_validate(settings | changes | {"budget": budget})
    cell = expand(config, digests(config))[1]
    text = _circuits(cell)
    raw, corrected = run_cell(cell, text)
    backend, compiled = open_circuits(text, "engine", NoiseOptions())
    rows = material(cell.circuit.model, cell.circuit.digests[0], 0, config)
    matrices = list(backend.readout_matrices(compiled["decoder"]).matrices)
    wanted = total_variation(rows.target, apply_confusion(rows.target, matrices))
    assert raw["sources"] == "only readout"
    assert np.allclose(raw["tvd_rows"], wanted, atol=1e-9)
    assert max(corrected["tvd_rows"]) < 1e-9


def test_noise_costs_and_simulators_agree(settings: dict[str, Any]) -> None:
    changes = {"scales": [0.5, 1, 2], "shots": ["infinite"], "mitigation": ["none"]}
    ours = _run(settings, **changes)
    aers = _run(settings, **changes, simulator="aer")
    means = [row["tvd"] for row in ours]
    assert means == sorted(means)
    assert means[0] > 0.005
    for a, b in zip(ours, aers, strict=True):
        assert np.allclose(a["tvd_rows"], b["tvd_rows"], atol=1e-8)


def test_same_counts_for_every_mitigation_and_floor_as_expected(settings: dict[str, Any]) -> None:
    rows = _run(settings, scales=[0], molecules=12, preparation="exact")
    assert rows[0]["tvd_rows"] == pytest.approx(rows[1]["tvd_rows"], abs=1e-9)
    # without noise the device is at its shot floor
    assert rows[0]["tvd"] == pytest.approx(rows[0]["shot_floor_tvd"], rel=0.15)


@pytest.mark.parametrize("task", ["generate", "reconstruct"])
def test_pipelines_win_at_the_same_shots_and_the_others_keep_their_numbers(
    settings: dict[str, Any], task: str
) -> None:
    changes = {"scales": [2], "shots": [100_000], "task": task, "draw": False}
    pipelines = ["none", "readout", "readout+zne(1,3)"]
    rows = _run(settings, **changes, mitigation=pipelines)
    assert [row["mitigation"] for row in rows] == pipelines
    # the readout errors that are simulated are twice the reported ones, and known
    assert rows[2]["tvd"] < 0.8 * rows[1]["tvd"] < 0.8 * rows[0]["tvd"]
    without = _run(settings, **changes)
    assert [row["tvd_rows"] for row in without] == [row["tvd_rows"] for row in rows[:2]]
    again = _run(settings, **changes, mitigation=pipelines[2:])
    assert again[0]["tvd_rows"] == rows[2]["tvd_rows"]


def test_correction_knows_the_noise_that_is_simulated(settings: dict[str, Any]) -> None:
    rows = _run(
        settings,
        scales=[1],
        shots=["infinite"],
        preparation="exact",
        budget={"sources": ["readout"], "modes": ["only"], "scales": [2]},
    )
    doubled = [row for row in rows if row["sources"] == "only readout"]
    assert doubled[0]["tvd"] > 0.01
    assert doubled[1]["tvd"] < 1e-9


def test_what_fails_is_a_row_with_its_reason(settings: dict[str, Any]) -> None:
    # readout that is always wrong half of the time cannot be inverted; raw counts still count
    rows = _run(settings, scales=[50])
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert "readout must have wires" in rows[1]["reason"]


def test_too_many_molecules_fail_the_cell(settings: dict[str, Any]) -> None:
    rows = _run(settings, task="reconstruct", molecules=5000, scales=[0])
    assert {row["status"] for row in rows} == {"failed"}
    assert "at most 1000" in rows[0]["reason"]


def test_kept_circuits_run_as_the_compiled_ones_waits_included(settings: dict[str, Any]) -> None:
    config = StudyConfig.model_validate(settings | {"devices": ["ibm_boston"]})
    cell = expand(config, digests(config))[0]
    text = _circuits(cell)
    backend, compiled = open_circuits(text, "aer", NoiseOptions())
    circuit = compiled["decoder"].circuit
    delays = [i.operation for i in circuit.data if i.operation.name == "delay"]
    assert delays
    assert {delay.unit for delay in delays} == {"s"}
    assert all(1e-9 < delay.duration < 1e-4 for delay in delays)
    assert compiled["decoder"].two_qubit_gates == circuit.num_nonlocal_gates()
    model = load(cell.circuit.model)[0].double()
    template = template_of(model, "decoder", "brickwork")
    fresh = backend.compile(template.circuit, seed=0)
    angles = np.random.default_rng(0).uniform(-3, 3, (2, len(fresh.parameter_names)))
    assert fresh.parameter_names == compiled["decoder"].parameter_names
    assert np.allclose(
        backend.probabilities(fresh, angles),
        backend.probabilities(compiled["decoder"], angles),
        atol=1e-12,
    )


@pytest.mark.parametrize("text", ["", "{}", '{"format_version": 2}', "[1]"])
def test_damaged_circuits_are_named(text: str) -> None:
    with pytest.raises(StoredError, match=r"circuits/x\.json"):
        CircuitSet.from_json(text, "circuits/x.json")


def test_variants_of_kept_circuits_wait_as_those_of_fresh_ones(settings: dict[str, Any]) -> None:
    """Folds, twirls and the like are made from what was kept: nothing of it may be missing."""
    config = StudyConfig.model_validate(settings | {"devices": ["ibm_boston"]})
    cell = expand(config, digests(config))[0]
    text = _circuits(cell)
    backend, kept = open_circuits(text, "engine", NoiseOptions())
    template = template_of(load(cell.circuit.model)[0].double(), "decoder", "brickwork")
    fresh = backend.compile(template.circuit, seed=0)
    assert kept["decoder"].scheduled
    folds = np.ones(fresh.two_qubit_gates, dtype=np.int64)
    ours, theirs = (folded(one, folds) for one in (kept["decoder"], fresh))
    assert ours.circuit.count_ops()["delay"] == theirs.circuit.count_ops()["delay"] > 0
    angles = np.random.default_rng(1).uniform(-3, 3, (1, len(fresh.parameter_names)))
    assert np.allclose(
        backend.probabilities(ours, angles), backend.probabilities(theirs, angles), atol=1e-10
    )


def test_kept_circuits_of_the_first_version_are_known_to_be_scheduled() -> None:
    text = (Path(__file__).parent / "golden" / "circuits-v1.json").read_text(encoding="utf-8")
    kept = CircuitSet.from_json(text, "golden")
    assert kept.format_version == 1
    filled = kept.model_copy(update={"snapshot": load_snapshot("ibm_boston").to_json()})
    _, compiled = open_circuits(filled.model_dump_json(), "aer", NoiseOptions())
    assert compiled["decoder"].scheduled
    assert compiled["decoder"].circuit.count_ops()["delay"] > 0
