"""Molecules as heavy-atom point sets, and padded batches of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ase import Atoms
    from rdkit import Chem

    from qhw.chem.objects import MoleculeObject

ELEMENTS: tuple[int, ...] = (6, 7, 8, 9)
"""Atomic numbers in one-hot order: C, N, O, F."""
SYMBOLS: tuple[str, ...] = ("C", "N", "O", "F")
MAX_ATOMS = 9


@dataclass(frozen=True, eq=False)
class MoleculeBatch:
    """Heavy atoms of many molecules, padded to :data:`MAX_ATOMS` (or more) atoms.

    Attributes:
        types: ``(B, A)`` int8, index into :data:`ELEMENTS`, -1 where there is no atom; atoms first,
            padding last.
        positions: ``(B, A, 3)`` float64, Å; zero where there is no atom.
        charges: ``(B, A)`` int8, formal charges where the source states them; a molecule of zeros
            only states none. ``None``: of no molecule.
    """

    types: NDArray[np.int8]
    positions: NDArray[np.float64]
    charges: NDArray[np.int8] | None = None

    @classmethod
    def joined(cls, parts: Sequence[MoleculeBatch]) -> MoleculeBatch:
        """Batches of one padding one after another; at least one."""
        charges = [np.zeros_like(p.types) if p.charges is None else p.charges for p in parts]
        return cls(
            np.concatenate([p.types for p in parts]),
            np.concatenate([p.positions for p in parts]),
            np.concatenate(charges),
        )

    @classmethod
    def of(cls, given: MoleculeObject | Iterable[MoleculeObject]) -> MoleculeBatch:
        """Molecules of RDKit or ASE; see :func:`qhw.chem.objects.molecules_of`.

        Example:
            >>> from rdkit import Chem
            >>> from rdkit.Chem import AllChem
            >>> ethanol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
            >>> AllChem.EmbedMolecule(ethanol, randomSeed=1)
            0
            >>> MoleculeBatch.of(ethanol).types[0, :4]
            array([ 0,  0,  2, -1], dtype=int8)
        """
        from qhw.chem.objects import molecules_of

        return molecules_of(given)

    def to_rdkit(self) -> list[Chem.Mol]:
        """Molecules of RDKit, see :func:`qhw.chem.objects.rdkit_molecules`."""
        from qhw.chem.objects import rdkit_molecules

        return rdkit_molecules(self)

    def to_ase(self) -> list[Atoms]:
        """Atoms of ASE, see :func:`qhw.chem.objects.ase_atoms`."""
        from qhw.chem.objects import ase_atoms

        return ase_atoms(self)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Atoms in each molecule, ``(B,)``."""
        counts: NDArray[np.int64] = (self.types >= 0).sum(axis=1)
        return counts

    def __len__(self) -> int:
        return len(self.types)

    def __getitem__(self, index: slice | NDArray[np.int64] | NDArray[np.bool_]) -> MoleculeBatch:
        charges = None if self.charges is None else self.charges[index]
        return MoleculeBatch(self.types[index], self.positions[index], charges)

    def moved_to(self, positions: NDArray[np.float64]) -> MoleculeBatch:
        """The same atoms elsewhere, ``(B, A, 3)`` Å."""
        return replace(self, positions=positions)

    def padded(self, atoms: int) -> MoleculeBatch:
        """With places for at least ``atoms`` atoms; as it is if it has as many."""
        missing = ((0, 0), (0, max(0, atoms - self.types.shape[1])))
        charges = None if self.charges is None else np.pad(self.charges, missing)
        return MoleculeBatch(
            np.pad(self.types, missing, constant_values=-1),
            np.pad(self.positions, (*missing, (0, 0))),
            charges,
        )

    def molecule(self, i: int) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
        """Types ``(n,)`` and positions ``(n, 3)`` of molecule ``i`` without padding."""
        n = int(self.counts[i])
        return self.types[i, :n], self.positions[i, :n]

    def __iter__(self) -> Iterator[tuple[NDArray[np.int8], NDArray[np.float64]]]:
        return (self.molecule(i) for i in range(len(self)))
