"""Formal charges of heavy-atom geometries.

A geometry alone shows no charges. Neutral molecules still hold them in pairs of neighbours, and
bond lengths tell: amine oxides, nitro groups, nitrones, azoxy and aromatic N-oxides, nitrile
oxides, azides, diazo compounds, isonitriles, carbon monoxide, ozone and carbonyl oxides. A pair
counts only if the lengths give the cation its additional bond; a quaternary nitrogen with no
oxide beside it stays an atom with too many neighbours, unless the molecules come with charges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qhw.chem.bonds import distances, valence_limits
from qhw.chem.molecule import ELEMENTS, MoleculeBatch
from qhw.chem.orders import distance_orders

Charges = NDArray[np.int8]

_C, _N, _O = 6, 7, 8
_PAIRED_BELOW: dict[tuple[int, int], dict[int, float]] = {
    (_N, 4): {_O: 1.50},
    (_N, 3): {_O: 1.33},
    (_N, 2): {_O: 1.33, _N: 1.19, _C: 1.19},
    (_O, 2): {_O: 1.40},
    (_O, 1): {_C: 1.16},
}
"""Å, by (element, heavy neighbours) of the cation, then by element of the anion, which has no other
heavy neighbour. Between N+-O- (amine oxides 1.36 to 1.40, else 1.20 to 1.30) and N-OH (1.38 to
1.46); between R-N=N+=N- (1.13) and N=N (1.25); between R-N+#C- (1.17) and N=C (1.27); between
O-O+=R (1.27 to 1.36) and O-OH (1.45); between C-#O+ (1.13) and C=O (1.20)."""


def formal_charges(molecules: MoleculeBatch, bonds: NDArray[np.bool_]) -> Charges:
    """Charges of every atom, ``(B, A)``: those the molecules come with, else inferred.

    A molecule without any charge given is taken as neutral: what is inferred sums to zero.

    Args:
        molecules: Å.
        bonds: of the strict protocol, ``(B, A, A)``.
    """
    given = molecules.charges
    charges = np.zeros(molecules.types.shape, dtype=np.int8) if given is None else given.copy()
    numbers = np.array([*ELEMENTS, 0])[molecules.types]
    degrees = np.where(molecules.types >= 0, bonds.sum(axis=2), -1)
    may_be_cations = np.zeros(numbers.shape, dtype=np.bool_)
    for number, degree in _PAIRED_BELOW:
        may_be_cations |= (numbers == number) & (degrees == degree)
    apart = distances(molecules)
    for row in np.flatnonzero(may_be_cations.any(axis=1) & ~charges.any(axis=1)):
        n = molecules.counts[row]
        pairs = _pairs(bonds[row, :n, :n], numbers[row, :n], apart[row, :n, :n])
        if pairs:
            charges[row, :n] = _kept(
                pairs, bonds[row, :n, :n], molecules.types[row, :n], apart[row, :n, :n]
            )
    return charges


def _pairs(
    bonds: NDArray[np.bool_], numbers: NDArray[np.int64], apart: NDArray[np.float64]
) -> list[tuple[int, int]]:
    """Cation and anion of every pair that bond lengths allow, one for each cation."""
    degrees = bonds.sum(axis=1)
    pairs: list[tuple[int, int]] = []
    for atom, number in enumerate(numbers):
        limits = _PAIRED_BELOW.get((int(number), int(degrees[atom])), {})
        ends = [
            int(other)
            for other in np.flatnonzero(bonds[atom])
            if degrees[other] == 1 and apart[atom, other] < limits.get(int(numbers[other]), 0.0)
        ]
        if ends:  # of a nitro group's two the farther: its bond is the single one
            pairs.append((atom, max(ends, key=lambda end: (apart[atom, end], end))))
    return pairs


def _kept(
    pairs: list[tuple[int, int]],
    bonds: NDArray[np.bool_],
    types: NDArray[np.int8],
    apart: NDArray[np.float64],
) -> Charges:
    """Charges of those pairs whose atoms get all the bonds that charged atoms have."""
    while True:
        charges = np.zeros(len(types), dtype=np.int8)
        for cation, anion in pairs:
            charges[cation], charges[anion] = 1, -1
        orders = distance_orders(bonds, types, apart, charges)
        full = orders.sum(axis=1) == valence_limits(types, charges)
        kept = [pair for pair in pairs if full[list(pair)].all()]
        if len(kept) == len(pairs):
            return charges
        pairs = kept
