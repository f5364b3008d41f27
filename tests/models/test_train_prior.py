"""Training of the latent diffusion prior: exact resume, seeds, conditions that are kept to."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import qhw
from qhw.chem.labels import labelled_sample
from qhw.chem.molecule import MoleculeBatch
from qhw.latent.denoiser import DenoiserConfig
from qhw.latent.diffusion import (
    CARD,
    TENSORS,
    Drawing,
    LatentDiffusion,
    card_text,
    load_prior,
    stored,
)
from qhw.models import train_prior as engine
from qhw.models.checkpoint import load, weights_sha256
from qhw.models.train import TrainingSet, is_of_prior
from qhw.models.train_prior import LatentSet, PriorRun, PriorTrainConfig, train_from, train_prior
from qhw.models.training_run import TrainingError
from tests.small_model import save_small_model

CONFIG = PriorTrainConfig(
    prior="latent-diffusion",
    name="tiny",
    model="nisq-chain5",
    network=DenoiserConfig(width=16, blocks=1, frequencies=4),
    steps=30,
    batch_size=32,
    evaluate=10,
    report_every=8,
)


@pytest.fixture(scope="module")
def data(molecules: MoleculeBatch) -> TrainingSet:
    return TrainingSet(molecules[:200], molecules[200:260], "shipped sample")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("model"))


class StopError(RuntimeError):
    """Stands for the power cut."""


def test_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, data: TrainingSet, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_prior(CONFIG, whole, model=model, data=data, progress=False)
    original = PriorRun.step

    def stopping(self: PriorRun, step: int) -> torch.Tensor:
        if step == 21:
            raise StopError
        return original(self, step)

    with monkeypatch.context() as patch, pytest.raises(StopError):
        patch.setattr(PriorRun, "step", stopping)
        train_prior(CONFIG, cut, model=model, data=data, progress=False)
    assert not (cut / CARD).exists()
    train_prior(CONFIG, cut, model=model, data=data, progress=False)
    assert (cut / TENSORS).read_bytes() == (whole / TENSORS).read_bytes()
    logs = [(folder / "log.jsonl").read_text().splitlines() for folder in (whole, cut)]
    kept = [
        [{k: json.loads(x)[k] for k in ("step", "loss", "held_out")} for x in log] for log in logs
    ]
    assert kept[0] == kept[1]
    assert [line["step"] for line in kept[0]] == [8, 16, 24, 30]
    other = CONFIG.model_copy(update={"seed": 1})
    with pytest.raises(ValueError, match="must not hold a run of another config"):
        train_prior(other, cut, model=model, data=data, progress=False)
    train_prior(other, tmp_path / "other", model=model, data=data, progress=False)
    assert (tmp_path / "other" / TENSORS).read_bytes() != (whole / TENSORS).read_bytes()


def test_card_says_whose_it_is_and_what_was_measured(
    tmp_path: Path, data: TrainingSet, model: Path
) -> None:
    train_prior(CONFIG, tmp_path, model=model, data=data, progress=False)
    card = load_prior(tmp_path).card
    loaded, _ = load(model)
    assert card.model.weights_sha256 == weights_sha256(loaded) == weights_sha256(loaded.double())
    counts = data.train.counts
    assert card.conditions[0].levels == tuple(np.unique(counts))
    assert card.conditions[0].mean == pytest.approx(counts.mean())
    assert sum(
        v for k, v in card.metrics.items() if k.startswith("element/") and v
    ) == pytest.approx(1)
    assert sum(v for k, v in card.metrics.items() if k.startswith("atoms/") and v) == pytest.approx(
        1
    )
    assert card.data == {"source": "shipped sample", "train": 200}


def clusters(spread: float = 0.02) -> LatentSet:
    """Two clusters of latents, of 5 and of 9 atoms."""
    rng = np.random.default_rng(0)
    atoms = rng.choice([5.0, 9.0], size=(600, 1))
    latents = np.where(atoms == 5, np.eye(4)[0], np.eye(4)[1])
    latents = latents + spread * rng.normal(size=(600, 4))
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    condition = engine._levels("atoms", atoms[:, 0])
    return LatentSet(latents, atoms, (condition,), (latents[:50], atoms[:50]), "made")


def test_trained_network_draws_what_is_asked_and_the_whole_where_nothing_is(tmp_path: Path) -> None:
    config = CONFIG.model_copy(
        update={"steps": 600, "batch_size": 128, "report_every": 600, "bfloat16": False}
    )
    points = clusters()
    run = PriorRun(config, points)
    run.train(tmp_path, progress=False)
    card = engine.prior_card(config, points, "made", "0" * 64)
    blob, card = stored(card, run.average, run.map)
    (tmp_path / TENSORS).write_bytes(blob)
    (tmp_path / CARD).write_bytes(card_text(card))
    prior = load_prior(tmp_path)
    for atoms, axis in ((5, 0), (9, 1)):
        x = prior.drawn(Drawing(asked={"atoms": atoms})).sample(200, np.random.default_rng(0))
        assert (x[:, axis] > 0.9).mean() > 0.97
    x = prior.sample(1000, np.random.default_rng(0))
    share = float((points.values == 5).mean())
    assert (x[:, 0] > 0.9).mean() == pytest.approx(share, abs=0.06)
    assert x[:, 2:].std() < 0.08


@pytest.mark.slow
def test_samples_follow_a_property_and_the_rest_where_it_is_left_open(tmp_path: Path) -> None:
    # the property turns latents from one axis to the next: its angle is what a sample must show
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.uniform(0, 1, 800), rng.normal(size=800)])
    angle = values[:, 0] * np.pi / 2
    latents = np.column_stack([np.cos(angle), np.sin(angle), np.zeros((800, 2))])
    latents += 0.05 * rng.normal(size=latents.shape)
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    conditions = tuple(
        engine._range(name, column) for name, column in zip(("QED", "logP"), values.T, strict=True)
    )
    points = LatentSet(latents, values, conditions, (latents[:9], values[:9]), "made")
    config = CONFIG.model_copy(
        update={"steps": 1200, "batch_size": 128, "leave_open": 0.3, "bfloat16": False}
    )
    run = PriorRun(config, points)
    run.train(tmp_path, progress=False)
    card = engine.prior_card(config, points, "made", "0" * 64)
    prior = LatentDiffusion(card, run.average.eval(), run.map)

    def angles(**asked: float) -> NDArray[np.float64]:
        x = prior.drawn(Drawing(asked=asked)).sample(400, np.random.default_rng(0))
        return np.asarray(np.arctan2(x[:, 1], x[:, 0]) / (np.pi / 2))

    for asked in ({"QED": 0.2}, {"QED": 0.8}, {"QED": 0.8, "logP": 1.0}):
        assert float(np.median(angles(**asked))) == pytest.approx(asked["QED"], abs=0.08)
        assert angles(**asked).std() < 0.15
    for spread in (angles(), angles(logP=0.5)):
        assert spread.std() == pytest.approx(values[:, 0].std(), abs=0.06)


def test_properties_are_columns_behind_atoms_and_their_range_the_middle(
    data: TrainingSet, model: Path, tmp_path: Path
) -> None:
    sample = labelled_sample(("logP", "QED")).molecules
    labelled = TrainingSet(sample[:200], sample[200:260], "shipped sample")
    config = CONFIG.model_copy(update={"conditions": ("logP", "QED"), "guidance": 1.5, "steps": 2})
    train_prior(config, tmp_path, model=model, data=labelled, progress=False)
    card = load_prior(tmp_path).card
    assert [c.name for c in card.conditions] == ["atoms", "logP", "QED"]
    own = sample[:200].values["logP"]
    logp = card.conditions[1]
    assert (logp.low, logp.high) == pytest.approx(tuple(np.percentile(own, [1, 99])))
    assert (logp.mean, logp.spread) == pytest.approx((own.mean(), own.std()))
    assert (logp.levels, card.guidance) == ((), 1.5)


def test_losses_that_are_not_finite_stop_the_run(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"learning_rate": 1e30, "bfloat16": False})
    with pytest.raises(TrainingError, match="not finite"):
        PriorRun(config, clusters()).train(tmp_path, progress=False)
    assert not (tmp_path / "state.safetensors").exists()


def test_one_config_trains_model_and_prior(
    tmp_path: Path, data: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "qm9_training_set", lambda properties: data)
    (tmp_path / "model.yaml").write_text(
        "name: small\nmodel: {kind: nisq, config: {encoder_layers: 1, decoder_layers: 1}}\n"
        "epochs: 1\nbatch_size: 50\nevaluate: 10\n"
    )
    config = tmp_path / "both.yaml"
    config.write_text(
        "prior: latent-diffusion\nname: tiny\nmodel: model.yaml\nsteps: 3\nbatch_size: 20\n"
        "network: {width: 8, blocks: 1}\nevaluate: 5\n"
    )
    assert is_of_prior(config) and not is_of_prior(tmp_path / "model.yaml")
    out = train_from(config, tmp_path / "out", progress=False)
    model, card = load(out / "model" / "model.safetensors")
    prior = load_prior(out).of_model(weights_sha256(model), card.name)
    first = (out / TENSORS).read_bytes()
    assert prior.card.model.name == "small"
    train_from(config, out, progress=False)  # taken up at its end
    assert (out / TENSORS).read_bytes() == first


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("step: 3", "step: Extra inputs are not permitted"),
        ("steps: 0", "steps: Input should be greater than or equal to 1"),
        ("leave_open: .nan", "leave_open"),
        ("conditions: [logP, mass]", "conditions: Value error, must be of logP, .* each once"),
        ("conditions: [logP, logP]", "conditions: Value error, must be of logP, .* each once"),
        ("guidance: 11", "guidance: Input should be less than or equal to 10"),
        ("prior: gan", "prior: Input should be 'latent-diffusion'"),
    ],
)
def test_bad_configs_are_refused(tmp_path: Path, line: str, said: str) -> None:
    config = tmp_path / "c.yaml"
    first = "" if line.startswith("prior") else "prior: latent-diffusion\n"
    config.write_text(f"{first}name: x\nmodel: nisq-chain5\n{line}\n")
    with pytest.raises(ValueError, match=said):
        train_from(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_batch_beyond_the_molecules_is_refused(
    tmp_path: Path, data: TrainingSet, model: Path
) -> None:
    config = CONFIG.model_copy(update={"batch_size": 201})
    with pytest.raises(ValueError, match=r"`batch_size` must be at most .*\(200\), but is 201"):
        train_prior(config, tmp_path, model=model, data=data, progress=False)


def test_a_prior_is_trained_by_the_public_name_without_data(
    data: TrainingSet, tmp_path: Path
) -> None:
    path = tmp_path / "prior.yaml"
    path.write_text("prior: latent-diffusion\nname: x\nmodel: none-of-these\n")
    for given in ({"data": data}, {"resume": False}):
        with pytest.raises(ValueError, match="must be left out for a prior"):
            qhw.train(path, tmp_path / "out", **given)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="none-of-these"):
        qhw.train(path, tmp_path / "out")
