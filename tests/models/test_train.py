from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from qhw.chem.molecule import MoleculeBatch
from qhw.models import train as engine
from qhw.models.checkpoint import CheckpointError, load
from qhw.models.qvae import QVAE
from qhw.models.train import ModelSpec, TrainConfig, TrainingSet, train
from qhw.models.training_run import TrainingError

CONFIG = TrainConfig(
    name="small",
    model=ModelSpec(kind="qvae", config={"n_blocks": 1, "kappa": 200.0}),
    epochs=4,
    batch_size=32,
    learning_rate=0.05,
    schedule="cosine",
    clip_norm=1.0,
    weight_decay=1e-4,
    evaluate=20,
)


@pytest.fixture(scope="module")
def data(molecules: MoleculeBatch) -> TrainingSet:
    return TrainingSet(molecules[:200], molecules[200:260], "shipped sample")


def run(config: TrainConfig, out: Path, data: TrainingSet, **options: bool) -> QVAE:
    model, _ = load(train(config, out, data=data, progress=False, **options))
    assert isinstance(model, QVAE)
    return model


class StopError(RuntimeError):
    """Stands for the power cut."""


def test_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, data: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(CONFIG, tmp_path / "whole", data)
    original = engine._Run.epoch

    def stopping(self: engine._Run, epoch: int) -> dict:
        if epoch == 3:
            raise StopError
        return original(self, epoch)

    config = CONFIG.model_copy(update={"checkpoint_every": 2})
    with monkeypatch.context() as patch, pytest.raises(StopError):
        patch.setattr(engine._Run, "epoch", stopping)
        run(config, tmp_path / "cut", data)
    assert not (tmp_path / "cut" / "model.json").exists()
    assert len((tmp_path / "cut" / "log.jsonl").read_text().splitlines()) == 3
    resumed = run(config, tmp_path / "cut", data)
    assert torch.equal(whole.encoder_angles, resumed.encoder_angles)
    assert torch.equal(whole.decoder_angles, resumed.decoder_angles)
    logs = [
        [json.loads(line)["losses"] for line in (tmp_path / k / "log.jsonl").open()]
        for k in ("whole", "cut")
    ]
    assert len(logs[0]) == 4
    assert logs[0] == logs[1]


def test_training_lowers_the_loss_and_writes_a_card(tmp_path: Path, data: TrainingSet) -> None:
    config = CONFIG.model_copy(update={"epochs": 8})
    _, card = load(train(config, tmp_path, data=data, progress=False))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").open()]
    assert [line["epoch"] for line in lines] == list(range(1, 9))
    assert lines[-1]["losses"]["total"] < 0.9 * lines[0]["losses"]["total"]
    assert (
        0 < lines[-1]["learning_rate"] < lines[0]["learning_rate"] == pytest.approx(0.05, rel=0.1)
    )
    assert card.training == config.model_dump(mode="json")
    assert card.seed == 0
    assert card.data["train"] == 200
    assert card.metrics["mean/fidelity"] > card.metrics["sampled/fidelity"] > 0.1
    assert {path.name for path in tmp_path.iterdir()} == {
        "log.jsonl",
        "model.json",
        "model.safetensors",
        "state.safetensors",
    }


def test_seed_decides_everything(tmp_path: Path, data: TrainingSet) -> None:
    config = CONFIG.model_copy(update={"epochs": 1})
    first = run(config, tmp_path / "a", data).encoder_angles
    again = run(config, tmp_path / "b", data).encoder_angles
    other = run(config.model_copy(update={"seed": 1}), tmp_path / "c", data).encoder_angles
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_state_of_another_run_is_refused(tmp_path: Path, data: TrainingSet) -> None:
    config = CONFIG.model_copy(update={"epochs": 1})
    run(config, tmp_path, data)
    other = config.model_copy(update={"learning_rate": 0.1})
    with pytest.raises(ValueError, match="must not hold a run of another config"):
        run(other, tmp_path, data)
    run(other, tmp_path, data, resume=False)
    (tmp_path / "state.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="no training state"):
        run(other, tmp_path, data)


def test_models_without_precompute_are_trained_too(
    tmp_path: Path, data: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIG.model_copy(update={"epochs": 1})
    with_tensors = run(config, tmp_path / "a", data)
    monkeypatch.setattr(engine, "Precomputes", type("Nothing", (), {}))
    without = run(config, tmp_path / "b", data)
    assert torch.equal(with_tensors.encoder_angles, without.encoder_angles)


def test_loss_that_is_not_finite_stops(
    tmp_path: Path, data: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        QVAE,
        "loss_of",
        lambda self, *_: {"total": self.encoder_angles.sum() * torch.nan},
    )
    with pytest.raises(TrainingError, match="epoch 1 is not finite"):
        run(CONFIG, tmp_path, data)
    assert not (tmp_path / "model.json").exists()


def test_bad_configs(tmp_path: Path, data: TrainingSet) -> None:
    with pytest.raises(ValueError, match=r"`batch_size` must be at most .*\(200\), but is 201"):
        run(CONFIG.model_copy(update={"batch_size": 201}), tmp_path, data)
    file = tmp_path / "config.yaml"
    file.write_text("name: x\nmodel: {kind: qvae}\nepochs: 0\nsped: 3\n")
    with pytest.raises(ValueError, match=r"epochs: .*; sped: "):
        TrainConfig.from_yaml(file)
    file.write_text("a: [")
    with pytest.raises(ValueError, match="not valid YAML"):
        TrainConfig.from_yaml(file)
    file.write_text("")
    with pytest.raises(ValueError, match="not a training config"):
        TrainConfig.from_yaml(file)
    file.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"config\.yaml cannot be read"):
        TrainConfig.from_yaml(file)
    file.write_text("name: x\nmodel: {kind: qvae, config: {n_blocks: 3}}\nbatch_size: 7\n")
    assert TrainConfig.from_yaml(file).batch_size == 7
