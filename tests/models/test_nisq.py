"""The NISQ-native model: its circuits are its torch functions, and bad input is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qiskit.quantum_info import Statevector

from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from qhw.circuits.templates import build_template, data_angles
from qhw.models.checkpoint import load
from qhw.models.nisq import NISQVAE, NISQConfig
from qhw.models.registry import build


@pytest.fixture(params=[0, 3])
def model(request: pytest.FixtureRequest) -> NISQVAE:
    config = {"encoder_layers": request.param, "decoder_layers": request.param + 2}
    built = build("nisq", config, torch.Generator().manual_seed(7))
    assert isinstance(built, NISQVAE)
    return built.double()


def statevector_probabilities(template, angles: np.ndarray) -> np.ndarray:
    circuit = template.circuit.remove_final_measurements(inplace=False)
    n = circuit.num_qubits
    qubits = [n - 1 - w for w in reversed(template.measured_wires)]
    return np.array(
        [
            Statevector(
                circuit.assign_parameters(dict(zip(template.parameter_names, row, strict=True)))
            ).probabilities(qubits)
            for row in angles
        ]
    )


def test_decoder_circuit_equals_torch_for_signed_latents(model: NISQVAE) -> None:
    latents = np.random.default_rng(1).normal(size=(4, 32))
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    template = build_template(model.decoder_plan(), "exact")
    got = statevector_probabilities(template, data_angles(template, latents).angles)
    want = model.decoder_probabilities(torch.from_numpy(latents)).detach().numpy()
    np.testing.assert_allclose(got, want, atol=1e-10)


def test_encoder_circuit_equals_torch(model: NISQVAE) -> None:
    molecules = sample_molecules().molecules[np.arange(4)]
    inputs = model.encoder_inputs(molecules).detach()
    assert (inputs < 0).any(), "the head must use signed amplitudes for this test to bite"
    template = build_template(model.encoder_plan(), "exact")
    got = statevector_probabilities(template, data_angles(template, inputs.numpy()).angles)
    want = model.encoder_probabilities(inputs).detach().numpy()
    np.testing.assert_allclose(got, want, atol=1e-10)
    np.testing.assert_allclose(model.latent_mean(torch.from_numpy(want)).norm(dim=1), 1, atol=1e-12)


def test_rotating_a_molecule_changes_nothing(model: NISQVAE) -> None:
    molecules = sample_molecules().molecules[np.arange(5)]
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    rotation[0] *= np.sign(np.linalg.det(rotation))
    present = (molecules.types >= 0)[..., None]
    turned = MoleculeBatch(molecules.types, (molecules.positions @ rotation.T + 1.5) * present)
    torch.testing.assert_close(model.encode(turned), model.encode(molecules), atol=1e-9, rtol=0)


def test_decode_drops_absent_atoms_and_keeps_order(model: NISQVAE) -> None:
    with torch.no_grad():
        model.readout_weight.zero_()
        positions = torch.arange(27, dtype=torch.float64) / 10
        scores = torch.zeros(9, 5, dtype=torch.float64)
        for atom, kind in enumerate([0, 4, 2, 1, 4, 3, 4, 4, 4]):
            scores[atom, kind] = 1
        model.readout_bias.copy_(torch.cat([positions, scores.flatten()]))
    decoded = model.decode(torch.full((1, 128), 1 / 128, dtype=torch.float64))
    assert decoded.types[0].tolist() == [0, 2, 1, 3, -1, -1, -1, -1, -1]
    want = 2 * positions.reshape(9, 3)[[0, 2, 3, 5]].numpy()
    np.testing.assert_allclose(decoded.positions[0, :4], want)
    assert not decoded.positions[0, 4:].any()


def test_shot_spread_in_training_is_that_of_multinomial_roots(model: NISQVAE) -> None:
    noisy = NISQVAE(NISQConfig(shots=2000), torch.Generator().manual_seed(0))
    p = torch.full((4000, 128), 1 / 128)
    got = noisy._noisy_roots(p, torch.Generator().manual_seed(1)) / 128**0.5
    counts = np.random.default_rng(3).multinomial(2000, np.full(128, 1 / 128), size=4000)
    want = np.sqrt(counts / 2000).std()
    assert got.std().item() == pytest.approx(want, rel=0.03)


def test_loss_has_a_gradient_for_every_parameter(model: NISQVAE) -> None:
    molecules = sample_molecules().molecules[np.arange(16)]
    losses = model.loss(molecules, torch.Generator().manual_seed(0))
    losses["total"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (torch.ones(2, 64) / 64, r"must have shape \(B, 128\)"),
        (torch.full((1, 128), torch.nan), "must be finite"),
    ],
)
def test_decode_refuses(model: NISQVAE, probabilities: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model.decode(probabilities)


def test_molecule_without_atoms_is_refused(model: NISQVAE) -> None:
    empty = MoleculeBatch(np.full((1, 9), -1, dtype=np.int8), np.zeros((1, 9, 3)))
    with pytest.raises(ValueError, match="1 to 9 heavy atoms each, but molecule 0 has 0"):
        model.encode(empty)


def test_shipped_model_holds_its_promise() -> None:
    """Bars of the shipped model, on molecules it has not seen, exact and at 10,000 shots."""
    from qhw.chem.validity import judge

    model, card = load("nisq-chain5")
    model = model.double()
    molecules = sample_molecules().molecules
    with torch.no_grad():
        exact = model.decoder_probabilities(model.encode(molecules))
    shots = np.random.default_rng(0).multinomial(
        10_000, exact.numpy() / exact.numpy().sum(1)[:, None]
    )
    sampled = model.decode(torch.from_numpy(shots / 10_000))
    rebuilt = model.decode(exact)
    assert judge(rebuilt, "strict").is_valid.mean() >= 0.90
    assert judge(sampled, "strict").is_valid.mean() >= 0.85
    right = (rebuilt.types == molecules.types)[molecules.types >= 0].mean()
    assert right >= 0.99
    assert card.metrics["mean/atom_types"] >= 0.99
