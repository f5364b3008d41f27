"""Molecules of any elements with explicit hydrogens, as SDF files have them, in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from qhw.chem.edm import bond_orders
from qhw.chem.geometries import Geometries
from qhw.chem.rdkit_build import build_numbers, with_positions
from qhw.chem.sdf import sdf_text
from qhw.chem.sdf_reader import check_geometries, no_geometry, parsed
from qhw.chem.sdf_records import Record, atom_symbols, read_records

MAX_ATOMS = 1_000
"""Of one molecule."""
MAX_PLACES = 20_000_000
"""Molecules times the atoms of the largest."""


@dataclass(frozen=True, eq=False)
class NamedGeometries:
    """Molecules with every atom, and what a file says about their bonds.

    Attributes:
        geometries: B molecules in the file's atom order, Å.
        names: title of each; its number, from 0, where the file has none.
        molecules: as RDKit reads them, with bonds and charges, not sanitised.
        unreadable: records that were passed over, by number from 1, and why.
    """

    geometries: Geometries
    names: tuple[str, ...]
    molecules: tuple[Chem.Mol, ...]
    unreadable: Mapping[int, str] = field(default_factory=dict)

    @property
    def has_hydrogens(self) -> bool:
        """Whether any molecule shows a hydrogen."""
        return bool((self.geometries.numbers == 1).any())

    @property
    def charges(self) -> NDArray[np.int8]:
        """Formal charges as stated, ``(B, A)``."""
        found = np.zeros(self.geometries.numbers.shape, dtype=np.int8)
        for row, one in enumerate(self.molecules):
            found[row, : one.GetNumAtoms()] = [a.GetFormalCharge() for a in one.GetAtoms()]
        return found

    @property
    def has_bonds(self) -> bool:
        """Whether every molecule of two atoms or more has bonds."""
        return all(one.GetNumBonds() for one in self.molecules if one.GetNumAtoms() > 1)


def read_whole_sdf(path: Path, *, keep_going: bool = False) -> NamedGeometries:
    """Read an SDF file: any elements, hydrogens, charges and bonds kept.

    Args:
        path: file with at least one molecule, every one with a geometry; it may be gzipped.
        keep_going: pass over records that cannot be read, and name them, as long as there is one
            that can. A drawing without a geometry refuses the file all the same.

    Raises:
        ValueError: as :func:`qhw.chem.sdf_reader.read_sdf`, but all elements from H to Og and up
            to a thousand atoms a molecule may occur; the line names file, record and atom.
    """
    molecules: list[Chem.Mol] = []
    names: list[str] = []
    flat: list[str] = []
    faults: dict[int, ValueError] = {}
    most = 0
    with rdBase.BlockLogs():
        for record in read_records(path, faults.__setitem__ if keep_going else None):
            try:
                molecule = _whole(record)
            except ValueError as error:
                if not keep_going:
                    raise
                faults[record.number] = error
                continue
            reason = _flat(molecule, record.dimension)
            if reason:
                flat.append(f"record {record.number} {reason}")
            molecules.append(molecule)
            names.append(record.title or str(record.number - 1))
            most = max(most, molecule.GetNumAtoms())
            if most * len(molecules) > MAX_PLACES:
                raise ValueError(
                    f"Argument `input` must hold at most {MAX_PLACES} places for atoms (molecules "
                    f"times the atoms of the largest), but {path} has more by record "
                    f"{record.number}."
                )
    if faults and not molecules:
        raise next(iter(faults.values()))
    check_geometries(path, len(molecules), flat)
    unreadable = {number: _reason(path, faults[number]) for number in sorted(faults)}
    return NamedGeometries(geometries_of(molecules), tuple(names), tuple(molecules), unreadable)


def _reason(path: Path, fault: ValueError) -> str:
    """What is wrong with a record, without what the message of a whole file begins with."""
    return str(fault).rpartition(f"but {path}, ")[2].rstrip(".")


def geometries_of(molecules: Sequence[Chem.Mol]) -> Geometries:
    """Atoms and places of molecules of RDKit, from their first conformers."""
    most = max((one.GetNumAtoms() for one in molecules), default=0)
    numbers = np.zeros((len(molecules), most), dtype=np.int64)
    positions = np.zeros((len(molecules), most, 3))
    for row, one in enumerate(molecules):
        n = one.GetNumAtoms()
        numbers[row, :n] = [atom.GetAtomicNum() for atom in one.GetAtoms()]
        positions[row, :n] = one.GetConformer().GetPositions()
    return Geometries(numbers, positions)


def whole_rdkit(geometries: Geometries) -> Iterator[Chem.Mol]:
    """Each with its geometry and EDM's bonds, neutral, hydrogens explicit, not sanitised."""
    for numbers, positions in zip(geometries.numbers, geometries.positions, strict=True):
        n = int((numbers > 0).sum())
        one = Geometries(numbers[None, :n], positions[None, :n])
        molecule = build_numbers(numbers[:n].tolist(), bond_orders(one)[0])
        yield with_positions(molecule, positions[:n])


def geometries_to_sdf(
    geometries: Geometries,
    *,
    names: Sequence[str] | None = None,
    properties: Mapping[str, Sequence[object]] | None = None,
) -> str:
    """SDF text of a batch with explicit hydrogens and EDM's bonds, one record a molecule.

    Args:
        geometries: Å; broken molecules are written too.
        names: title line of each; default ``0``, ``1``, ...
        properties: data fields, one value a molecule; ``None`` leaves the field out.

    Raises:
        ValueError: as :func:`qhw.chem.sdf.to_sdf`, or a position that is not finite.
    """
    if not np.isfinite(geometries.positions).all():
        raise ValueError("Argument `geometries` must have finite positions, but has not.")
    return sdf_text(list(whole_rdkit(geometries)), names=names, properties=properties)


def _whole(record: Record) -> Chem.Mol:
    for atom, symbol in enumerate(atom_symbols(record.lines), 1):
        if not _is_element(symbol):
            raise ValueError(
                f"Argument `input` must have elements from H to Og, but {record.where}, atom "
                f"{atom} is {symbol[:20]!r}."
            )
    molecule = parsed(record)
    if not 1 <= molecule.GetNumAtoms() <= MAX_ATOMS:
        raise ValueError(
            f"Argument `input` must have 1 to {MAX_ATOMS} atoms a molecule, but {record.where} "
            f"has {molecule.GetNumAtoms()}."
        )
    return molecule


def _is_element(symbol: str) -> bool:
    if symbol in ("D", "T"):
        return True
    try:
        return int(Chem.GetPeriodicTable().GetAtomicNumber(symbol)) > 0
    except RuntimeError:
        return False


def _flat(molecule: Chem.Mol, dimension: str) -> str | None:
    heavy = sum(atom.GetAtomicNum() > 1 for atom in molecule.GetAtoms())
    bonded = molecule
    if not molecule.GetNumBonds():
        bonded = next(whole_rdkit(geometries_of([molecule])))
    return no_geometry(molecule, bonded, heavy, dimension)
