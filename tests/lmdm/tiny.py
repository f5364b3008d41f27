"""Small models and molecules that tests share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import AllChem

from qhw.chem.geometries import Geometries
from qhw.lmdm.data import WholeMolecules
from qhw.lmdm.model import LMDM, LMDMConfig

NETWORK = {"width": 16, "layers": 2, "local": 3}
AUTOENCODER = {
    "features": 2,
    "encoder": {"width": 16, "layers": 1},
    "decoder": {"width": 16, "layers": 1},
}
ASKED = {"name": "gap", "mean": 5000.0, "spread": 1000.0, "low": 3000.0, "high": 8000.0}


def config(**more: Any) -> LMDMConfig:
    return LMDMConfig.model_validate(
        {
            "elements": (1, 6, 8),
            "autoencoder": AUTOENCODER,
            "score": NETWORK,
            "sizes": (3, 5, 9),
            "shares": (0.25, 0.25, 0.5),
            **more,
        }
    )


def model(seed: int = 0, **more: Any) -> LMDM:
    """Random weights ten times those of a start, so that no branch is silent."""
    made = LMDM(config(**more), torch.Generator().manual_seed(seed)).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if name.endswith(("pull.weight", "out.weight", "mix.2.weight", "shift.weight")):
                weight.mul_(10)
    return made


def molecules(smiles: tuple[str, ...] = ("O", "C", "CO", "CCO"), copies: int = 6) -> WholeMolecules:
    """Embedded molecules with hydrogens, slightly shaken, and two made-up properties."""
    rng = np.random.default_rng(0)
    found = []
    for text in smiles:
        one = Chem.AddHs(Chem.MolFromSmiles(text))
        AllChem.EmbedMolecule(one, randomSeed=1)
        numbers = np.array([atom.GetAtomicNum() for atom in one.GetAtoms()])
        found += [(numbers, one.GetConformer().GetPositions()) for _ in range(copies)]
    most = max(len(z) for z, _ in found)
    numbers, positions = np.zeros((len(found), most), np.int64), np.zeros((len(found), most, 3))
    for row, (z, x) in enumerate(found):
        numbers[row, : len(z)] = z
        positions[row, : len(z)] = x + rng.normal(0, 0.02, x.shape)
    counts = (numbers > 0).sum(1)
    values = {"gap": 9000.0 - 300 * counts + rng.normal(0, 20, len(found)), "alpha": 6.0 * counts}
    return WholeMolecules(Geometries(numbers, positions), values)
