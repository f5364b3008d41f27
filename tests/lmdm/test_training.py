"""Training: it learns, it goes on bit for bit, and what cannot be is said in one line."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import qhw
from qhw.cli.app import app
from qhw.lmdm.data import SizedBatches, WholeMolecules, edm_split
from qhw.lmdm.diffusion import SamplingConfig
from qhw.lmdm.model import LMDM
from qhw.lmdm.training import LMDMRun, LMDMTrainConfig, train_lmdm
from qhw.models.base import AbilityError
from qhw.models.checkpoint import load
from qhw.report.loss_curve import write_loss_curve
from tests.lmdm.tiny import ASKED, AUTOENCODER, NETWORK, config, model, molecules

DATA = molecules()


def settings(**more: Any) -> LMDMTrainConfig:
    shape = {"autoencoder": AUTOENCODER, "score": NETWORK, **more.pop("shape", {})}
    return LMDMTrainConfig.model_validate(
        {
            "name": "tiny",
            "model": {"kind": "lmdm", "config": shape},
            "autoencoder_steps": 6,
            "steps": 8,
            "batch_size": 4,
            "warmup": 2,
            "report_every": 4,
            "evaluate": 2,
            **more,
        }
    )


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load(path)[0].state_dict()


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


class StoppedError(Exception):
    pass


ALL = settings(conditions=("gap",), shape={"variational": 2})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    return train_lmdm(ALL, tmp_path_factory.mktemp("whole"), data=DATA, progress=False)


@pytest.mark.parametrize("stop", [5, 9])
def test_a_killed_run_ends_with_the_same_weights(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Stopped in the autoencoder's part, and in the score network's, between states."""
    step = LMDMRun.step

    def dies(self: LMDMRun, number: int) -> dict[str, torch.Tensor]:
        if number == stop:
            raise StoppedError
        return step(self, number)

    with monkeypatch.context() as patched, pytest.raises(StoppedError):
        patched.setattr(LMDMRun, "step", dies)
        train_lmdm(ALL, tmp_path, data=DATA, progress=False)
    again = train_lmdm(ALL, tmp_path, data=DATA, progress=False)
    assert same(whole, again)
    logs = [(path.parent / "log.jsonl").read_text() for path in (whole, again)]
    steps = [[json.loads(line)["step"] for line in log.splitlines()] for log in logs]
    assert steps[0] == steps[1] == [4, 8, 12, 14]


def test_its_curve_shows_its_losses(whole: Path) -> None:
    write_loss_curve(whole.parent)
    shown = (whole.parent / "loss.svg").read_text()
    assert ">total<" in shown and ">positions<" in shown and "seconds" not in shown


def test_another_seed_is_another_model(whole: Path, tmp_path: Path) -> None:
    other = ALL.model_copy(update={"seed": 1})
    assert not same(whole, train_lmdm(other, tmp_path, data=DATA, progress=False))


def test_a_state_of_another_config_or_other_molecules_is_refused(tmp_path: Path) -> None:
    train_lmdm(settings(), tmp_path, data=DATA, progress=False)
    with pytest.raises(ValueError, match="must not hold a run of another config"):
        train_lmdm(settings(learning_rate=1e-3), tmp_path, data=DATA, progress=False)
    with pytest.raises(ValueError, match="must not hold a run of another config"):
        train_lmdm(settings(), tmp_path, data=molecules(copies=5), progress=False)


@pytest.mark.slow
def test_both_losses_fall_and_the_autoencoder_rebuilds(tmp_path: Path) -> None:
    asked = settings(
        autoencoder_steps=120, steps=120, batch_size=12, learning_rate=5e-3, report_every=40
    )
    found, card = load(train_lmdm(asked, tmp_path, data=DATA, progress=False))
    assert isinstance(found, LMDM) and found.autoencoder is not None
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").open()]
    assert "types" in lines[0] and "features" in lines[-1]
    assert lines[2]["total"] < 0.8 * lines[0]["total"]
    assert lines[-1]["total"] < 0.97 * lines[3]["total"]
    assert card.data["source"] == "given" and card.data["train"] == len(DATA)
    seconds = sum(line["seconds"] for line in lines)
    assert card.data["seconds"] == pytest.approx(seconds, abs=0.1)
    assert card.metrics["samples"] == 2
    assert found.config.elements == (1, 6, 8) and found.config.sizes == (3, 5, 6, 9)
    batches = SizedBatches(DATA, (1, 6, 8), np.empty((len(DATA), 0), np.float32), 8, 0)
    for atoms, rows in batches.epoch(0):
        batch = batches.batch(atoms, rows)
        with torch.no_grad():
            x, h = found.latent(batch)
            places, logits = found.autoencoder.decode(x, h / 0.1)
        assert (logits.argmax(-1) == batch.types).all()
        assert (places - batch.positions).square().sum(-1).sqrt().mean() < 0.1


def test_the_average_of_the_weights_is_what_is_kept(whole: Path, tmp_path: Path) -> None:
    last = ALL.model_copy(update={"average": 0.0})
    now, mean = weights(train_lmdm(last, tmp_path, data=DATA, progress=False)), weights(whole)
    name = "score.layers.0.all.deep.weight"
    assert not torch.equal(now[name], mean[name])


def test_batches_are_of_one_size_and_hold_every_molecule_once() -> None:
    batches = SizedBatches(DATA, (1, 6, 8), np.zeros((len(DATA), 1), np.float32), 4, 3)
    first, again, next_one = batches.epoch(0), batches.epoch(0), batches.epoch(1)
    rows = np.concatenate([rows for _, rows in first])
    assert sorted(rows.tolist()) == list(range(len(DATA)))
    assert all((DATA.counts[part] == atoms).all() for atoms, part in first)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert [a for a, _ in first] != [a for a, _ in next_one]
    x = batches.batch(*first[0]).positions
    assert x.mean(dim=1).abs().max() < 1e-6


def test_edm_split_is_the_published_one() -> None:
    """numpy's old generator, seed 0: rows of EDM's prepared training and test files."""
    train, validation, test = edm_split(130_831)
    assert (len(train), len(validation), len(test)) == (100_000, 17_748, 13_083)
    assert len(np.unique(np.concatenate([train, validation, test]))) == 130_831
    assert train[:3].tolist() == np.random.RandomState(0).permutation(130_831)[:3].tolist()
    with pytest.raises(ValueError, match="must leave some to validate on"):
        edm_split(1000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: 0", "steps: "),
        ("steps: many", "steps: "),
        ("surprise: 1", "surprise: "),
        ("conditions: [weight]", "must be of alpha, gap, homo, lumo, mu, cv, each once"),
        ("conditions: [gap, gap]", "each once"),
        ("geom: {path: nothing.msgpack}", "nothing.msgpack cannot be read"),
        ("geom: {}", r"geom\.path"),
        ("batch_size: 1.5", "batch_size"),
    ],
)
def test_bad_configs_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"name: x\nmodel: {{kind: lmdm}}\n{text}\n")
    found = CliRunner().invoke(app, ["train", str(path), "--out", str(tmp_path / "out")])
    assert found.exit_code == 2 and not (tmp_path / "out").exists()
    lines = found.stderr.strip().splitlines()
    assert len(lines) == 1
    with pytest.raises(ValueError, match=message):
        qhw.train(path, tmp_path / "out", progress=False)


def test_data_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be of whole molecules"):
        qhw.train(settings(), tmp_path, data=object())  # type: ignore[arg-type]
    rows = np.unique(DATA.counts, return_index=True)[1]
    with pytest.raises(ValueError, match="two or more of one size"):
        train_lmdm(settings(), tmp_path, data=DATA.take(rows), progress=False)
    bare = WholeMolecules(DATA.geometries)
    with pytest.raises(ValueError, match="must have the property gap"):
        train_lmdm(settings(conditions=("gap",)), tmp_path, data=bare, progress=False)
    with pytest.raises(AbilityError, match="with hydrogens"):
        model().loss(None, torch.Generator())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="elements"):
        config(elements=(6,))


def test_losses_and_draws_are_of_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """On torch's device without memory, which refuses to be mixed with the CPU as a GPU does."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # there is none for it
    made = model(variational=2, conditions=(ASKED,)).to("meta")
    assert made.autoencoder is not None
    batches = SizedBatches(DATA, (1, 6, 8), np.zeros((len(DATA), 1), np.float32), 4, 0)
    batch = batches.batch(*batches.epoch(0)[0]).to("meta")
    generator = torch.Generator().manual_seed(0)
    first = made.autoencoder.loss(batch.positions, batch.types, generator)
    second = made.score_loss(*made.latent(batch), batch.conditions, generator)
    assert first["total"].device.type == second["total"].device.type == "meta"
    for sampler in ("churn", "heun", "ancestral"):
        sampling = SamplingConfig.model_validate({"sampler": sampler, "steps": 2})
        asked = torch.zeros(2, 1, device="meta")
        x, types = made._drawn(5, asked, sampling, generator)
        assert x.device.type == types.device.type == "meta"
