"""What counts as new: SMILES and skeletons, held against molecules that are known.

A skeleton is a molecule's elements and which of them are bonded: no bond orders, charges,
hydrogens or stereo. By SMILES alone a decoder that only repeats its training set looks new,
because a small error of a bond length changes the bond order read from it: of replayed training
molecules 38 % are new by SMILES, next to none by skeleton (figures in
``qhw/data/qm9_training.json``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from qhw.chem.rdkit_build import canonical_smiles

Hashes = NDArray[np.uint64]
HASH_BYTES = 6
"""A molecule that is new passes for known with probability (known ones) / 2^48: 4e-10 against
100,000, so 4e-4 molecules in a million are miscounted; a known one never passes for new."""


@dataclass(frozen=True)
class Novelty:
    """How much of a batch is new.

    Attributes:
        against: what it was held against, in words with its size.
        novel: valid molecules (repeats counted) whose SMILES is not known, the released code's
            count.
        novel_unique: different SMILES among the valid that are not known.
        skeletons: different skeletons among the valid.
        novel_skeletons: different skeletons among the valid that are not known.
    """

    against: str
    novel: int
    novel_unique: int
    skeletons: int
    novel_skeletons: int


@dataclass(frozen=True, eq=False)
class Known:
    """Molecules that are not new, as hashes of their canonical SMILES and skeletons.

    Attributes:
        name: what they are, for example ``QM9's training split``.
        molecules: how many they are.
        smiles: hashes of their SMILES, sorted, each once.
        skeletons: hashes of their skeletons, sorted, each once.
    """

    name: str
    molecules: int
    smiles: Hashes
    skeletons: Hashes

    @classmethod
    def of(cls, smiles: Sequence[str], name: str, also: Iterable[str] = ()) -> Self:
        """From SMILES; unreadable ones are left out.

        The released protocol compares the text RDKit writes before sanitisation, which can differ
        from the canonical one (rings are not made aromatic), so SMILES novelty is overstated
        there, as it is in the released code. Skeletons are not touched by that.

        Args:
            smiles: one a molecule.
            name: what they are.
            also: other SMILES that the same molecules are read as.
        """
        texts = {s for s in map(canonical_smiles, (*smiles, *also)) if s is not None}
        bare = {s for s in map(skeleton, texts) if s is not None}
        return cls(name, len(smiles), _hashed(texts), _hashed(bare))

    @classmethod
    def written(cls, texts: Iterable[str], name: str, molecules: int) -> Self:
        """From SMILES taken as they are written, without skeletons.

        Args:
            texts: to be compared as texts.
            name: what they are.
            molecules: how many they come from.
        """
        return cls(name, molecules, _hashed(texts), np.zeros(0, dtype=np.uint64))

    def new(self, texts: Iterable[str]) -> int:
        """How many different texts are not among the SMILES as written."""
        return len(_missing(set(texts), self.smiles))

    @property
    def said(self) -> str:
        """Name and size, in words."""
        if not len(self.skeletons):
            return f"{self.name} ({self.molecules:,} molecules; {len(self.smiles):,} SMILES)"
        return (
            f"{self.name} ({self.molecules:,} molecules; {len(self.smiles):,} SMILES, "
            f"{len(self.skeletons):,} skeletons)"
        )

    def novelty(self, smiles: Iterable[str | None]) -> Novelty:
        """What of a batch is new.

        Args:
            smiles: of the valid molecules, ``None`` elsewhere.
        """
        times = Counter(text for text in smiles if text is not None)
        new = _missing(times, self.smiles)
        bare = {s for s in map(skeleton, times) if s is not None}
        return Novelty(
            against=self.said,
            novel=sum(times[text] for text in new),
            novel_unique=len(new),
            skeletons=len(bare),
            novel_skeletons=len(_missing(bare, self.skeletons)),
        )


@lru_cache(maxsize=1 << 16)
def skeleton(smiles: str) -> str | None:
    """Canonical text of a molecule's elements and bonds, all bonds single; no hydrogens.

    Args:
        smiles: any that RDKit can parse, sanitised or not.

    Returns:
        The text, the same for every way to write the same graph; ``None`` if it cannot be parsed.
    """
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles, sanitize=False)
    return None if molecule is None else str(Chem.MolToSmiles(_bare(molecule)))


def _bare(molecule: Chem.Mol) -> Chem.RWMol:
    """Heavy atoms and single bonds, nothing else."""
    bare = Chem.RWMol()
    place = {
        atom.GetIdx(): bare.AddAtom(Chem.Atom(atom.GetAtomicNum()))
        for atom in molecule.GetAtoms()
        if atom.GetAtomicNum() != 1
    }
    for bond in molecule.GetBonds():
        ends = (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
        if ends[0] in place and ends[1] in place:
            bare.AddBond(place[ends[0]], place[ends[1]], Chem.BondType.SINGLE)
    return bare


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=HASH_BYTES).digest(), "big")


def _missing(texts: Iterable[str], known: Hashes) -> list[str]:
    """Those whose hash is not among the known."""
    listed = list(texts)
    hashes = np.array([_hash(text) for text in listed], dtype=np.uint64)
    return [listed[place] for place in np.flatnonzero(~np.isin(hashes, known))]


def _hashed(texts: Iterable[str]) -> Hashes:
    return np.unique(np.array([_hash(text) for text in texts], dtype=np.uint64))
