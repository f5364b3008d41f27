"""The bench: equal totals, honest references, known answers without noise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.base import ShotResult
from backends.engine.backend import EngineBackend
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.analysis.bench.counts import CountSource
from qhw.analysis.bench.pipelines import bench_device, noise_options, run_bench
from qhw.analysis.bench.result import BenchResult, BenchSettings
from qhw.analysis.bench.subject import model_workload, noisy_backend
from qhw.mitigation.default import CANDIDATES, default_pipeline, resolve
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.placed import Placed
from qhw.mitigation.program import build_program
from tests.small_model import save_small_model

SILENT = NoiseOptions(gates=0, idle=0, readout=0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("model"))


def settings(model: Path, **changes: object) -> BenchSettings:
    values: dict[str, object] = {
        "model": str(model),
        "devices": ("engine:ibm_fez",),
        "shots": (4000,),
        "rows": 4,
        "repeats": 2,
        "pipelines": ("readout+zne(1,3)",),
    }
    return BenchSettings.parse(**{**values, **changes})


@pytest.fixture(scope="module")
def subject(model: Path) -> Placed:
    work = model_workload(str(model), "generate", 4, "brickwork", seed=0)
    return Placed.on(noisy_backend("engine:ibm_fez", NoiseOptions()), work, seed=0)


def test_totals_are_equal_and_references_always_there(model: Path) -> None:
    result = run_bench(settings(model))
    cells = {cell.asked: cell for cell in result.devices[0].budgets[0].cells}
    assert set(cells) == {"none", "readout", "readout+zne(1,3)"}
    for cell in cells.values():
        assert cell.total_shots is not None
        # a calibration's states share what a few shots cannot divide evenly
        assert 0 <= 4 * 4000 - cell.total_shots < 40
    assert cells["none"].ratio is not None
    assert cells["none"].ratio.value == 1
    assert cells["readout"].pipeline == "readout(share=0.05)"
    assert cells["readout+zne(1,3)"].over_readout is not None
    assert BenchResult.from_json(result.to_json()) == result


def test_raw_distance_is_that_of_the_noisy_distribution(model: Path, subject: Placed) -> None:
    shots = 10**8
    found = bench_device(subject, ("none",), settings(model, shots=(shots,)))
    noisy = subject.backend.probabilities(subject.compiled, subject.angles)  # type: ignore[attr-defined]
    expected = 0.5 * np.abs(noisy - subject.exact).sum(axis=1).mean()
    cell = found.budgets[0].cells[0]
    assert cell.tvd is not None
    assert cell.tvd.value == pytest.approx(expected, rel=1e-3)


def test_without_noise_raw_is_at_the_floor_and_nothing_beats_it(model: Path) -> None:
    work = model_workload(str(model), "generate", 4, "brickwork", seed=0)
    quiet = Placed.on(noisy_backend("engine:ibm_fez", SILENT), work, seed=0)
    asked = ("none", "readout", "readout+zne(1,3)")
    budget = bench_device(quiet, asked, settings(model, repeats=20)).budgets[0]
    raw, corrected, extrapolated = (budget.cell(text) for text in asked)
    assert raw is not None and raw.tvd is not None
    assert corrected is not None and extrapolated is not None
    assert raw.tvd.value == pytest.approx(budget.floor, rel=0.05)
    assert extrapolated.against_readout == extrapolated.against_raw == "worse"
    assert budget.best is None and budget.least is raw
    assert raw.coverage == pytest.approx(0.95, abs=0.04)


def test_same_seed_same_numbers_and_another_seed_others(model: Path, subject: Placed) -> None:
    first, again, other = (
        bench_device(subject, ("none", "readout"), settings(model, seed=seed)).budgets
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_refused_pipelines_say_why_and_the_others_run(model: Path, subject: Placed) -> None:
    asked = ("none", "readout(share=0.01)", "zne(1,3)")
    budget = bench_device(subject, asked, settings(model, shots=(30,))).budgets[0]
    refused, other = (budget.cell(text) for text in asked[1:])
    assert refused is not None and refused.refused is not None
    assert "calibration" in refused.refused
    assert other is not None and other.tvd is not None


def test_pipeline_far_closer_than_raw_is_named_best(model: Path, subject: Placed) -> None:
    budget = bench_device(subject, ("none", "readout"), settings(model, shots=(10**7,))).budgets[0]
    raw, corrected = budget.cells
    assert (raw.against_raw, corrected.against_raw) == (None, "better")
    assert budget.best is corrected is budget.least


def test_word_of_version_1_still_loads(model: Path) -> None:
    result = run_bench(settings(model, shots=(100,)))
    document = json.loads(result.to_json())
    cell = document["devices"][0]["budgets"][0]["cells"][2]
    document["schema_version"], cell["against_readout"] = 1, "same"
    del cell["against_raw"]
    read = BenchResult.from_json(json.dumps(document)).devices[0].budgets[0].cells[2]
    assert (read.against_readout, read.against_raw) == ("not told apart", None)


def test_encoder_gives_angles(model: Path) -> None:
    device = run_bench(settings(model, task="encode", shots=(10**7,))).devices[0]
    cell = device.budgets[0].cell("readout+zne(1,3)")
    assert cell is not None and cell.angle_deg is not None
    assert device.prior_mean_angle_deg is not None and device.budgets[0].floor_angle_deg is not None
    assert device.budgets[0].floor_angle_deg < 0.5
    assert cell.angle_deg.value < device.prior_mean_angle_deg


class _CountsOnly:
    """A device that gives counts and nothing else."""

    def __init__(self) -> None:
        self._inner = EngineBackend(load_snapshot("ibm_fez"))
        self.name, self.snapshot = self._inner.name, self._inner.snapshot
        self.compile, self.estimate = self._inner.compile, self._inner.estimate
        self.runs = 0

    def run(self, compiled, angles, *, shots: int, seed: int) -> ShotResult:  # type: ignore[no-untyped-def]
        self.runs += 1
        return self._inner.run(compiled, angles, shots=shots, seed=seed)


def test_counts_come_from_the_device_where_it_gives_no_distributions(
    subject: Placed,
) -> None:
    device = _CountsOnly()
    program = build_program(
        Pipeline.parse("zne(1,3)"), device, subject.compiled, subject.angles, shots=400, seed=0
    )
    counts = CountSource(device).counts(program, 5)
    assert device.runs == 2
    assert [counts[b.label].sum() for b in program.batches] == [4 * 300, 4 * 100]


def test_kept_distributions_are_those_of_the_circuit(subject: Placed) -> None:
    source = CountSource(subject.backend)
    programs = [
        build_program(
            Pipeline.parse("zne(1,3)"), subject.backend, subject.compiled, angles, shots=400, seed=0
        )
        for angles in (subject.angles, subject.angles + 0.3)
    ]
    for program in programs:
        for batch in (*program.batches, *program.batches):
            fresh = EngineBackend(load_snapshot("ibm_fez")).probabilities(
                batch.compiled, batch.angles
            )
            np.testing.assert_allclose(source.distribution(batch), fresh, atol=1e-9)


@pytest.mark.parametrize("text", CANDIDATES)
def test_candidates_resolve_and_pay_for_their_calibration(text: str, subject: Placed) -> None:
    assert not any("share" in part for part in str(resolve(text, subject.compiled)).split("+"))
    paying = resolve(text, subject.compiled, share=0.1)
    assert ("readout" in str(paying)) == ("share=0.1" in str(paying))


def test_default_follows_shots_and_gates(subject: Placed) -> None:
    enough, few = (default_pipeline(subject.compiled, total) for total in (10**6, 2000))
    assert [t.name for t in enough.techniques] == ["twirl", "readout", "cdr"]
    assert [t.name for t in few.techniques] == ["twirl", "readout", "zne"]
    assert default_pipeline(subject.compiled) == enough
    bare = replace(subject.compiled, circuit=subject.compiled.circuit.copy_empty_like())
    assert str(default_pipeline(bare)) == "readout"


@pytest.mark.parametrize("shots", [20, 200, 2000, 20_000])
def test_default_is_never_refused(subject: Placed, shots: int) -> None:
    pipeline = resolve("default", subject.compiled, total_shots=4 * shots)
    build_program(pipeline, subject.backend, subject.compiled, subject.angles, shots=shots, seed=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": 1}, "`rows` must be"),
        ({"repeats": 1}, "`repeats` must be|`repeats` "),
        ({"shots": ()}, "`shots` must list"),
        ({"share": 0.0}, "`share`"),
        ({"task": "draw"}, "`task`"),
    ],
)
def test_bad_settings(model: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        settings(model, **changes)
    assert "\n" not in str(error.value)


def test_bad_noise() -> None:
    with pytest.raises(ValueError, match=r"`noise` must have options among .*zz_rad.*'zz'"):
        noise_options({"zz": 1.0})
    with pytest.raises(ValueError, match="`noise` must be left out"):
        noisy_backend("exact", NoiseOptions(zz_rad=0.1))
