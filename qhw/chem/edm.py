"""Stability and validity as the 3-D generation community reports them, after EDM.

Bond orders follow from distances alone, with explicit hydrogens and no charges: a pair is bonded
below a typical length and a margin (:mod:`qhw.chem.typical_lengths`), doubly or triply below
shorter ones. An atom is stable if its bond orders add up to a valence of its element, a molecule
if all its atoms are. A molecule is valid if RDKit sanitises it: RDKit adds the hydrogens that an
atom lacks, so that a valid molecule need not be stable; one in several pieces counts, and its
largest piece stands for it (:attr:`EDMJudgement.smiles`).

QM9's own molecules score 99.2 % stable atoms, 95 % stable molecules and 97.5 % valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from qhw.chem.bonds import is_connected
from qhw.chem.geometries import Geometries
from qhw.chem.novelty import Known
from qhw.chem.rdkit_build import build_numbers, sanitised_smiles
from qhw.chem.typical_lengths import IS_STABLE, REACHES

_AT_ONCE = 4_000_000
"""Pairs of atoms held at a time."""


@dataclass(frozen=True, eq=False)
class EDMJudgement:
    """What each molecule of a batch is.

    Attributes:
        atoms: of each molecule, ``(B,)``.
        stable_atoms: of each, ``(B,)``.
        connected: whether it is one piece, ``(B,)``.
        smiles: of the valid ones' largest piece, with explicit hydrogens; ``None`` elsewhere.
        new: SMILES among them that were not known, each once; ``None`` without a reference.
        single_bonds: whether all bonds counted as single for validity.
    """

    atoms: NDArray[np.int64]
    stable_atoms: NDArray[np.int64]
    connected: NDArray[np.bool_]
    smiles: tuple[str | None, ...]
    new: int | None = None
    single_bonds: bool = False

    def __len__(self) -> int:
        return len(self.atoms)

    @property
    def stable(self) -> NDArray[np.bool_]:
        """Whether all atoms of a molecule are stable, ``(B,)``; false for no atoms."""
        return np.asarray((self.atoms > 0) & (self.stable_atoms == self.atoms))

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Whether RDKit sanitises it, ``(B,)``."""
        return np.array([text is not None for text in self.smiles], dtype=np.bool_)

    @property
    def unique(self) -> int:
        """Different SMILES among the valid."""
        return len({text for text in self.smiles if text is not None})

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Every count and its denominator, by name."""
        molecules, valid, connected = len(self), self.valid, self.connected
        shares = {
            "stable atoms / atoms": (int(self.stable_atoms.sum()), int(self.atoms.sum())),
            "stable / all": (int(self.stable.sum()), molecules),
            "valid / all": (int(valid.sum()), molecules),
            "connected / all": (int(connected.sum()), molecules),
            "valid and connected / all": (int((valid & connected).sum()), molecules),
            "stable and connected / all": (int((self.stable & connected).sum()), molecules),
            "unique / valid": (self.unique, int(valid.sum())),
            "unique / all": (self.unique, molecules),
        }
        if self.new is not None:
            shares["novel / unique"] = (self.new, self.unique)
        return shares

    def summary(self) -> dict[str, object]:
        """Counts, denominators and shares, ready for JSON."""
        return {
            "protocol": "edm",
            "samples": len(self),
            "single_bonds": self.single_bonds,
            **{
                name: {"count": part, "of": whole, "share": part / whole if whole else None}
                for name, (part, whole) in self.counts.items()
            },
        }


def bond_orders(molecules: Geometries) -> NDArray[np.int64]:
    """Bond orders by EDM's rule, ``(B, A, A)``: 0 to 3, symmetric."""
    numbers, places = molecules.numbers, molecules.positions
    apart = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1)
    orders = np.zeros(apart.shape, dtype=np.int64)
    reached = np.broadcast_to(~np.eye(numbers.shape[1], dtype=np.bool_), apart.shape)
    for reach in REACHES:
        reached = reached & (apart < reach[numbers[:, :, None], numbers[:, None]])
        orders += reached
    return orders


def judge_edm(
    molecules: Geometries, *, known: Known | None = None, single_bonds: bool = False
) -> EDMJudgement:
    """Judge every molecule.

    Args:
        molecules: with hydrogens.
        known: what is not novel, from :func:`known_by_edm`.
        single_bonds: count all bonds as single for validity, as EDM does for GEOM-Drugs;
            stability keeps the orders.

    Raises:
        ValueError: atomic numbers beyond 118, or a position that is not finite.
    """
    _check(molecules)
    stable = np.zeros(len(molecules), dtype=np.int64)
    connected = np.zeros(len(molecules), dtype=np.bool_)
    smiles: list[str | None] = []
    for start, orders in _pieces(molecules):
        part = molecules[start : start + len(orders)]
        rows = slice(start, start + len(orders))
        sums = np.minimum(orders.sum(axis=2), IS_STABLE.shape[1] - 1)
        stable[rows] = (IS_STABLE[part.numbers, sums] & (part.numbers > 0)).sum(axis=1)
        counts = (part.numbers > 0).sum(axis=1)
        connected[rows] = is_connected(orders > 0, counts) & (counts > 0)
        shown = np.minimum(orders, 1) if single_bonds else orders
        smiles += [
            _largest(z[:n], o[:n, :n]) for z, o, n in zip(part.numbers, shown, counts, strict=True)
        ]
    found = {text for text in smiles if text is not None}
    return EDMJudgement(
        atoms=(molecules.numbers > 0).sum(axis=1),
        stable_atoms=stable,
        connected=connected,
        smiles=tuple(smiles),
        new=None if known is None else known.new(found),
        single_bonds=single_bonds,
    )


def known_by_edm(molecules: Geometries, name: str) -> Known:
    """What is not novel: molecules by the SMILES that the same rule reads from their geometries."""
    found = (text for text in judge_edm(molecules).smiles if text is not None)
    return Known.written(found, name, len(molecules))


def _check(molecules: Geometries) -> None:
    if molecules.numbers.size and not 0 <= molecules.numbers.min() <= molecules.numbers.max() < 119:
        raise ValueError("Argument `molecules` must have atomic numbers up to 118, but has not.")
    finite = np.isfinite(molecules.positions).all(axis=(1, 2))
    if not finite.all():
        raise ValueError(
            "Argument `molecules` must have finite positions, but molecule "
            f"{int((~finite).argmax())} has not."
        )


def _pieces(molecules: Geometries) -> Iterator[tuple[int, NDArray[np.int64]]]:
    size = max(1, _AT_ONCE // max(1, molecules.numbers.shape[1] ** 2))
    for start in range(0, len(molecules), size):
        yield start, bond_orders(molecules[start : start + size])


def _largest(numbers: NDArray[np.int64], orders: NDArray[np.int64]) -> str | None:
    """SMILES of the largest piece; ``None`` if RDKit refuses any."""
    molecule = build_numbers(numbers.tolist(), orders)
    text = sanitised_smiles(molecule) if len(numbers) else None
    if text is None or "." not in text:
        return text
    with rdBase.BlockLogs():
        parts: Sequence[Chem.Mol] = Chem.GetMolFrags(molecule, asMols=True, sanitizeFrags=False)
    return sanitised_smiles(max(parts, key=_size))


def _size(molecule: Chem.Mol) -> int:
    return int(molecule.GetNumAtoms())
