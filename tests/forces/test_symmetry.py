from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from qhw.chem.geometries import Geometries
from qhw.forces.forward import invariant_slopes
from qhw.forces.invariants import Invariants, InvariantsConfig
from tests.forces.molecules import check_order_means_nothing, clusters, random_field

seeds = st.integers(0, 2**31)
KINDS = ("circuit", "product", "mlp", "cosine")


@settings(max_examples=12, deadline=None)
@given(seed=seeds, kind=st.sampled_from(KINDS), form=st.sampled_from(["pure", "hybrid"]))
def test_energies_are_invariant_and_forces_turn_along(seed: int, kind: str, form: str) -> None:
    field, frames = random_field(seed, kind, form), clusters(2, seed)
    energy, forces = field.energy_and_forces(frames)
    rng = np.random.default_rng(seed)
    turn = Rotation.random(random_state=rng).as_matrix() * rng.choice([-1, 1])  # also inverted
    there = frames.numbers[..., None] > 0
    moved = Geometries(
        frames.numbers, np.where(there, frames.positions @ turn.T + rng.normal(size=3), 0.0)
    )
    other, turned = field.energy_and_forces(moved)
    assert np.abs(other - energy).max() < 1e-9
    assert np.abs(turned - forces @ turn.T).max() < 1e-9


@pytest.mark.parametrize(
    ("kind", "phases"),
    [(kind, "environment") for kind in (*KINDS, "ridge", "mean")]
    + [("circuit", "species"), ("product", "species")],
)
def test_compiled_energies_and_forces_are_torchs(kind: str, phases: str) -> None:
    """More atoms than a block has of one species and fewer of another, and padding."""
    field, frames = random_field(8, kind, phases=phases), clusters(9, 8)
    energy, forces = field.energy_and_forces(frames)
    numbers = torch.from_numpy(frames.numbers)
    places = torch.from_numpy(frames.positions).requires_grad_()
    inputs, kinds = field._inputs(numbers, places)
    wanted = field._summed(field.head.energies(inputs, kinds)[0], numbers)
    assert np.abs(energy - wanted.detach().numpy()).max() < 1e-10
    slope = torch.autograd.grad(wanted.sum(), places, materialize_grads=True)[0]
    assert np.abs(forces + slope.numpy()).max() < 1e-10


@pytest.mark.parametrize("triple_radial", [0, 1, 3])
def test_slopes_of_invariants_are_torchs(triple_radial: int) -> None:
    config = InvariantsConfig(
        species=(1, 6, 8), pair_radial=3, radial=2, degree=2, triple_radial=triple_radial
    )
    invariants, frames = Invariants(config), clusters(2, 9)
    numbers, places = torch.from_numpy(frames.numbers), torch.from_numpy(frames.positions)
    values, slopes = invariant_slopes(invariants, numbers, places)
    wanted = torch.autograd.functional.jacobian(lambda x: invariants.of(numbers, x).sum(0), places)
    there = numbers > 0
    assert (values - invariants.of(numbers, places)).abs()[there].max() < 1e-12
    for frame in range(2):
        atoms = there[frame]
        off = slopes[frame] - wanted[:, :, frame].flatten(2)
        assert off[atoms].abs().max() < 1e-12


@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_order_of_atoms_means_nothing(seed: int) -> None:
    check_order_means_nothing(random_field(seed), clusters(1, seed), seed)


@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_no_net_force_or_torque(seed: int) -> None:
    frames = clusters(2, seed)
    _, forces = random_field(seed).energy_and_forces(frames)
    assert np.abs(forces.sum(axis=1)).max() < 1e-9
    assert np.abs(np.cross(frames.positions, forces).sum(axis=1)).max() < 1e-8


@settings(max_examples=4, deadline=None)
@given(seed=seeds)
def test_forces_are_finite_differences(seed: int) -> None:
    field, frames = random_field(seed), clusters(1, seed, atoms=4)
    _, forces = field.energy_and_forces(frames)
    steps = 1e-4 * np.eye(12).reshape(12, 4, 3)
    numbers = np.tile(frames.numbers, (12, 1))

    def energy(times: float) -> np.ndarray:
        return field.energy_and_forces(Geometries(numbers, frames.positions + times * steps))[0]

    # fourth order
    slope = (8 * (energy(1) - energy(-1)) - (energy(2) - energy(-2))) / 12e-4
    assert np.abs(slope + forces.ravel()).max() < 1e-6 * max(1.0, np.abs(forces).max())


@pytest.mark.parametrize("cutoff_side", [-1, 1])
def test_energy_and_forces_are_continuous_at_the_cutoff(cutoff_side: int) -> None:
    field = random_field(3)
    numbers = np.array([[8, 1, 1]])
    near = np.array([[[0.0, 0, 0], [1.0, 0, 0], [0.3, 3.0, 0]]])
    near[0, 2] *= 3.0 / np.linalg.norm(near[0, 2])
    beside = near.copy()
    beside[0, 2] *= 1 + cutoff_side * 1e-7
    at = field.energy_and_forces(Geometries(numbers, near))
    off = field.energy_and_forces(Geometries(numbers, beside))
    assert abs(at[0] - off[0]).max() < 1e-5
    assert np.abs(at[1] - off[1]).max() < 1e-4
    # and a neighbour beyond it is not felt
    beside[0, 2] = [0, 20.0, 0]
    far = field.energy_and_forces(Geometries(numbers, beside))[1]
    assert np.abs(far[0, 2]).max() == 0


def test_padding_changes_nothing() -> None:
    field = random_field(5)
    frames = clusters(1, 5)
    padded = Geometries(
        np.pad(frames.numbers, ((0, 0), (0, 2))),
        np.pad(frames.positions, ((0, 0), (0, 2), (0, 0))),
    )
    energy, forces = field.energy_and_forces(frames)
    other, wider = field.energy_and_forces(padded)
    assert np.allclose(energy, other, atol=1e-12, rtol=0)
    assert np.allclose(forces, wider[:, :6], atol=1e-12, rtol=0)
    assert not wider[:, 6:].any()
