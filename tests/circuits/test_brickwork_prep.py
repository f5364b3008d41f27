from __future__ import annotations

import numpy as np
import pytest
import torch

from qhw.circuits.ansatz import brickwork_ansatz
from qhw.circuits.brickwork_prep import FitOptions, _Brickwork, default_layers, fit_brickwork
from tests.circuits.reference import run_ansatz


def reached(angles: np.ndarray, n_wires: int, n_layers: int) -> np.ndarray:
    ansatz = brickwork_ansatz(n_wires, n_layers)
    start = np.eye(2**n_wires, dtype=complex)[0]
    return np.stack([run_ansatz(ansatz, row, start) for row in angles])


def test_five_wires_eight_layers_prepare_every_signed_latent(rng: np.random.Generator) -> None:
    latents = rng.normal(size=(60, 32))
    latents[::3] = np.abs(latents[::3])
    latents[1] = np.eye(32)[21] * -1
    latents[2] = 1.0
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    fit = fit_brickwork(latents, 8)
    states = reached(fit.angles, 5, 8)
    assert np.abs(states.imag).max() < 1e-12
    overlap = (states.real * latents).sum(1)
    np.testing.assert_allclose(fit.fidelity, overlap**2, atol=1e-12)
    assert (overlap**2).min() > 0.99999
    assert sum(len(op.wires) == 2 for op in brickwork_ansatz(5, 8).ops) == 16


@pytest.mark.parametrize("n_wires", [1, 2, 3, 4])
def test_default_layers_suffice(n_wires: int, rng: np.random.Generator) -> None:
    fit = fit_brickwork(rng.normal(size=(30, 2**n_wires)), default_layers(n_wires))
    assert fit.fidelity.min() > 0.99999


def test_too_shallow_is_reported_not_hidden(rng: np.random.Generator) -> None:
    latents = rng.normal(size=(3, 32))
    fit = fit_brickwork(latents, 2, options=FitOptions(max_restarts=3))
    unit = latents / np.linalg.norm(latents, axis=1, keepdims=True)
    expected = (reached(fit.angles, 5, 2).real * unit).sum(1) ** 2
    np.testing.assert_allclose(fit.fidelity, expected, atol=1e-12)
    assert fit.fidelity.max() < 0.9
    np.testing.assert_array_equal(fit.restarts, 3)


def test_same_seed_same_angles_whatever_the_neighbours(rng: np.random.Generator) -> None:
    latents = rng.normal(size=(6, 16))
    whole = fit_brickwork(latents, 5, seed=4)
    np.testing.assert_array_equal(whole.angles, fit_brickwork(latents, 5, seed=4).angles)
    np.testing.assert_allclose(
        fit_brickwork(latents[3:5], 5, seed=4).angles, whole.angles[3:5], atol=1e-6
    )
    assert np.abs(fit_brickwork(latents, 5, seed=5).angles - whole.angles).max() > 0.1


def test_jacobian_equals_finite_differences(rng: np.random.Generator) -> None:
    circuit = _Brickwork(3, 3)
    angles = torch.from_numpy(rng.uniform(-3, 3, size=(2, circuit.n_angles)))
    _, jacobian = circuit.state_and_jacobian(angles)
    for k in range(circuit.n_angles):
        step = torch.zeros_like(angles)
        step[:, k] = 1e-6
        slope = (circuit.state(angles + step) - circuit.state(angles - step)) / 2e-6
        torch.testing.assert_close(jacobian[:, :, k], slope, atol=1e-8, rtol=0)


def test_an_empty_batch_gives_an_empty_fit() -> None:
    assert fit_brickwork(np.zeros((0, 8)), 3).angles.shape == (0, 12)


def test_negative_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="`n_layers` must be >= 0, but is -1"):
        fit_brickwork(np.ones((1, 4)), -1)
