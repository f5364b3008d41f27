"""Molecules for a page: flat structure drawings and the data of the turning views."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem.Draw import rdMolDraw2D

from qhw.chem.bonds import bond_graph
from qhw.chem.molecule import SYMBOLS, MoleculeBatch

_PALETTE = {6: (0.0, 0.0, 0.0), 7: (0.23, 0.49, 0.85), 8: (0.85, 0.27, 0.24), 9: (0.18, 0.62, 0.27)}
"""Legible on light and dark paper; carbon's black becomes the page's text colour."""


def structure_svg(smiles: str, label: str) -> str:
    """Flat drawing of a structure, in the page's text colour.

    Args:
        smiles: of a molecule RDKit can sanitise.
        label: accessible name.

    Raises:
        ValueError: RDKit cannot read the SMILES.
    """
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise ValueError(f"Argument `smiles` must be readable by RDKit, but is {smiles!r}")
    drawer = rdMolDraw2D.MolDraw2DSVG(240, 150)
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    options.fixedBondLength = 28
    options.padding = 0.08
    options.updateAtomPalette(_PALETTE)
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
    drawer.FinishDrawing()
    text = drawer.GetDrawingText()
    text = text[text.index("<svg") :].replace("#000000", "currentColor")
    text = re.sub(r"width='\d+px' height='\d+px' ", "", text, count=1)
    safe = label.replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;")
    return text.replace("<svg ", f"<svg role='img' aria-label='{safe}' ", 1)


def view_json(types: NDArray[np.int8], positions: NDArray[np.float64]) -> str:
    """Atoms and strict bonds for the turning view, centred, as JSON.

    Args:
        types: ``(n,)``, index into C N O F.
        positions: ``(n, 3)`` Å.
    """
    batch = MoleculeBatch(types[None], positions[None])
    bonds = np.argwhere(np.triu(bond_graph(batch, "strict")[0])) if len(types) else np.empty((0, 2))
    centred = positions - positions.mean(axis=0) if len(types) else positions
    atoms = [
        [SYMBOLS[kind], *np.round(place, 3).tolist()]
        for kind, place in zip(types, centred, strict=True)
    ]
    return json.dumps({"atoms": atoms, "bonds": bonds.astype(int).tolist()})
