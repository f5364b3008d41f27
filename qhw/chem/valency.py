"""Stability by valencies that know charges and aromatic bonds.

After the corrected evaluation of GEOM-Drugs (GEOM-Drugs Revisited, 2025): an atom is stable if its
number of aromatic bonds and the sum of its other bond orders occur, at its formal charge, in the
cleaned data set. Bonds and charges are those a file states, in aromatic or Kekulé form; where it
states none they are RDKit's, from the geometry of a molecule that is neutral as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

_TRIALS = 2_000
"""Ways to place double bonds that RDKit tries for one geometry."""
_TEXT = """
H 0: 01; B -1: 04; B 0: 03; C 0: 04 22 21 30; C -1: 03 21 30; C 1: 03 21 30;
N 0: 03 20 21 30; N 1: 04 20 21 22 30; N -1: 02 20; N -2: 01; O 0: 02 20; O -1: 01; O 1: 03;
F 0: 01; Si 0: 04; Si 1: 05; P 0: 03 05; P 1: 04; S 0: 02 03 06 20; S 1: 03 20 21 30;
S 2: 04 21 22; S 3: 02 05; S -1: 01; Cl 0: 01; Cl 1: 02; Br 0: 01; Br 1: 02;
I 0: 01; I 1: 02; I 2: 03; Bi 0: 03; Bi 2: 05
"""
_TABLE: dict[str, list[str]] = {
    key.strip(): allowed.split()
    for key, _, allowed in (entry.partition(":") for entry in _TEXT.split(";"))
}
"""By element and formal charge: aromatic bonds and the sum of all other orders, a digit each."""


@dataclass(frozen=True, eq=False)
class ValencyJudgement:
    """What each molecule of a batch is.

    Attributes:
        atoms: of each molecule, ``(B,)``.
        stable_atoms: of each, ``(B,)``; 0 where no bonds could be read.
        valid: whether RDKit sanitises it, ``(B,)``.
        connected: whether it is one piece, ``(B,)``.
        stated: whether bonds are the file's own, not read from the geometry.
    """

    atoms: NDArray[np.int64]
    stable_atoms: NDArray[np.int64]
    valid: NDArray[np.bool_]
    connected: NDArray[np.bool_]
    stated: bool

    @property
    def stable(self) -> NDArray[np.bool_]:
        """Whether all atoms of a molecule are stable, ``(B,)``."""
        return np.asarray((self.atoms > 0) & (self.stable_atoms == self.atoms))

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Every count and its denominator, by name."""
        molecules = len(self.atoms)
        whole = self.stable & self.valid & self.connected
        return {
            "stable atoms / atoms": (int(self.stable_atoms.sum()), int(self.atoms.sum())),
            "stable / all": (int(self.stable.sum()), molecules),
            "valid / all": (int(self.valid.sum()), molecules),
            "valid and connected / all": (int((self.valid & self.connected).sum()), molecules),
            "stable, valid and connected / all": (int(whole.sum()), molecules),
        }


def judge_valency(molecules: Sequence[Chem.Mol], *, stated: bool) -> ValencyJudgement:
    """Judge every molecule.

    Args:
        molecules: with explicit hydrogens, and a conformer unless ``stated``; not sanitised.
        stated: take their bonds and charges as they are; else those of the geometry.
    """
    stable = np.zeros(len(molecules), dtype=np.int64)
    valid, connected = np.zeros((2, len(molecules)), dtype=np.bool_)
    for row, given in enumerate(molecules):
        molecule = given if stated else perceived(given)
        if molecule is None or not molecule.GetNumAtoms():
            continue
        stable[row] = sum(map(is_stable, molecule.GetAtoms()))
        connected[row] = len(Chem.GetMolFrags(molecule)) == 1
        with rdBase.BlockLogs():
            failed = Chem.SanitizeMol(Chem.Mol(molecule), catchErrors=True)
        valid[row] = failed == Chem.SanitizeFlags.SANITIZE_NONE
    atoms = np.array([one.GetNumAtoms() for one in molecules], dtype=np.int64)
    return ValencyJudgement(atoms, stable, valid, connected, stated)


def is_stable(atom: Chem.Atom) -> bool:
    """Whether an atom's bonds, hydrogens explicit, occur at its charge."""
    orders = [bond.GetBondTypeAsDouble() for bond in atom.GetBonds()]
    aromatic = sum(order == 1.5 for order in orders)
    others = sum(order for order in orders if order != 1.5)
    allowed = _TABLE.get(f"{atom.GetSymbol()} {atom.GetFormalCharge()}", [])
    return f"{aromatic}{others:g}" in allowed


def perceived(molecule: Chem.Mol) -> Chem.Mol | None:
    """The same atoms with the bonds and charges of their geometry; ``None`` if there are none."""
    bare = Chem.RWMol(molecule)
    for bond in list(bare.GetBonds()):
        bare.RemoveBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
    for atom in bare.GetAtoms():
        atom.SetFormalCharge(0)
        atom.SetIsAromatic(False)
    with rdBase.BlockLogs():
        try:
            rdDetermineBonds.DetermineBonds(bare, charge=0, maxIterations=_TRIALS)
        except (ValueError, RuntimeError):
            return None
    return bare.GetMol()
