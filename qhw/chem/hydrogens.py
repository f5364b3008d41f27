"""Hydrogens put on molecules of heavy atoms, and taken off whole ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from qhw.chem.geometries import Geometries
from qhw.chem.molecule import ELEMENTS, MAX_ATOMS, SYMBOLS, MoleculeBatch

RULE = "RDKit's AddHs with coordinates, on the bonds and charges of the strict protocol"
"""How hydrogens come to molecules of heavy atoms."""


def hydrogenated(molecule: Chem.Mol) -> Chem.Mol:
    """A molecule with bonds and a conformer, its hydrogens added; not sanitised."""
    copy = Chem.Mol(molecule)
    with rdBase.BlockLogs():
        # places of hydrogens follow from hybridisation, which broken molecules must have, too
        if Chem.SanitizeMol(copy, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            copy = Chem.Mol(molecule)
            copy.UpdatePropertyCache(strict=False)
            Chem.FastFindRings(copy)
            Chem.SetHybridization(copy)
        return Chem.AddHs(copy, addCoords=True)


def heavy_part(molecules: Geometries, charges: NDArray[np.int8] | None = None) -> MoleculeBatch:
    """Heavy atoms alone, in their order; any number of them.

    Args:
        molecules: with hydrogens or without.
        charges: formal, ``(B, A)``; ``None`` where none are stated.

    Raises:
        ValueError: an element other than H, C, N, O, F; the line names the molecule, from 1.
    """
    numbers = molecules.numbers
    strange = (numbers > 1) & ~np.isin(numbers, ELEMENTS)
    if strange.any():
        row, atom = np.argwhere(strange)[0]
        symbol = Chem.GetPeriodicTable().GetElementSymbol(int(numbers[row, atom]))
        raise ValueError(
            f"Protocols strict and released must have elements {', '.join(SYMBOLS)} and H only, "
            f"but molecule {row + 1} has {symbol} (atom {atom + 1})."
        )
    heavy = numbers > 1
    most = max(MAX_ATOMS, int(heavy.sum(axis=1).max(initial=0)))
    types = np.full((len(numbers), most), -1, dtype=np.int8)
    formal = np.zeros_like(types)
    positions = np.zeros((len(numbers), most, 3))
    place = np.full(max(ELEMENTS) + 1, -1, dtype=np.int8)
    place[list(ELEMENTS)] = np.arange(len(ELEMENTS))
    for row, chosen in enumerate(heavy):
        n = int(chosen.sum())
        types[row, :n] = place[numbers[row, chosen]]
        positions[row, :n] = molecules.positions[row, chosen]
        if charges is not None:
            formal[row, :n] = charges[row, chosen]
    return MoleculeBatch(types, positions, None if charges is None else formal)
