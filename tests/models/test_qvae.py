from __future__ import annotations

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qhw.chem.molecule import MoleculeBatch
from qhw.chem.rmsd import kabsch_rmsd
from qhw.circuits.ansatz import Ansatz
from qhw.models.qvae import QVAE, QVAEConfig
from qhw.models.registry import build


def qiskit_state(ansatz: Ansatz, angles: np.ndarray, start: np.ndarray) -> np.ndarray:
    n = ansatz.n_wires
    circuit = QuantumCircuit(n)
    for op in ansatz.ops:
        arguments = [] if op.angle is None else [float(angles[op.angle])]
        getattr(circuit, op.name)(*arguments, *(n - 1 - w for w in op.wires))
    return Statevector(start.astype(complex)).evolve(circuit).data


@pytest.fixture
def model(generator: torch.Generator) -> QVAE:
    return QVAE(QVAEConfig(n_blocks=10), generator).double()


def test_parameter_count(model: QVAE) -> None:
    assert model.encoder_angles.numel() == model.decoder_angles.numel() == 7 * (4 * 10 + 3)
    assert sum(p.numel() for p in model.parameters()) == 602


def test_initial_angles_fill_the_circle_and_depend_on_the_seed() -> None:
    first, again, other = (
        QVAE(QVAEConfig(), torch.Generator().manual_seed(s)).encoder_angles.detach()
        for s in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 3.0 < float(first.abs().max()) <= np.pi
    assert abs(float(first.mean())) < 0.5


def test_encoder_equals_qiskit(model: QVAE, molecules: MoleculeBatch) -> None:
    inputs = model.encoder_inputs(molecules[:4])
    found = model.encoder_probabilities(inputs).detach().numpy()
    plan = model.encoder_plan()
    for row, start in zip(found, inputs.numpy(), strict=True):
        state = qiskit_state(plan.ansatz, plan.weights, start)
        expected = (np.abs(state) ** 2).reshape(32, 4).sum(-1)  # wires 5 and 6 traced out
        np.testing.assert_allclose(row, expected, atol=1e-10)
    np.testing.assert_allclose(
        model.encode(molecules[:4]).detach().numpy(), np.sqrt(found), atol=1e-10
    )


def test_decoder_equals_qiskit_for_signed_latents(model: QVAE) -> None:
    latents = torch.randn(4, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    latents /= latents.norm(dim=-1, keepdim=True)
    found = model.decoder_probabilities(latents).detach().numpy()
    plan = model.decoder_plan()
    assert plan.data_wires == (2, 3, 4, 5, 6)
    for row, z in zip(found, latents.numpy(), strict=True):
        start = np.zeros(128)
        start[:32] = z  # wires 0 and 1 are the two most significant bits, in |0>
        expected = np.abs(qiskit_state(plan.ansatz, plan.weights, start)) ** 2
        np.testing.assert_allclose(row, expected, atol=1e-10)
    assert np.abs(found - model.decoder_probabilities(latents.abs()).detach().numpy()).max() > 1e-3


@pytest.mark.parametrize("layout", ["paper", "released"])
@pytest.mark.parametrize("frame", ["paper", "fixed"])
def test_decode_inverts_encoder_inputs(
    layout: str, frame: str, molecules: MoleculeBatch, generator: torch.Generator
) -> None:
    config = QVAEConfig.model_validate({"n_blocks": 1, "layout": layout, "frame": frame})
    model = QVAE(config, generator).double()
    rebuilt = model.decode(model.encoder_inputs(molecules[:50]).square())
    np.testing.assert_array_equal(rebuilt.types, molecules[:50].types)
    assert kabsch_rmsd(molecules[:50], rebuilt).max() < 1e-9
    inputs = model.encoder_inputs(molecules[:50])
    np.testing.assert_allclose(model.fidelity(molecules[:50], inputs.square()), 1, atol=1e-12)


@pytest.mark.slow
def test_loss_is_seeded_and_has_finite_gradients(model: QVAE, molecules: MoleculeBatch) -> None:
    batch = molecules[:16]
    values = [
        model.loss(batch, torch.Generator().manual_seed(seed))["total"].item() for seed in (0, 0, 1)
    ]
    assert values[0] == values[1] != values[2]
    model.loss(batch, torch.Generator().manual_seed(0))["total"].backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
        assert parameter.grad.abs().max() > 1e-6


@pytest.mark.slow
def test_loss_gradient_equals_finite_differences(model: QVAE, molecules: MoleculeBatch) -> None:
    data = model.precompute(molecules[:8])

    def value() -> torch.Tensor:
        return model.loss_of(data, torch.Generator().manual_seed(0))["total"]

    value().backward()
    for parameter in (model.encoder_angles, model.decoder_angles):
        assert parameter.grad is not None
        for index in (0, 80, 200, 300):  # one of each gate
            with torch.no_grad():
                parameter[index] += 1e-6
                above = value()
                parameter[index] -= 2e-6
                below = value()
                parameter[index] += 1e-6
            slope = float(above - below) / 2e-6
            np.testing.assert_allclose(float(parameter.grad[index]), slope, rtol=1e-4, atol=1e-7)


def test_config_faults_are_named(generator: torch.Generator) -> None:
    with pytest.raises(ValueError, match=r"is 'vae' .closest: qvae"):
        build("vae", {}, generator)
    with pytest.raises(ValueError, match=r"n_block: .*Extra inputs"):
        build("qvae", {"n_block": 3}, generator)
    with pytest.raises(ValueError, match=r"kappa: .*greater than or equal to 0"):
        build("qvae", {"kappa": -1}, generator)
