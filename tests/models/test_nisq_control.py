"""Controls without circuits: outcomes by hand, gradients where something is trained."""

from pathlib import Path

import pytest
import torch

from qhw.chem.molecule import MoleculeBatch
from qhw.models.base import AbilityError
from qhw.models.checkpoint import load, save
from qhw.models.exact import ExactModel
from qhw.models.nisq_control import NISQControl
from qhw.models.registry import build


def control(core: str) -> NISQControl:
    model = build("nisq-control", {"core": core, "kappa": 500.0}, torch.Generator().manual_seed(3))
    assert isinstance(model, NISQControl)
    return model


def latents() -> torch.Tensor:
    z = torch.randn(7, 32, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.normalize(z)


def test_identity_is_the_squares_themselves() -> None:
    model, z = control("identity"), latents()
    torch.testing.assert_close(model.encoder_probabilities(z), z.square())
    found = model.decoder_probabilities(z)
    torch.testing.assert_close(found[:, :32], z.square())
    assert not found[:, 32:].any()


def test_an_amplitude_of_exactly_zero_has_a_finite_slope() -> None:
    """Rounding makes one in some millions of amplitudes; it had ended a training in NaN."""
    model, z = control("identity"), latents()
    z[:, 3] = 0.0
    z.requires_grad_()
    mean = model.latent_mean(model.encoder_probabilities(z))
    torch.testing.assert_close(mean, torch.nn.functional.normalize(z.abs()))
    assert not mean[:, 3].any()
    mean[:, :4].sum().backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None and z.grad.isfinite().all() and z.grad.any()


@pytest.mark.parametrize("core", ["identity", "orthogonal", "unitary"])
def test_outcomes_are_distributions_and_weights_come_back(
    core: str, tmp_path: Path, molecules: MoleculeBatch
) -> None:
    model = control(core)
    save(model, tmp_path / "c.safetensors", name="c")
    again, _ = load(tmp_path / "c.json")
    exact = ExactModel(again.double(), "c")
    z = exact.directions(molecules[:5])
    p = exact.decoder(z)
    assert p.shape == (5, 128)
    torch.testing.assert_close(
        torch.from_numpy(p.sum(1)), torch.ones(5).double(), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        model.decoder_probabilities(torch.from_numpy(z).float()),
        torch.from_numpy(p).float(),
        atol=1e-5,
        rtol=0,
    )
    assert model.loss(molecules[:5], torch.Generator())["total"].isfinite()
    with pytest.raises(AbilityError, match="nisq-control cannot decode: a circuit needs"):
        model.decoder_plan()


def test_only_the_orthogonal_map_is_trained(molecules: MoleculeBatch) -> None:
    for core, trained in (("orthogonal", 2), ("unitary", 0), ("identity", 0)):
        model = control(core)
        model.loss(molecules[:5], torch.Generator())["total"].backward()  # type: ignore[no-untyped-call]
        heads = {"head_weight", "head_bias", "readout_weight", "readout_bias"}
        moved = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        assert len(moved - heads) == trained, core
