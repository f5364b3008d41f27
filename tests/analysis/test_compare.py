from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.registry import get_backend
from qhw.analysis.compare.draw import draw_latents
from qhw.analysis.compare.model import compare, default_model, make_prior
from qhw.analysis.compare.result import ComparisonResult, ResultError
from qhw.analysis.compare.settings import Settings
from qhw.analysis.compare.stage import StageRunner
from qhw.chem.qm9 import sample_molecules
from qhw.latent import vmf
from qhw.latent.priors import VMFMixture
from qhw.mitigation.calibrate import calibrate_readout
from qhw.models.checkpoint import load, shipped
from qhw.models.exact import ExactModel

GOLDEN = Path(__file__).parent / "golden"


def run(model: Path, task: str, **changes: object) -> ComparisonResult:
    values = {"device": "exact", "shots": 20_000, "molecules": 6, "model": str(model), "task": task}
    return compare(Settings.parse(**(values | changes)), notify=lambda _: None).result


def without_times(result: ComparisonResult) -> dict[str, object]:
    return result.model_dump(exclude={"provenance"})


@pytest.mark.slow
def test_measured_readout_corrects_as_well_as_the_snapshot(
    small_model: Path, tmp_path: Path
) -> None:
    backend = get_backend("aer:ibm_torino")
    changes = {"device": backend.name, "shots": 1_000_000}
    known = run(small_model, "generate", **changes)
    taken = calibrate_readout(backend, known.circuits[0].qubits[::-1], shots=1_000_000, seed=1)
    file = tmp_path / "readout.json"
    file.write_text(taken.to_json())
    measured = run(small_model, "generate", **changes, calibrations=(str(file),))
    assert "measured on aer:ibm_torino" in measured.circuits[0].readout_source
    errors = [
        result.section("decoder").metric("total_variation").row("device_readout").mean.value
        for result in (known, measured)
    ]
    assert errors[1] == pytest.approx(errors[0], rel=0.05)

    with pytest.raises(ValueError, match=r"must be of aer:ibm_fez, but .* is of aer:ibm_torino"):
        run(small_model, "generate", device="aer:ibm_fez", calibrations=(str(file),))
    partial = calibrate_readout(backend, known.circuits[0].qubits[:2], shots=100, seed=1)
    file.write_text(partial.to_json())
    with pytest.raises(ValueError, match="must cover the measured qubits"):
        run(small_model, "generate", **changes, calibrations=(str(file),))
    with pytest.raises(ValueError, match="must be files"):
        run(small_model, "generate", **changes, calibrations=(str(tmp_path / "none.json"),))


@pytest.mark.parametrize("task", ["generate", "encode", "reconstruct"])
def test_a_noiseless_device_sits_on_the_shot_floor(small_model: Path, task: str) -> None:
    result = run(small_model, task, molecules=24)
    metric = result.section(result.verdict.section).metric("total_variation")
    device, floor = metric.row("device_raw").mean, metric.row("shots_only").mean
    assert device.value == pytest.approx(floor.value, rel=0.1)
    assert metric.row("device_readout") is None
    assert result.device.snapshot is None


def test_device_noise_shows_and_readout_correction_helps(small_model: Path) -> None:
    result = run(small_model, "generate", device="aer:ibm_torino", shots=1_000_000)
    metric = result.section("decoder").metric("total_variation")
    raw, corrected, floor = (
        metric.row(source).mean.value for source in ("device_raw", "device_readout", "shots_only")
    )
    assert floor < corrected < raw
    assert result.circuits[0].two_qubit_gates >= 16
    assert result.circuits[0].loading_fidelity_min > 0.9999
    assert "ibm_torino" in (result.circuits[0].readout_source or "")


def test_same_seed_same_result_other_seed_other_result(small_model: Path) -> None:
    first = run(small_model, "reconstruct", device="aer:ibm_lagos", molecules=3)
    again = run(small_model, "reconstruct", device="aer:ibm_lagos", molecules=3)
    other = run(small_model, "reconstruct", device="aer:ibm_lagos", molecules=3, seed=1)
    assert without_times(first) == without_times(again)
    assert first.sections != other.sections


def test_encoder_and_decoder_do_not_share_their_shot_noise(small_model: Path) -> None:
    exact = ExactModel(load(small_model)[0].double())
    runner = StageRunner(get_backend("exact"), 1000, "exact", "none", 5, lambda _: None)
    latents = np.eye(32)[:2]
    work = exact.workload("decoder", latents, "exact", seed=0)
    ways = [replace(work, role=role) for role in ("encoder", "decoder")]
    counts = [runner.run(way).counts for way in ways]
    assert (counts[0] != counts[1]).any()
    assert (runner.run(ways[0]).counts == counts[0]).all()


def test_many_shots_and_no_draw_bring_the_whole_way_to_exact(small_model: Path) -> None:
    result = run(small_model, "reconstruct", shots=10_000_000, draw=False)
    angle = result.section("direction").metric("angle").row("device_raw").mean.value
    assert angle < 0.1
    assert (
        result.section("molecules_exact").metric("type_accuracy").row("device_raw").mean.value == 1
    )
    assert result.draw.kappa is None


def test_kappa_is_raised_by_what_shots_already_spread(small_model: Path) -> None:
    draw = run(small_model, "reconstruct", shots=10_000, kappa=500.0).draw
    # concentrated limit: 1/kappa' = 1/kappa - 1/(4N)
    assert draw.kappa_used[0] == pytest.approx(1 / (1 / 500 - 1 / 40_000), rel=0.01)
    few = run(small_model, "reconstruct", shots=50, kappa=5000.0).draw
    assert few.unattainable == 6


def test_paired_draws_follow_the_law_and_each_other() -> None:
    mu = np.tile(np.eye(32)[0], (4000, 1))
    z = draw_latents(mu, 100.0, seed=2)
    assert np.linalg.norm(z, axis=1) == pytest.approx(np.ones(4000))
    cosine = (z * mu).sum(axis=1)
    error = cosine.std() / np.sqrt(4000)
    assert cosine.mean() == pytest.approx(vmf.mean_resultant_length(32, 100.0), abs=4 * error)
    near = draw_latents(mu, 100.5, seed=2)
    assert np.median(np.linalg.norm(near - z, axis=1)) < 0.01
    assert draw_latents(mu, None, seed=2) is mu
    infinite = draw_latents(mu[:2], np.array([np.inf, 100.0]), seed=2)
    assert (infinite[0] == mu[0]).all()
    assert (infinite[1] == z[1]).all()


def test_priors_by_name(small_model: Path) -> None:
    exact = ExactModel(load(small_model)[0].double())
    sample = sample_molecules()
    orthant = make_prior("positive-orthant", exact, sample, 0).sample(50, np.random.default_rng(0))
    assert orthant.shape == (50, 32)
    assert (orthant >= 0).all()
    fitted = make_prior(None, exact, sample, 0)
    mu = exact.direction(exact.encoder(exact.inputs(sample.molecules)))
    uniform = make_prior("uniform-sphere", exact, sample, 0)
    around = make_prior("posterior", exact, sample, 0).sample(40, np.random.default_rng(0))
    # the nearest of the encoded molecules is as near as training's own spread
    nearest = (around @ mu.T).max(axis=1)
    assert nearest.mean() > vmf.mean_resultant_length(32, exact.model.kappa) - 0.01
    assert fitted.log_density(mu).mean() > uniform.log_density(mu).mean() + 10
    exactly = VMFMixture.fit(mu, 24, np.random.default_rng([0, 21, 1]))
    for part in ("weights", "means", "kappas"):  # published figures depend on the very bits
        np.testing.assert_array_equal(getattr(fitted, part), getattr(exactly, part))
    with pytest.raises(
        ValueError, match=r"`prior` .* 'uniform-spere' \(closest: uniform-sphere; 5 others"
    ):
        make_prior("uniform-spere", exact, sample, 0)


@pytest.mark.parametrize(
    ("version", "task", "rows"),
    [
        ("1", "reconstruct", 2),
        ("2", "generate", 3),
        ("3", "generate", 3),
        ("4", "generate", 3),
        ("4-assumed", "reconstruct", 3),
    ],
)
def test_golden_results_still_load(version: str, task: str, rows: int) -> None:
    path = GOLDEN / f"result-v{version}.json"
    result = ComparisonResult.from_json(path.read_text(encoding="utf-8"), "golden")
    assert result.settings.task == task
    assert not result.rehearsal
    assert [row.index for row in result.named_rows] == list(range(rows))
    assert ComparisonResult.from_json(result.to_json()) == result
    assert (result.agreement is not None) == (version >= "4")
    assert len(result.kappas) == (7 if version == "4-assumed" else 0)
    new = [row.novelty for row in result.validity if row.novelty is not None]
    assert bool(new) == (version == "4")
    assert all(found.against.startswith("QM9's training split") for found in new)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "must be JSON"),
        ('{"schema_version": 99}', "must have schema_version 1 to 4, but has 99"),
        ('{"schema_version": 1, "settings": {}}', "settings"),
    ],
)
def test_damaged_results_are_named(text: str, words: str) -> None:
    with pytest.raises(ResultError, match=words):
        ComparisonResult.from_json(text, "r.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shots": 0}, "`shots` must be greater than or equal to 1, but is 0"),
        ({"molecules": 1}, "`molecules` must be greater than or equal to 2"),
        ({"task": "fold"}, "`task`.*'generate', 'encode' or 'reconstruct'"),
        ({"mitigation": "magic"}, "`mitigation` must have techniques among .* has 'magic'"),
        ({"kappa": float("nan")}, "`kappa`"),
        ({"molecules": 1001}, "at most 1000"),
        ({"prior": "x"}, "`prior` must be one of"),
        ({"prior": "uniform-sphere"}, "`prior` must be left out of task encode"),
        ({"kappa": 10.0}, "`kappa` must be left out of task encode"),
        ({"mitigation": "none", "calibrations": ("c.json",)}, "left out of mitigation none"),
        ({"draw": False}, "`draw` must be left out of task encode"),
        ({"task": "generate", "input": "x.sdf"}, "belongs to encode and reconstruct"),
    ],
)
def test_settings_out_of_range_are_named(small_model: Path, change: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run(small_model, **({"task": "encode"} | change))


def test_default_model_is_a_shipped_one() -> None:
    assert default_model() in shipped()
