"""Heavy atoms of the molecules in an SDF file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from qhw.chem.molecule import ELEMENTS, MAX_ATOMS, SYMBOLS, MoleculeBatch


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
    """Read an SDF file; hydrogens are dropped, bonds are not used.

    Args:
        path: file with at least one molecule, every one with coordinates.

    Raises:
        ValueError: no file, a record that is no molecule, an element other than C, N, O, F (and
            H), no or more than nine heavy atoms, or coordinates that are not finite. The line
            names the record, counted from 1.
    """
    if not path.is_file():
        raise ValueError(f"Argument `input` must be an SDF file, but {path} is not a file.")
    if not _first_byte(path):  # RDKit's own words name no option
        raise ValueError(f"Argument `input` must hold at least one molecule, but {path} is empty.")
    types, positions, names = [], [], []
    with rdBase.BlockLogs():
        supplier = Chem.SDMolSupplier(str(path), sanitize=False, removeHs=False)
        for number, molecule in enumerate(supplier, 1):
            kinds, places = _heavy_atoms(molecule, f"{path}, record {number}")
            types.append(kinds)
            positions.append(places)
            title = molecule.GetProp("_Name") if molecule.HasProp("_Name") else ""
            names.append(title or str(number - 1))
    if not types:
        raise ValueError(f"Argument `input` must hold at least one molecule, but {path} has none.")
    batch = MoleculeBatch(np.stack(types), np.stack(positions))
    return NamedMolecules(batch, tuple(names))


def _first_byte(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1)
    except OSError as error:
        raise ValueError(
            f"Argument `input` must be an SDF file that can be read, but {path}: {error.strerror}"
        ) from error


def _heavy_atoms(
    molecule: Chem.Mol | None, where: str
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    if molecule is None or molecule.GetNumConformers() == 0:
        raise ValueError(f"Argument `input` must hold molecules, but {where} cannot be read.")
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.int64)
    heavy = np.flatnonzero(numbers != 1)
    for atom in heavy:
        if numbers[atom] not in ELEMENTS:
            symbol = molecule.GetAtomWithIdx(int(atom)).GetSymbol()
            raise ValueError(
                f"Argument `input` must have elements {', '.join(SYMBOLS)} (and H) only, "
                f"but {where} has {symbol}."
            )
    if not 1 <= len(heavy) <= MAX_ATOMS:
        raise ValueError(
            f"Argument `input` must have 1 to {MAX_ATOMS} heavy atoms a molecule, "
            f"but {where} has {len(heavy)}."
        )
    places = np.asarray(molecule.GetConformer().GetPositions(), dtype=np.float64)[heavy]
    if not np.isfinite(places).all():
        raise ValueError(f"Argument `input` must have finite coordinates, but {where} has not.")
    padding = MAX_ATOMS - len(heavy)
    kinds = np.array([ELEMENTS.index(n) for n in numbers[heavy]] + [-1] * padding, dtype=np.int8)
    return kinds, np.pad(places, ((0, padding), (0, 0)))
