"""Spin models of random weights, and molecules for them."""

from __future__ import annotations

import numpy as np
import torch

from qhw.chem.geometries import Geometries
from qhw.forces.spin_model import SpinField
from qhw.models.registry import build

_H2O = [[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]
_NH3 = [[0.0, 0, 0], [0.94, 0, 0.38], [-0.47, 0.81, 0.38], [-0.47, -0.81, 0.38]]
_DIMER = [*_H2O, [-0.6, -2.7, 0.3], [-0.2, -1.8, 0.2], [-1.5, -2.6, 0.6]]
MOLECULES = {
    "lih": ([3, 1], [[0.0, 0, 0], [1.6, 0, 0]]),
    "h2o": ([8, 1, 1], _H2O),
    "nh3": ([7, 1, 1, 1], _NH3),
    "water-dimer": ([8, 1, 1, 8, 1, 1], _DIMER),
}


def shaken(name: str, count: int, seed: int, spread: float = 0.12) -> Geometries:
    """Frames of a molecule about its minimum."""
    numbers, rest = MOLECULES[name]
    moved = spread * np.random.default_rng(seed).normal(size=(count, len(numbers), 3))
    return Geometries(np.tile(numbers, (count, 1)), np.array(rest) + moved)


def symmetric(name: str, seed: int, layers: int = 2, broken: bool = False) -> SpinField:
    """Model A of a molecule."""
    numbers, _ = MOLECULES[name]
    molecules = 2 if name == "water-dimer" else 1
    ligands = len(numbers) // molecules - 1
    vectors = {"center": numbers[0], "ligand": 1, "ligands": ligands, "molecules": molecules}
    head = {"layers": layers, "symmetry_breaking": broken}
    return _drawn("siqnn", {"vectors": vectors, "head": head, "reference": (-13.0, -2000.0)}, seed)


def environment(kind: str, seed: int, wires: int = 4) -> SpinField:
    """Model B of H, C and O with a cutoff of 3 Å."""
    vectors: dict[str, object] = {"species": (1, 6, 8), "cutoff": 3.0}
    head: dict[str, object] = {"layers": 2}
    if kind == "environment-qnn":
        vectors["radial"], head["wires"] = 3, wires
    else:
        vectors["neighbours"] = wires
    config = {"vectors": vectors, "head": head, "reference": (-13.0, -1000.0, -2000.0)}
    return _drawn(kind, config, seed)


def _drawn(kind: str, config: dict[str, object], seed: int) -> SpinField:
    generator = torch.Generator().manual_seed(seed)
    field = build(kind, config, generator).double()
    assert isinstance(field, SpinField)
    with torch.no_grad():
        for parameter in field.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.4 * noise)
    return field.eval()
