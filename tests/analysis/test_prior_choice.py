"""Which prior `generate` draws from: by default, by text, from a folder."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from qhw.analysis.compare.model import (
    check_prior,
    default_prior,
    drawn_prior,
    make_prior,
    settled_prior,
)
from qhw.chem.qm9 import sample_molecules
from qhw.chem.validity import judge
from qhw.latent.denoiser import Denoiser, DenoiserConfig
from qhw.latent.diffusion import (
    CARD,
    TENSORS,
    LatentMap,
    Owner,
    PriorCard,
    PriorError,
    card_text,
    stored,
)
from qhw.models.checkpoint import load, weights_sha256
from qhw.models.exact import ExactModel
from tests.small_model import save_small_model


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def folder(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained prior of the small model, no conditions."""
    out = tmp_path_factory.mktemp("prior")
    network = DenoiserConfig(width=8, blocks=1)
    card = PriorCard(
        name="own",
        model=Owner(name="small", weights_sha256=weights_sha256(load(small)[0])),
        dim=32,
        network=network,
        seed=0,
        created=datetime(2026, 11, 28, tzinfo=UTC),
    )
    points = np.random.default_rng(0).normal(size=(99, 32))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    denoiser = Denoiser(32, 0, network, torch.Generator().manual_seed(0))
    blob, card = stored(card, denoiser, LatentMap.of(points))
    (out / TENSORS).write_bytes(blob)
    (out / CARD).write_bytes(card_text(card))
    return out


def exact(source: str | Path) -> ExactModel:
    model, card = load(source)
    return ExactModel(model.double(), card.name, "a test")


def test_default_is_the_trained_prior_where_one_is_shipped(small: Path) -> None:
    assert settled_prior(None, "nisq-chain5") == "latent-diffusion"
    assert default_prior(load("nisq-chain5")[0].double()) == "latent-diffusion"
    assert settled_prior(None, str(small)) == "vmf-mixture"
    assert settled_prior(None, "qvae-l10") == "vmf-mixture"
    assert settled_prior(None, "no-such-model") is None  # told of when it is loaded
    assert check_prior(None) == "vmf-mixture"  # what settings of version 0.1.0 mean
    drawn = drawn_prior(None, load("nisq-chain5")[0], {"temperature": 0.8, "atoms": None})
    assert drawn == "latent-diffusion(temperature=0.8)"
    with pytest.raises(ValueError, match="`temperature` must be a finite number, but is nan"):
        drawn_prior(None, load("nisq-chain5")[0], {"temperature": float("nan")})


def test_shipped_generator_makes_valid_and_different_molecules_of_the_size_asked() -> None:
    model = exact("nisq-chain5")
    for text, atoms in (("latent-diffusion", None), ("latent-diffusion(atoms=7)", 7)):
        prior = make_prior(text, model, sample_molecules(), 0)
        molecules = model.molecules(model.decoder(prior.sample(150, np.random.default_rng(0))))
        report = judge(molecules, "strict")
        assert report.valid > 75
        assert report.unique > 0.95 * report.valid
        if atoms is not None:
            assert (molecules.counts == atoms).mean() > 0.9


def test_folder_is_used_for_its_own_model_alone(
    small: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample, own = sample_molecules(), exact(small)
    monkeypatch.chdir(folder.parent)
    text = settled_prior(f"{folder.name}(steps=3)", str(small))
    assert text == f"{folder}(steps=3)"
    drawn = make_prior(text, own, sample, 0).sample(4, np.random.default_rng(0))
    assert drawn.shape == (4, 32)
    with pytest.raises(PriorError, match="must be used with the model it was trained on, small"):
        make_prior(str(folder), exact("nisq-chain5"), sample, 0)
    with pytest.raises(PriorError, match=r"must be trained for its model.*`qhw train` makes one"):
        make_prior("latent-diffusion", own, sample, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latent-difusion", "must be one of those there are or the folder .* 'latent-difusion'"),
        ("posterior(steps=3)", "must be latent-diffusion to have options"),
        ("latent-diffusion(steps=nan)", "must have options such as"),
        ("latent-diffusion(temperature=9)", r"`temperature` must be in 0\.\.2, but is 9"),
        ("./nowhere", "holds no trained prior"),
    ],
)
def test_bad_priors_are_refused_before_work_begins(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_prior(text)


def test_condition_a_prior_has_not_is_refused(small: Path, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"`atoms` must be a condition of prior own \(it has none"):
        make_prior(f"{folder}(atoms=7)", exact(small), sample_molecules(), 0)
