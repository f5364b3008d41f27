"""Small molecules with energies and forces in closed form, and force fields of random weights."""

from __future__ import annotations

import numpy as np
import torch

from qhw.chem.geometries import Geometries
from qhw.forces.heads import HeadConfig
from qhw.forces.invariants import InvariantsConfig
from qhw.forces.model import ForceField, ForceFieldConfig

WATER = np.array([8, 1, 1])
_REST = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
_LENGTHS = {(1, 8): (0.96, 4.5, 2.2), (1, 1): (1.51, 0.5, 1.5)}


def morse(numbers: np.ndarray, positions: np.ndarray) -> tuple[float, np.ndarray]:
    """Energy (eV) and forces (eV/Å) of pairwise Morse potentials."""
    energy, forces = -76.0 * 27.2, np.zeros_like(positions)
    for i in range(len(numbers)):
        for j in range(i):
            length, depth, width = _LENGTHS[tuple(sorted((int(numbers[i]), int(numbers[j]))))]
            apart = positions[i] - positions[j]
            r = np.linalg.norm(apart)
            bend = np.exp(-width * (r - length))
            energy += depth * (1 - bend) ** 2
            pull = -2 * depth * (1 - bend) * bend * width * apart / r
            forces[i] += pull
            forces[j] -= pull
    return energy, forces


def waters(count: int, seed: int = 0, spread: float = 0.08) -> Geometries:
    """Water, shaken."""
    rng = np.random.default_rng(seed)
    positions = _REST + spread * rng.normal(size=(count, 3, 3))
    found = [morse(WATER, one) for one in positions]
    return Geometries(
        np.tile(WATER, (count, 1)),
        positions,
        np.array([energy for energy, _ in found]),
        np.stack([forces for _, forces in found]),
    )


def clusters(count: int, seed: int, atoms: int = 6) -> Geometries:
    """Random clusters of H, C and O, no two atoms nearer than 0.7 Å, the last frames smaller."""
    rng = np.random.default_rng(seed)
    numbers = np.zeros((count, atoms), dtype=np.int64)
    positions = np.zeros((count, atoms, 3))
    for frame in range(count):
        size = atoms - frame % 2
        numbers[frame, :size] = rng.choice([1, 6, 8], size)
        placed: list[np.ndarray] = []
        while len(placed) < size:
            place = rng.uniform(-2, 2, 3)
            if all(np.linalg.norm(place - other) > 0.7 for other in placed):
                placed.append(place)
        positions[frame, :size] = placed
    return Geometries(numbers, positions)


def random_field(
    seed: int, kind: str = "circuit", form: str = "hybrid", phases: str = "environment"
) -> ForceField:
    """A force field of H, C and O with weights that mean nothing, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    config = ForceFieldConfig(
        invariants=InvariantsConfig(
            species=(1, 6, 8),
            cutoff=3.0,
            pair_radial=4,
            radial=2,
            degree=3,
            triple_radial=1,
            triple_degree=2,
        ),
        head=HeadConfig(kind=kind, form=form, wires=4, phases=phases),
        reference=(-13.0, -1000.0, -2000.0),
    )
    field = ForceField(config, generator).double()
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        if field.head.config.units:
            field.head.weight *= 0.2
    return field.eval()


def check_order_means_nothing(field: ForceField, frames: Geometries, seed: int) -> None:
    """Atoms in another order: the same energy, and forces in that order."""
    energy, forces = field.energy_and_forces(frames)
    order = np.random.default_rng(seed).permutation(frames.numbers.shape[1])
    shuffled = Geometries(frames.numbers[:, order], frames.positions[:, order])
    other, permuted = field.energy_and_forces(shuffled)
    assert np.abs(other - energy).max() < 1e-9
    assert np.abs(permuted - forces[:, order]).max() < 1e-9
