"""RDKit molecules from atoms and bond orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Geometry import Point3D

from qhw.chem.molecule import ELEMENTS

_ORDERS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}


def build(
    types: NDArray[np.int8],
    orders: NDArray[np.int64],
    charges: NDArray[np.int8] | None = None,
) -> Chem.RWMol:
    """Unsanitised molecule; hydrogens stay implicit.

    Args:
        types: ``(n,)``, index into C N O F.
        orders: ``(n, n)``; an order above 3 is written as single, as the released code does.
        charges: formal, ``(n,)``; ``None`` where all are neutral.
    """
    formal = None if charges is None else charges.tolist()
    return build_numbers([ELEMENTS[kind] for kind in types], orders, formal)


def build_numbers(
    numbers: Sequence[int], orders: NDArray[np.int64], charges: Sequence[int] | None = None
) -> Chem.RWMol:
    """Unsanitised molecule of any elements.

    Args:
        numbers: atomic numbers of the n atoms.
        orders: ``(n, n)``; an order above 3 is written as single.
        charges: formal, n; ``None`` where all are neutral.
    """
    molecule = Chem.RWMol()
    for place, number in enumerate(numbers):
        atom = Chem.Atom(number)
        if charges is not None:
            atom.SetFormalCharge(charges[place])
        molecule.AddAtom(atom)
    for i, j in zip(*np.nonzero(np.triu(orders)), strict=True):
        bond = _ORDERS.get(int(orders[i, j]), Chem.BondType.SINGLE)
        molecule.AddBond(int(i), int(j), bond)
    return molecule


def with_positions(molecule: Chem.RWMol, positions: NDArray[np.float64]) -> Chem.Mol:
    """The molecule with a geometry.

    Args:
        molecule: n atoms, without a conformer.
        positions: ``(n, 3)`` Å.
    """
    conformer = Chem.Conformer(len(positions))
    conformer.Set3D(True)
    for atom, (x, y, z) in enumerate(positions):
        conformer.SetAtomPosition(atom, Point3D(float(x), float(y), float(z)))
    molecule.AddConformer(conformer, assignId=True)
    molecule.UpdatePropertyCache(strict=False)
    return molecule.GetMol()


def sanitised_smiles(molecule: Chem.Mol) -> str | None:
    """Canonical SMILES without stereo after full sanitisation; ``None`` if RDKit refuses."""
    copy = Chem.Mol(molecule)
    with rdBase.BlockLogs():
        if Chem.SanitizeMol(copy, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            return None
    return str(Chem.MolToSmiles(copy, isomericSmiles=False))


def round_trip_smiles(molecule: Chem.Mol) -> str | None:
    """SMILES of the unsanitised molecule if RDKit reads it back, else ``None`` (released rule)."""
    smiles = str(Chem.MolToSmiles(molecule))
    with rdBase.BlockLogs():
        return smiles if Chem.MolFromSmiles(smiles) is not None else None


def read_smiles(smiles: str) -> Chem.Mol | None:
    """The molecule; ``None`` if RDKit cannot read it."""
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(smiles)


def canonical_smiles(smiles: str) -> str | None:
    """Canonical SMILES without stereo; ``None`` if RDKit cannot read it."""
    molecule = read_smiles(smiles)
    return None if molecule is None else str(Chem.MolToSmiles(molecule, isomericSmiles=False))
