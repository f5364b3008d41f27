"""The project's own geometries, and models trained on them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import qhw
from qhw.chem.geometries import GeometryError
from qhw.forces import training
from qhw.forces.evaluate import evaluate
from qhw.forces.files import _SHIPPED, read_geometries, shipped_geometries
from qhw.forces.spin_model import SpinField
from qhw.forces.spin_training import SpinTrainConfig
from qhw.models.checkpoint import load

NAMES = sorted({name.rsplit("_", 1)[0] for name in shipped_geometries()})


def test_there_are_some() -> None:
    assert {"h2o", "lih"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_cards_are_of_the_files(name: str) -> None:
    card = json.loads((_SHIPPED / f"{name}.json").read_text(encoding="utf-8"))
    counts = card["frames"]
    for part, count in (
        ("train", counts["train"] + counts["validation"]),
        ("test", counts["test"]),
    ):
        raw = (_SHIPPED / f"{name}_{part}.npz").read_bytes()
        assert len(raw) < 300_000
        assert hashlib.sha256(raw).hexdigest() == card["sha256"][f"{name}_{part}.npz"]
        frames, digest = read_geometries(Path(f"shipped:{name}_{part}.npz"))
        assert digest == card["sha256"][f"{name}_{part}.npz"] and len(frames) == count
        assert frames.forces is not None and frames.energies is not None
        assert np.abs(frames.forces.sum(axis=1)).max() < 2e-5
        assert np.ptp(frames.energies) <= card["energies_above_lowest"]["largest"] + 1e-4
    assert card["method"] and card["basis"] and card["program"] and card["seed"]


def test_forces_of_lih_are_the_slope_of_its_energies() -> None:
    frames, _ = read_geometries(Path("shipped:lih_train.npz"))
    assert frames.energies is not None and frames.forces is not None
    apart = frames.positions[:, 1] - frames.positions[:, 0]
    length = np.linalg.norm(apart, axis=1)
    order = np.argsort(length)
    pull = (frames.forces[:, 1] * apart).sum(axis=1) / length
    x, y, slope = length[order], frames.energies[order], -pull[order]
    steps, rises = np.diff(x), np.diff(y)
    off = np.abs(rises - 0.5 * (slope[1:] + slope[:-1]) * steps)
    near = steps < 0.01  # Å: the trapezoid rule is then right to a few µeV
    assert near.sum() > 60 and off[near].max() < 5e-6
    assert np.abs(rises[near]).max() > 5e-3


def test_unknown_names_and_units_get_one_line(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"one of h2o_test\.npz, .*but are 'gold'"):
        read_geometries(Path("shipped:gold"))
    arrays = dict(np.load(_SHIPPED / "lih_test.npz"))
    np.savez(tmp_path / "x.npz", **{**arrays, "unit": "rydberg"})
    with pytest.raises(GeometryError, match=r"x\.npz: Argument `unit` must be one of eV"):
        read_geometries(tmp_path / "x.npz")


def settings(epochs: int, **more: object) -> SpinTrainConfig:
    model = {
        "kind": "siqnn",
        "config": {"vectors": {"center": 3, "ligand": 1, "ligands": 1}, "head": {"layers": 2}},
    }
    data = {"train": "shipped:lih_train.npz", "test": "shipped:lih_test.npz", "validation": 20}
    asked = {"name": "lih", "model": model, "data": data, "epochs": epochs, "batch_size": 25}
    return SpinTrainConfig.model_validate({**asked, "warmup": 5, "average": 0.9, **more})


def test_model_a_is_trained_by_the_one_command(tmp_path: Path) -> None:
    config = settings(40, learning_rate=0.05, late_energy_weight=20.0, late=0.5)
    path = qhw.train(config, tmp_path, progress=False)
    model, card = load(path)
    assert isinstance(model, SpinField) and card.kind == "siqnn"
    found = card.metrics
    assert found["test/force_mae"] < 0.5 * found["test/mean/force_mae"]
    assert found["test/energy_mae"] < 0.5 * found["test/mean/energy_mae"]
    assert found["test/ridge/force_mae"] is not None and found["test/shot_sigma"] > 0
    again = evaluate(model, Path("shipped:lih_test.npz"))
    assert again.energy_mae == pytest.approx(found["test/energy_mae"], rel=1e-6)
    assert again.force_mae == pytest.approx(found["test/force_mae"], rel=1e-6)
    assert again.shot_sigma == pytest.approx(found["test/shot_sigma"], rel=1e-6)


def test_a_stopped_run_goes_on_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = qhw.train(settings(4), tmp_path / "whole", progress=False)
    epoch_of = training._epoch

    def stopping(config, weights, optimizer, sets, epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return epoch_of(config, weights, optimizer, sets, epoch)

    monkeypatch.setattr(training, "_epoch", stopping)
    with pytest.raises(KeyboardInterrupt):
        qhw.train(settings(4), tmp_path / "cut", progress=False)
    monkeypatch.setattr(training, "_epoch", epoch_of)
    cut = qhw.train(settings(4), tmp_path / "cut", progress=False)
    wanted, found = (load(path)[0].state_dict() for path in (whole, cut))
    assert all(torch.equal(value, found[key]) for key, value in wanted.items())
    logs = [[json.loads(line)["losses"] for line in (path.parent / "log.jsonl").open()]
            for path in (whole, cut)]  # fmt: skip
    assert len(logs[0]) == 4 and logs[0] == logs[1]


def test_the_second_stage_changes_the_energy_weight() -> None:
    config = settings(8, energy_weight=2.0, late_energy_weight=50.0, late=0.25)
    assert [config.energy_weight_at(e) for e in range(8)] == [2.0] * 6 + [50.0] * 2
    assert settings(8).energy_weight_at(7) == 1.0


def test_a_model_of_another_molecule_is_refused_in_one_line(tmp_path: Path) -> None:
    config = settings(2)
    data = config.data.model_copy(update={"train": "shipped:h2o_train.npz"})
    with pytest.raises(ValueError, match="frame 1 has others") as caught:
        qhw.train(config.model_copy(update={"data": data}), tmp_path, progress=False)
    assert "\n" not in str(caught.value)


def test_the_shipped_water_is_within_chemical_accuracy_of_frames_it_has_not_seen() -> None:
    model, card = load("siqnn-h2o")
    assert isinstance(model, SpinField) and model.config.head.layers == 6
    found = evaluate(model, Path("shipped:h2o_test.npz"))
    assert found.energy_mae == pytest.approx(card.metrics["test/energy_mae"], rel=1e-6)
    assert found.force_mae == pytest.approx(card.metrics["test/force_mae"], rel=1e-6)
    assert found.energy_mae < 0.17 * 43.364  # meV of 0.17 kcal/mol
    assert found.force_mae < 0.06 * found.mean_force_mae
