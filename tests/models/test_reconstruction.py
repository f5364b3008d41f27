from __future__ import annotations

import pytest
import torch

from qhw.chem.frames import to_frame
from qhw.chem.molecule import MoleculeBatch
from qhw.circuits.ansatz import qvae_ansatz
from qhw.latent.vmf_torch import sample
from qhw.models import reconstruction
from qhw.models.layers import SharedCircuit, circuit_matrix
from qhw.models.losses import LossConfig, amplitude_loss, make_targets
from qhw.models.qvae import QVAE, QVAEConfig

LOSSES = {
    "cross entropy": LossConfig(type_weight=0.7, rest_weight=2.0),
    "focal": LossConfig(type_loss="focal"),
    "fidelity": LossConfig(kind="fidelity"),
}


@pytest.mark.parametrize("layout", ["paper", "released"])
@pytest.mark.parametrize("name", LOSSES)
def test_step_equals_its_public_parts_under_autograd(
    layout: str, name: str, molecules: MoleculeBatch, generator: torch.Generator
) -> None:
    config = QVAEConfig.model_validate(
        {"n_blocks": 2, "kappa": 50.0, "layout": layout, "loss": LOSSES[name]}
    )
    model = QVAE(config, generator).double()
    data = model.precompute(molecules[:600])  # more than one piece
    mean = model.latent_mean(model.encoder_probabilities(data.amplitudes))
    latents = sample(mean, config.kappa, torch.Generator().manual_seed(4))
    parts = amplitude_loss(model.decoder_probabilities(latents), data, layout, config.loss)
    parameters = list(model.parameters())
    expected = torch.autograd.grad(parts["total"], parameters)
    found = model.loss_of(data, torch.Generator().manual_seed(4))
    assert found.keys() == parts.keys()
    for key, value in parts.items():
        torch.testing.assert_close(found[key], value, rtol=1e-11, atol=1e-13)
    gradients = torch.autograd.grad(found["total"], parameters)
    torch.testing.assert_close(gradients, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_threads_do_not_change_a_bit(
    molecules: MoleculeBatch, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconstruction, "PIECE", 32)
    model = QVAE(QVAEConfig(n_blocks=1), generator)
    data = model.precompute(molecules[:70])
    before = torch.get_num_threads()
    results = []
    for model.threads in (1, 3):
        total = model.loss_of(data, torch.Generator().manual_seed(0))["total"]
        results.append((total, *torch.autograd.grad(total, list(model.parameters()))))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("layout", ["paper", "released"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_gradient_equals_finite_differences(
    layout: str, name: str, molecules: MoleculeBatch, generator: torch.Generator
) -> None:
    batch = to_frame(molecules[[0, int(molecules.counts.argmin())]], "paper")
    targets = make_targets(batch, layout, QVAEConfig().box, torch.float64)
    noise = torch.rand(2, 128, dtype=torch.float64, generator=generator) + 0.1
    probabilities = (noise / noise.sum(-1, keepdim=True)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p: amplitude_loss(p, targets, layout, LOSSES[name])["total"], (probabilities,)
    )


def test_rows_and_columns_are_picked(generator: torch.Generator) -> None:
    ansatz = qvae_ansatz(4, 2)
    angles = torch.rand(ansatz.n_angles, dtype=torch.float64, generator=generator)
    found = torch.complex(*SharedCircuit(ansatz, [5, 0, 9], [2, 0, 3, 1])(angles))
    full = circuit_matrix(ansatz, angles)[:, [5, 0, 9]].reshape(2, 2, 2, 2, 3)
    torch.testing.assert_close(found, full.permute(2, 0, 3, 1, 4).reshape(16, 3))
