"""Molecules with every atom that are to be judged, wherever they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdkit import Chem

from qhw.chem.geometries import Geometries
from qhw.chem.hydrogens import RULE, heavy_part, hydrogenated
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.objects import rdkit_molecules
from qhw.chem.whole_sdf import NamedGeometries, geometries_of, whole_rdkit


@dataclass(frozen=True, eq=False)
class Subject:
    """What is judged.

    Attributes:
        title: what it is, in words.
        whole: B molecules with hydrogens.
        bonded: the same as molecules of RDKit, with bonds where any are stated.
        bonds: where bonds and charges for valencies are from, in words; empty where the geometry
            must tell.
        hydrogens: where hydrogens are from, in words.
        unreadable: records beside them that could not be read; they count as samples.
    """

    title: str
    whole: Geometries
    bonded: Sequence[Chem.Mol]
    bonds: str
    hydrogens: str
    unreadable: int = 0

    def __len__(self) -> int:
        return len(self.whole)


def of_geometries(title: str, whole: Geometries) -> Subject:
    """Molecules with hydrogens of their own, such as a model's."""
    return Subject(title, whole, list(whole_rdkit(whole)), "", "its own")


def of_heavy(title: str, molecules: MoleculeBatch) -> Subject:
    """Molecules of heavy atoms; hydrogens by :data:`qhw.chem.hydrogens.RULE`."""
    added = [hydrogenated(one) for one in rdkit_molecules(molecules)]
    return Subject(title, geometries_of(added), added, "the strict protocol", RULE)


def of_file(title: str, found: NamedGeometries) -> Subject:
    """A file's molecules: hydrogens of their own, or, where none shows any, by the rule.

    Raises:
        ValueError: no hydrogens at all, elements beyond C, N, O, F, and no bonds.
    """
    bonds = "the file" if found.has_bonds else ""
    if found.has_hydrogens:
        whole = found.geometries
        bonded = found.molecules if found.has_bonds else list(whole_rdkit(whole))
        return Subject(title, whole, bonded, bonds, "its own")
    try:
        heavy = heavy_part(found.geometries, found.charges)
    except ValueError:
        if not found.has_bonds:
            raise ValueError(
                "Argument `input` must have hydrogens, or bonds that tell them, where elements "
                f"beyond C, N, O, F occur, but {title} has neither."
            ) from None
        added = [hydrogenated(one) for one in found.molecules]
        words = "RDKit's AddHs with coordinates, on the file's bonds and charges"
        return Subject(title, geometries_of(added), added, bonds, words)
    return of_heavy(title, heavy)
