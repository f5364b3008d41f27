"""Heavy atoms of the molecules in an SDF file, and whether they have a geometry at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from qhw.chem.molecule import MoleculeBatch
from qhw.chem.objects import heavy_atoms
from qhw.chem.sdf import to_rdkit
from qhw.chem.sdf_records import Record, read_records

_NAMED = 5
"""Records without a geometry that a message names."""
_NO_THICKNESS = 1e-6


@dataclass(frozen=True)
class NamedMolecules:
    """Molecules and their title lines.

    Attributes:
        molecules: B molecules, Å, in the file's atom order.
        names: title of each; its number, from 0, where the file has none.
    """

    molecules: MoleculeBatch
    names: tuple[str, ...]

    def take(self, rows: NDArray[np.int64]) -> NamedMolecules:
        """Only these, in this order."""
        return NamedMolecules(self.molecules[rows], tuple(self.names[row] for row in rows))


def read_sdf(path: Path) -> NamedMolecules:
    """Read an SDF file; hydrogens are dropped, charges kept, bonds used for no judgement.

    Args:
        path: file with at least one molecule, every one with a geometry; it may be gzipped.

    Raises:
        ValueError: no file or one beyond the bounds (:mod:`qhw.chem.sdf_records`), a record that
            is no molecule, an element other than C, N, O, F (and H), no or more than nine heavy
            atoms, coordinates that are missing or not finite, or 2-D: the header says so, or all
            atoms lie in a plane of constant z that the molecule cannot lie in. The line names the
            records, counted from 1.
    """
    batches: list[MoleculeBatch] = []
    names: list[str] = []
    flat: list[str] = []
    with rdBase.BlockLogs():
        for record in read_records(path):
            molecule = parsed(record)
            batch = heavy_atoms(molecule, record.where)
            batches.append(batch)
            names.append(record.title or str(record.number - 1))
            bonded = molecule if molecule.GetNumBonds() else to_rdkit(*batch.molecule(0))
            reason = no_geometry(molecule, bonded, int(batch.counts[0]), record.dimension)
            if reason:
                flat.append(f"record {record.number} {reason}")
    check_geometries(path, len(batches), flat)
    return NamedMolecules(MoleculeBatch.joined(batches), tuple(names))


def check_geometries(path: Path, records: int, flat: Sequence[str]) -> None:
    """Refuse a file without molecules, or with some that have no geometry.

    Args:
        path: the file.
        records: how many it holds.
        flat: those without a geometry, in words.

    Raises:
        ValueError: none, or some are flat.
    """
    if not records:
        raise ValueError(
            f"Argument `input` must hold at least one molecule, but {path} "
            f"{'has none' if path.stat().st_size else 'is empty'}."
        )
    if flat:
        more = f"; {len(flat) - _NAMED} more of {records}" if len(flat) > _NAMED else ""
        raise ValueError(
            f"Argument `input` must have 3-D coordinates, but {path}: "
            f"{'; '.join(flat[:_NAMED])}{more}."
        )


def parsed(record: Record) -> Chem.Mol:
    """A record as RDKit's molecule, not sanitised, hydrogens kept.

    Raises:
        ValueError: RDKit cannot read it.
    """
    try:
        molecule = Chem.MolFromMolBlock("\n".join(record.lines), sanitize=False, removeHs=False)
    except RuntimeError:  # a check inside RDKit
        molecule = None
    if molecule is None or molecule.GetNumConformers() == 0:
        raise ValueError(
            f"Argument `input` must hold molecules, but {record.where} cannot be read."
        )
    return molecule


def no_geometry(molecule: Chem.Mol, bonded: Chem.Mol, heavy: int, dimension: str) -> str | None:
    """Why the coordinates are no geometry; ``None`` if they are one.

    Args:
        molecule: as the file has it.
        bonded: the same, or its heavy atoms, with bonds.
        heavy: heavy atoms.
        dimension: by the header.
    """
    places = np.asarray(molecule.GetConformer().GetPositions())
    if dimension == "2D":
        return "is 2-D by its header"
    thickness = np.ptp(places, axis=0)
    if len(places) > 1 and thickness.max() <= _NO_THICKNESS:
        return "has all atoms in one point"
    if thickness[2] > _NO_THICKNESS:
        return None
    # hydrogens left out may leave the plane, but only a header that says 3D can be believed; two
    # heavy atoms are as good in a plane as anywhere
    trusted = dimension == "3D" or heavy < 3
    if any(_is_tetrahedral(atom, 3 if trusted else 1) for atom in bonded.GetAtoms()):
        said = "which its molecule cannot be" if trusted else "and its header does not say 3D"
        return f"is flat (all z equal), {said}"
    return None


def _is_tetrahedral(atom: Chem.Atom, neighbours: int) -> bool:
    """Whether bonds leave the plane: four, or a saturated carbon with enough of its bonds shown."""
    if atom.GetDegree() >= 4:
        return True
    saturated = all(bond.GetBondType() == Chem.BondType.SINGLE for bond in atom.GetBonds())
    plain = atom.GetFormalCharge() == 0 and atom.GetNumRadicalElectrons() == 0
    return atom.GetAtomicNum() == 6 and saturated and plain and atom.GetDegree() >= neighbours
