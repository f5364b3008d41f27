from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import qhw
from qhw.api.force_fields import evaluate_force_field
from qhw.cli.app import app
from qhw.forces import training
from qhw.forces.config import ForceTrainConfig
from qhw.forces.heads import Head, HeadConfig
from qhw.forces.model import ForceField
from qhw.forces.training import ForceData, Prepared, prepare, read_data, train_force_field
from qhw.models.checkpoint import load
from tests.forces.molecules import waters
from tests.forces.test_files import arrays

RMD17 = Path("../shared/data/rmd17")
INVARIANTS = {"cutoff": 4.0, "pair_radial": 5, "radial": 3, "degree": 2}


def settings(folder: Path, kind: str = "circuit", form: str = "hybrid", **more: object) -> dict:
    head = {"kind": kind, "form": form, "wires": 3, "blocks": 1}
    return {
        "name": "water",
        "model": {"kind": "force-field", "config": {"invariants": INVARIANTS, "head": head}},
        "data": {
            "train": str(folder / "train.npz"),
            "validation": 10,
            "test": str(folder / "test.npz"),
        },
        "components": 8,
        "inputs": 8,
        "epochs": 6,
        "batch_size": 8,
        "learning_rate": 0.01,
        "warmup": 5,
        "average": 0.9,
        **more,
    }


def same_weights(one: Path, other: Path) -> bool:
    first, second = (load(path)[0].state_dict() for path in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("water")
    np.savez(made / "train.npz", **arrays(waters(50, seed=0)))
    np.savez(made / "test.npz", **arrays(waters(30, seed=1)))
    return made


@pytest.fixture(scope="module")
def data(folder: Path) -> ForceData:
    return read_data(ForceTrainConfig.model_validate(settings(folder)).data)


@pytest.fixture(scope="module")
def prepared(folder: Path, data: ForceData) -> Prepared:
    return prepare(ForceTrainConfig.model_validate(settings(folder)), data)


@pytest.mark.parametrize(
    ("kind", "form"),
    [("circuit", "pure"), ("circuit", "hybrid"), ("mlp", "hybrid")],
)  # fmt: skip
def test_training_beats_the_ridge_it_starts_from(
    tmp_path: Path, folder: Path, data: ForceData, prepared: Prepared, kind: str, form: str
) -> None:
    config = ForceTrainConfig.model_validate(
        settings(folder, kind, form, epochs=25, learning_rate=0.04)
    )
    path = train_force_field(config, tmp_path, data=data, prepared=prepared, progress=False)
    _, card = load(path)
    found = card.metrics
    assert found["test/force_mae"] < 0.9 * found["test/ridge/force_mae"]
    assert found["test/ridge/force_mae"] < 0.3 * found["test/mean/force_mae"]
    assert ("test/shot_sigma" in found) == (kind in ("circuit", "product"))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").open()]
    assert [line["epoch"] for line in lines] == list(range(1, 26))
    assert lines[-1]["losses"]["total"] < lines[0]["losses"]["total"]


def test_the_card_says_what_the_model_is_and_the_stored_model_does_it(
    tmp_path: Path, folder: Path, data: ForceData, prepared: Prepared
) -> None:
    config = ForceTrainConfig.model_validate(settings(folder))
    path = train_force_field(config, tmp_path, data=data, prepared=prepared, progress=False)
    model, card = load(path)
    assert isinstance(model, ForceField) and model.config.invariants.species == (1, 8)
    assert card.config["invariants"]["cutoff"] == 4.0
    assert card.data["train"] == 40 and card.data["validation"] == 10 and card.data["test"] == 30
    assert len(card.data["sha256"]) == len(card.data["test_sha256"]) == 64
    found = evaluate_force_field(path, folder / "test.npz")
    assert found.energy_mae == pytest.approx(card.metrics["test/energy_mae"], rel=2e-3)
    assert found.force_mae == pytest.approx(card.metrics["test/force_mae"], rel=2e-3)
    assert found.shot_sigma == pytest.approx(card.metrics["test/shot_sigma"], rel=2e-3)
    again = train_force_field(
        config, tmp_path / "again", data=data, prepared=prepared, progress=False
    )
    assert same_weights(path, again)


def test_a_start_that_nothing_beats_is_kept(
    tmp_path: Path, folder: Path, data: ForceData, prepared: Prepared
) -> None:
    config = ForceTrainConfig.model_validate(settings(folder, learning_rate=30.0, warmup=0))
    path = train_force_field(config, tmp_path, data=data, prepared=prepared, progress=False)
    found = load(path)[1].metrics
    assert found["test/force_mae"] == pytest.approx(found["test/ridge/force_mae"], rel=1e-6)


def test_shot_weight_lowers_the_shots_needed(
    tmp_path: Path, folder: Path, data: ForceData, prepared: Prepared
) -> None:
    sigma = []
    for weight in (0.0, 10.0):
        config = ForceTrainConfig.model_validate(
            settings(folder, shot_weight=weight, epochs=15, learning_rate=0.04)
        )
        out = tmp_path / str(weight)
        path = train_force_field(config, out, data=data, prepared=prepared, progress=False)
        sigma.append(load(path)[1].metrics["test/shot_sigma"])
    assert sigma[1] < 0.9 * sigma[0]


def test_double_precision_finds_the_same_ridge(folder: Path, data: ForceData) -> None:
    config = settings(folder, "ridge")
    weights = []
    for precision in ("float32", "float64"):
        found = ForceTrainConfig.model_validate({**config, "precision": precision})
        field = training.force_field(
            (ready := prepare(found, data)), training.controls_of(found, ready)["ridge/"]
        )
        weights.append(field.energy_and_forces(waters(5, seed=3)))
    assert np.abs(weights[0][0] - weights[1][0]).max() < 1e-3
    assert np.abs(weights[0][1] - weights[1][1]).max() < 5e-3


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_weights(tmp_path: Path, folder: Path) -> None:
    for name in ("whole", "cut"):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(settings(folder, epochs=8)))
    whole = qhw.train(tmp_path / "whole.yaml", tmp_path / "whole", progress=False)
    script = (
        "import os, signal, sys; from pathlib import Path; from qhw.forces import training; "
        "import qhw; original = training._epoch\n"
        "def stopping(config, weights, optimizer, prepared, epoch):\n"
        "    if epoch == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return original(config, weights, optimizer, prepared, epoch)\n"
        "training._epoch = stopping\n"
        "qhw.train(Path(sys.argv[1]), Path(sys.argv[2]), progress=False)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "cut.yaml"), str(tmp_path / "cut")],
        check=False,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "cut" / "state.safetensors").exists()
    assert not (tmp_path / "cut" / "model.json").exists()
    cut = qhw.train(tmp_path / "cut.yaml", tmp_path / "cut", progress=False)
    assert same_weights(whole, cut)
    losses = [
        [json.loads(line)["losses"] for line in (tmp_path / k / "log.jsonl").open()]
        for k in ("whole", "cut")
    ]
    assert len(losses[0]) == 8 and losses[0] == losses[1]
    other = ForceTrainConfig.model_validate(settings(folder, epochs=9))
    with pytest.raises(ValueError, match="must not hold a run of another config"):
        qhw.train(other, tmp_path / "cut", progress=False)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("circuit", {"wires": 4, "blocks": 2}),
        ("circuit", {"wires": 5, "blocks": 1, "phases": "species"}),
        ("product", {"wires": 3, "phases": "species"}),
        ("mlp", {"width": 6}),
        ("cosine", {"width": 6}),
    ],
)
def test_a_pure_head_starts_at_the_ridge_to_fifth_order(kind: str, more: dict) -> None:
    """Inputs of half the size are off by a thirty-second; what carries them is not trained."""
    generator = torch.Generator().manual_seed(1)
    ridge, size = torch.randn(2, 7, generator=generator), torch.tensor([0.3, 0.5])
    inputs, kinds = torch.randn(20, 7, generator=generator).double(), torch.arange(20) % 2
    head = Head(HeadConfig(kind=kind, form="pure", **more), 2, 7, generator).double()
    head.start(ridge.double(), size.double())
    off = [
        head.energies(part * inputs, kinds)[0] - (part * inputs * ridge[kinds]).sum(1)
        for part in (0.2, 0.1)
    ]
    assert off[0].abs().max() > 1e-7
    torch.testing.assert_close(off[1], off[0] / 32, rtol=0.2, atol=1e-10)
    (head.energies(inputs, kinds)[0] - 1).square().sum().backward()
    columns = head.weight.detach().abs().amax(dim=(0, 1))
    carriers = columns.topk(2).indices
    slopes = head.weight.grad.abs().amax(dim=(0, 1))
    assert not slopes[carriers].any() and head.readout.grad.any()


def test_a_pure_head_of_one_unit_starts_at_the_ridge_to_third_order() -> None:
    generator = torch.Generator().manual_seed(1)
    ridge, inputs = torch.randn(1, 7, generator=generator), torch.randn(20, 7, generator=generator)
    kinds = torch.zeros(20, dtype=torch.long)
    for config in (HeadConfig(kind="mlp", form="pure", width=1), HeadConfig(form="pure", wires=2)):
        head = Head(config, 1, 7, generator).double()
        head.start(ridge.double(), torch.tensor([0.5]).double())
        off = [
            head.energies(part * inputs.double(), kinds)[0] - part * (inputs * ridge).sum(1)
            for part in (0.02, 0.01)
        ]
        torch.testing.assert_close(off[1], off[0] / 8, rtol=0.2, atol=1e-7)


@pytest.mark.parametrize(
    ("part", "species", "words"),
    [
        ("validation", None, "`validation`: atomic numbers must be among 1, 8, but .* has 7"),
        ("test", None, "`test`: atomic numbers must be among 1, 8, but .* has 7"),
        (None, [1], "`train`: atomic numbers must be among 1, but .* has 8"),
        (None, [1, 6, 8], "of the training frames, each once .1, 8., but has 1, 6, 8"),
        (None, [1, 8, 8], "each once .1, 8., but has 1, 8, 8"),
    ],
)
def test_species_that_are_not_learnt_are_told_before_anything_is_computed(
    tmp_path: Path, data: ForceData, folder: Path, part: str, species: list[int], words: str
) -> None:
    given = settings(folder)
    if part is not None:
        of_nitrogen = replace(waters(3), numbers=np.full((3, 3), 7))
        data = replace(data, **{part: of_nitrogen})
    if species is not None:
        given["model"]["config"]["invariants"] = {**INVARIANTS, "species": species}
    config = ForceTrainConfig.model_validate(given)
    with pytest.raises(ValueError, match=words):
        train_force_field(config, tmp_path, data=data, progress=False)


def test_controls_have_as_many_parameters() -> None:
    sizes = {}
    for kind in ("circuit", "mlp", "cosine", "product"):
        head = Head(HeadConfig(kind=kind), 3, 256, torch.Generator())
        sizes[kind] = sum(p.numel() for p in head.parameters())
    assert max(sizes.values()) < 1.02 * min(sizes.values())


def test_commands(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "c.yaml").write_text(json.dumps(settings(folder, epochs=2)))
    runner = CliRunner()
    done = runner.invoke(app, ["train", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "m")])
    assert done.exit_code == 0, done.output
    assert "test/ridge/force_mae" in done.output and "meV/Å" in done.output
    model = str(tmp_path / "m" / "model.json")
    asked = ["force-field", "evaluate", model, "--data", str(folder / "test.npz")]
    done = runner.invoke(app, asked)
    assert done.exit_code == 0 and "30 frames of test.npz" in done.output
    document = json.loads(runner.invoke(app, [*asked, "--json"]).output)
    assert document["frames"] == 30 and 0 < document["force_mae"] < document["mean_force_mae"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "epochs"),
        ({"data": {"train": "nowhere.npz"}}, "nowhere.npz cannot be read"),
        ({"batch_size": 41}, "at most the number of frames"),
        ({"model": {"kind": "force-field", "config": {"invariants": {"cutof": 3}}}}, "cutof"),
    ],
)
def test_bad_configs_get_one_line(
    tmp_path: Path, folder: Path, change: dict[str, object], words: str
) -> None:
    (tmp_path / "c.yaml").write_text(json.dumps({**settings(folder), **change}))
    with pytest.raises(ValueError, match=words) as caught:
        qhw.train(tmp_path / "c.yaml", tmp_path / "out", progress=False)
    assert "\n" not in str(caught.value)


def test_a_force_field_is_not_trained_on_qm9(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="data"):
        (tmp_path / "c.yaml").write_text("name: x\nmodel: {kind: force-field}\n")
        qhw.train(tmp_path / "c.yaml", tmp_path / "out", progress=False)


@pytest.mark.slow
@pytest.mark.skipif(not RMD17.is_dir(), reason="needs rMD17 in ../shared/data/rmd17")
def test_ridge_of_ethanol(tmp_path: Path) -> None:
    config = ForceTrainConfig.model_validate(
        {
            "name": "ethanol",
            "model": {"kind": "force-field", "config": {"head": {"kind": "ridge"}}},
            "data": {
                "train": str(RMD17 / "rmd17_ethanol_train_01.npz"),
                "test": str(RMD17 / "rmd17_ethanol_test_01.npz"),
                "frames": 100,
            },
            "components": 128,
            "inputs": 16,
        }
    )
    path = train_force_field(config, tmp_path, progress=False)
    assert load(path)[1].metrics["test/force_mae"] < 70
