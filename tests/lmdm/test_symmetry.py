"""Nothing depends on where a molecule lies, how it is turned or how its atoms are numbered."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from qhw.lmdm.network import centred
from tests.lmdm.tiny import ASKED, model

LATENT = model(conditions=(ASKED,), variational=3)
PLAIN = model(autoencoder=None)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
LATENT.requires_grad_(False)
PLAIN.requires_grad_(False)


def moved(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A random rotation or reflection of each molecule, and an order of the atoms."""
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0].float()
    return turn, torch.randperm(x.shape[1], generator=generator)


def drawn(atoms: int, seed: int) -> tuple[Tensor, Tensor, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    x = centred(1.5 * torch.randn(2, atoms, 3, generator=generator))
    return x, torch.randint(3, (2, atoms), generator=generator), generator


cases = given(st.integers(2, 9), st.integers(0, 2**32))


@settings(max_examples=15)
@cases
def test_encoder_and_decoder_turn_with_the_molecule(atoms: int, seed: int) -> None:
    x, types, generator = drawn(atoms, seed)
    turn, order = moved(x, generator)
    autoencoder = LATENT.autoencoder
    assert autoencoder is not None
    points, numbers = autoencoder.encode(x, types)
    turned_points, turned_numbers = autoencoder.encode((x @ turn)[:, order], types[:, order])
    torch.testing.assert_close(turned_points, (points @ turn)[:, order], **CLOSE)
    torch.testing.assert_close(turned_numbers, numbers[:, order], **CLOSE)
    found, logits = autoencoder.decode(points, numbers)
    turned, turned_logits = autoencoder.decode((points @ turn)[:, order], numbers[:, order])
    torch.testing.assert_close(turned, (found @ turn)[:, order], **CLOSE)
    torch.testing.assert_close(turned_logits, logits[:, order], **CLOSE)
    assert not torch.allclose(points, x, atol=1e-3)  # it does something


@settings(max_examples=15)
@cases
def test_score_network_turns_with_the_state(atoms: int, seed: int) -> None:
    x, _, generator = drawn(atoms, seed)
    turn, order = moved(x, generator)
    h = torch.randn(2, atoms, 2, generator=generator)
    noise = torch.randn(2, atoms, 3, generator=generator)
    sigma, asked = torch.tensor([0.1, 2.0]), torch.tensor([[0.5], [torch.nan]])
    clean_x, clean_h = LATENT.denoise(x, h, sigma, asked, noise)
    turned_x, turned_h = LATENT.denoise(
        (x @ turn)[:, order], h[:, order], sigma, asked, noise[:, order]
    )
    torch.testing.assert_close(turned_x, (clean_x @ turn)[:, order], **CLOSE)
    torch.testing.assert_close(turned_h, clean_h[:, order], **CLOSE)
    torch.testing.assert_close(clean_x.mean(dim=1), torch.zeros(2, 3), **CLOSE)


@settings(max_examples=15)
@cases
def test_the_network_does_not_see_where_the_origin_is(atoms: int, seed: int) -> None:
    x, _, generator = drawn(atoms, seed)
    h, one = torch.randn(2, atoms, 3, generator=generator), torch.ones(2, 1, 1)
    shift = torch.randn(2, 1, 3, generator=generator)
    scales = (one / 1.5, 0.7 * one, 0.5 * one)
    with torch.no_grad():
        vector, features = PLAIN.score(x, h, torch.zeros(2, 8), scales)
        shifted, shifted_features = PLAIN.score(x + shift, h, torch.zeros(2, 8), scales)
    torch.testing.assert_close(shifted, vector, **CLOSE)
    torch.testing.assert_close(shifted_features, features, **CLOSE)


def test_the_local_branch_sees_only_what_is_near() -> None:
    """With a global branch that is silent, an atom beyond the local cutoff changes nothing."""
    made = model(autoencoder=None)
    for layer in made.score.layers:
        for part in (layer.all.pull, layer.mix[0]):
            torch.nn.init.zeros_(part.weight)
    x = torch.tensor([[[0.0, 0, 0], [1.1, 0, 0], [0, 9.0, 0]]])
    other = x + torch.tensor([[[0.0, 0, 0], [0, 0, 0], [0, 5.0, 0]]])
    h = 5 * torch.randn(1, 3, 3, generator=torch.Generator().manual_seed(1))
    one, zero = torch.ones(1, 1, 1), torch.zeros(1, 8)

    def pulled(x: Tensor) -> Tensor:
        vector = made.score(x, h, zero, (one / 1.5, one, 0 * one))[0]
        return vector[0, 0] - vector[0, 2]  # of the first atom, whatever the centre

    with torch.no_grad():
        torch.testing.assert_close(pulled(x), pulled(other), **CLOSE)
        assert pulled(x).norm() > 1e-3
        near = x + torch.tensor([[[0.0, 0, 0], [0.2, 0, 0], [0, 0, 0]]])
        assert (pulled(near) - pulled(x)).norm() > 1e-4


@pytest.mark.parametrize("atoms", [1, 2])
def test_the_smallest_molecules_pass(atoms: int) -> None:
    with torch.no_grad():
        x, h = LATENT.denoise(
            torch.zeros(1, atoms, 3),
            torch.zeros(1, atoms, 2),
            torch.ones(1),
            torch.full((1, 1), torch.nan),
            torch.zeros(1, atoms, 3),
        )
    assert x.isfinite().all() and h.isfinite().all()
