"""Symmetries of models A and B with random weights on random geometries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from qhw.chem.geometries import Geometries, GeometryError
from qhw.forces.spin_model import SpinField
from tests.forces.molecules import check_order_means_nothing, clusters
from tests.forces.spin_fields import MOLECULES, environment, shaken, symmetric

seeds = st.integers(0, 2**31)
REVISED, BASELINE = "environment-qnn", "environment-qnn-baseline"
CASES = [*MOLECULES, REVISED, BASELINE]


def drawn(case: str, seed: int, count: int = 2) -> tuple[SpinField, Geometries]:
    if case in MOLECULES:
        return symmetric(case, seed), shaken(case, count, seed)
    return environment(case, seed), clusters(count, seed, atoms=5)


def moved(frames: Geometries, turn: np.ndarray, shift: np.ndarray) -> Geometries:
    there = frames.numbers[..., None] > 0
    return Geometries(frames.numbers, np.where(there, frames.positions @ turn.T + shift, 0.0))


@settings(max_examples=16, deadline=None)
@given(seed=seeds, case=st.sampled_from(CASES))
def test_energies_are_invariant_and_forces_turn_along(seed: int, case: str) -> None:
    field, frames = drawn(case, seed)
    energy, forces = field.energy_and_forces(frames)
    rng = np.random.default_rng(seed)
    turn = Rotation.random(random_state=rng).as_matrix()
    if case != BASELINE:  # whose circuit is not inverted by construction
        turn = turn * rng.choice([-1, 1])
    other, turned = field.energy_and_forces(moved(frames, turn, rng.normal(size=3)))
    assert np.abs(other - energy).max() < 1e-9
    assert np.abs(turned - forces @ turn.T).max() < 1e-9


@settings(max_examples=16, deadline=None)
@given(seed=seeds, case=st.sampled_from(CASES))
def test_order_of_atoms_means_nothing(seed: int, case: str) -> None:
    check_order_means_nothing(*drawn(case, seed, 1), seed)


@settings(max_examples=12, deadline=None)
@given(seed=seeds, case=st.sampled_from(CASES))
def test_no_net_force_or_torque(seed: int, case: str) -> None:
    field, frames = drawn(case, seed)
    _, forces = field.energy_and_forces(frames)
    assert np.abs(forces).max() > 1e-3
    assert np.abs(forces.sum(axis=1)).max() < 1e-9
    assert np.abs(np.cross(frames.positions, forces).sum(axis=1)).max() < 1e-8


@pytest.mark.parametrize("case", CASES)
def test_forces_are_finite_differences(case: str) -> None:
    field, frames = drawn(case, 7, 1)
    _, forces = field.energy_and_forces(frames)
    atoms = frames.numbers.shape[1]
    steps = 1e-3 * np.eye(3 * atoms).reshape(-1, atoms, 3)
    numbers = np.tile(frames.numbers, (3 * atoms, 1))

    def energy(times: float) -> np.ndarray:
        return field.energy_and_forces(Geometries(numbers, frames.positions + times * steps))[0]

    # fourth order
    slope = (8 * (energy(1) - energy(-1)) - (energy(2) - energy(-2))) / 12e-3
    assert np.abs(slope + forces.ravel()).max() < 1e-6


@pytest.mark.parametrize("case", ["nh3", "water-dimer", REVISED])
def test_inversion_needs_its_average(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mirrored rows the energy of an inverted molecule is another."""
    field, frames = drawn(case, 3)
    whole = field._head.rows

    def upright(inputs, kinds):
        atoms, parts = whole(inputs, kinds)
        half = slice(len(atoms) // 2)
        cut = [type(p)(p.spins[half], p.couplings[half], 2 * p.weights[half]) for p in parts]
        return atoms[half], tuple(cut)

    mirrored = Geometries(frames.numbers, -frames.positions)
    assert np.abs((field.energy(mirrored) - field.energy(frames)).detach().numpy()).max() < 1e-10
    monkeypatch.setattr(field.head, "rows", upright)
    off = (field.energy(mirrored) - field.energy(frames)).detach().numpy()
    assert np.abs(off).max() > 1e-4


def test_broken_symmetry_is_broken() -> None:
    frames = shaken("h2o", 2, 1)
    turn = Rotation.from_rotvec([0.3, 1.0, -0.4]).as_matrix()
    for broken, least, most in ((False, 0, 1e-10), (True, 1e-3, 100)):
        field = symmetric("h2o", 4, broken=broken)
        off = field.energy(moved(frames, turn, np.zeros(3))) - field.energy(frames)
        assert least <= off.abs().max().item() < most


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("kind", [REVISED, BASELINE])
def test_energy_is_continuous_at_the_cutoff(kind: str, side: int) -> None:
    field = environment(kind, 3)
    numbers = np.array([[8, 1, 1, 6]])
    at = np.array([[[0.0, 0, 0], [1.0, 0, 0], [0.3, 1.1, 0], [0, 0, 3.0]]])
    beside, far = at.copy(), at.copy()
    beside[0, 3, 2] += side * 1e-6
    far[0, 3, 2] = 30.0
    energy, forces = field.energy_and_forces(Geometries(numbers, at))
    other, pulled = field.energy_and_forces(Geometries(numbers, beside))
    assert np.abs(energy - other).max() < 1e-6
    assert np.abs(forces - pulled).max() < 1e-4
    assert np.abs(field.energy_and_forces(Geometries(numbers, far))[1][0, 3]).max() == 0


def test_energy_is_continuous_where_neighbours_swap_order_in_the_revised_model_alone() -> None:
    numbers = np.array([[8, 1, 1, 6, 1, 1]])
    places = np.array(
        [[[0.0, 0, 0], [1.0, 0, 0], [0, 1.1, 0], [0, 0, -1.4], [0.6, -0.9, 0.3], [-1, -0.5, 0.2]]]
    )
    jumps = {}
    for kind in (REVISED, BASELINE):
        field = environment(kind, 5)
        energy = []
        for off in (-1e-7, 1e-7):
            near = places.copy()
            near[0, 2] *= (1.0 + off) / 1.1
            energy.append(field.energy_and_forces(Geometries(numbers, near))[0])
        jumps[kind] = np.abs(energy[1] - energy[0]).max()
    assert jumps[REVISED] < 1e-5
    assert jumps[BASELINE] > 1e-4


def test_other_molecules_are_refused_in_one_line() -> None:
    with pytest.raises(GeometryError, match="frame 1 has others") as caught:
        symmetric("h2o", 0).energy(Geometries(np.array([[8, 1]]), np.eye(3)[None, :2]))
    assert "\n" not in str(caught.value)
    torn = shaken("water-dimer", 1, 0)
    torn.positions[0, 1] = torn.positions[0, 3] + [0, 0, 1.2]
    with pytest.raises(GeometryError, match="nearest to it, but in frame 1"):
        symmetric("water-dimer", 0).energy(torn)
