"""Molecules of RDKit and of ASE, in and out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from qhw.chem.molecule import ELEMENTS, MAX_ATOMS, SYMBOLS, MoleculeBatch

if TYPE_CHECKING:
    from ase import Atoms

MoleculeObject: TypeAlias = "Chem.Mol | Atoms"
"""A molecule of RDKit with a conformer, or of ASE."""


def molecules_of(given: MoleculeObject | Iterable[MoleculeObject]) -> MoleculeBatch:
    """Molecules of RDKit (the first conformer, formal charges kept) or ASE; hydrogens are dropped.

    Args:
        given: one or several.

    Raises:
        ValueError: none, an object of another kind, no 3-D conformer, an element other than C, N,
            O, F (and H), no or more than nine heavy atoms, coordinates that are not finite, a
            periodic cell. The line counts them from 1.
    """
    several: Iterable[Any] = [given] if _is_one(given) else given
    batches = [_read(one, f"molecule {number}") for number, one in enumerate(several, 1)]
    if not batches:
        raise ValueError("Argument `molecules` must hold at least one, but is empty")
    return MoleculeBatch.joined(batches)


def rdkit_molecules(batch: MoleculeBatch) -> list[Chem.Mol]:
    """Each with its geometry and the strict protocol's bonds, not sanitised; hydrogens implied."""
    from qhw.chem.sdf import to_rdkit

    charges = batch.charges
    return [
        to_rdkit(types, places, None if charges is None else charges[i, : len(types)])
        for i, (types, places) in enumerate(batch)
    ]


def ase_atoms(batch: MoleculeBatch) -> list[Atoms]:
    """Heavy atoms of each, positions in Å.

    Raises:
        ModuleNotFoundError: ASE is not installed.
    """
    try:
        from ase import Atoms
    except ModuleNotFoundError:
        raise ModuleNotFoundError("ASE is not installed: pip install ase", name="ase") from None
    numbers = np.array(ELEMENTS)
    return [Atoms(numbers=numbers[types], positions=places) for types, places in batch]


def heavy_atoms(molecule: Chem.Mol, where: str) -> MoleculeBatch:
    """Heavy atoms of one molecule of RDKit with a conformer.

    Args:
        molecule: with hydrogens or without.
        where: for messages.

    Raises:
        ValueError: other elements than C, N, O, F (and H), no or more than nine heavy atoms.
    """
    atoms = list(molecule.GetAtoms())
    numbers = np.array([atom.GetAtomicNum() for atom in atoms], dtype=np.int64)
    charges = np.array([atom.GetFormalCharge() for atom in atoms], dtype=np.int64)
    places = np.asarray(molecule.GetConformer().GetPositions(), dtype=np.float64)
    return _heavy(numbers, charges, places, where)


def _is_one(given: object) -> bool:
    return isinstance(given, Chem.Mol) or _is_ase(given)


def _is_ase(given: object) -> bool:
    return hasattr(given, "get_atomic_numbers") and hasattr(given, "get_positions")


def _read(one: Any, where: str) -> MoleculeBatch:
    if isinstance(one, Chem.Mol):
        if not one.GetNumConformers() or not one.GetConformer().Is3D():
            raise ValueError(
                f"Argument `molecules` must have 3-D coordinates, but {where} has no 3-D conformer"
            )
        batch = heavy_atoms(one, where)
    elif _is_ase(one):
        if np.any(one.get_pbc()):
            raise ValueError(
                f"Argument `molecules` must have no periodic cell, but {where} is periodic"
            )
        numbers = np.asarray(one.get_atomic_numbers(), dtype=np.int64)
        places = np.asarray(one.get_positions(), dtype=np.float64)
        batch = _heavy(numbers, np.zeros_like(numbers), places, where)
    else:
        raise ValueError(
            f"Argument `molecules` must be of RDKit or ASE, but {where} is {type(one).__name__}"
        )
    if not np.isfinite(batch.positions).all():
        raise ValueError(f"Argument `molecules` must have finite positions, but {where} has not")
    return batch


def _heavy(
    numbers: NDArray[np.int64],
    charges: NDArray[np.int64],
    places: NDArray[np.float64],
    where: str,
) -> MoleculeBatch:
    heavy: Sequence[int] = np.flatnonzero(numbers != 1).tolist()
    for atom in heavy:
        if numbers[atom] not in ELEMENTS:
            symbol = Chem.GetPeriodicTable().GetElementSymbol(int(numbers[atom]))
            raise ValueError(
                f"Argument `input` must have elements {', '.join(SYMBOLS)} (and H) only, "
                f"but {where} has {symbol} (atom {atom + 1})."
            )
    if not 1 <= len(heavy) <= MAX_ATOMS:
        raise ValueError(
            f"Argument `input` must have 1 to {MAX_ATOMS} heavy atoms a molecule, "
            f"but {where} has {len(heavy)}."
        )
    kinds = np.array([[ELEMENTS.index(n) for n in numbers[heavy]]], dtype=np.int8)
    batch = MoleculeBatch(kinds, places[heavy][None], charges[heavy][None].astype(np.int8))
    return batch.padded(MAX_ATOMS)
