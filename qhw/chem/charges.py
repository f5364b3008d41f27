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
    apart, counts = distances(molecules), molecules.counts
    pairs = _possible_pairs(molecules.types, bonds, apart)
    for row in np.flatnonzero(pairs.any(axis=(1, 2)) & ~charges.any(axis=1)):
        n = counts[row]
        cations = np.flatnonzero(pairs[row].any(axis=1))
        # of a nitro group's two the farther: its bond is the single one
        anions = np.where(pairs[row, cations], apart[row, cations], -1.0).argmax(axis=1)
        charges[row, :n] = _kept(
            list(zip(cations.tolist(), anions.tolist(), strict=True)),
            bonds[row, :n, :n],
            molecules.types[row, :n],
            apart[row, :n, :n],
        )
    return charges


def _possible_pairs(
    types: NDArray[np.int8], bonds: NDArray[np.bool_], apart: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Cations and their possible anions by element, neighbours and distance, ``(B, A, A)``."""
    numbers = np.array([*ELEMENTS, 0])[types]
    degrees = bonds.sum(axis=2)
    pairs = np.zeros_like(bonds)
    for (cation, neighbours), anions in _PAIRED_BELOW.items():
        centre = (numbers == cation) & (degrees == neighbours)
        for anion, limit in anions.items():
            end = (numbers == anion) & (degrees == 1)
            pairs |= centre[:, :, None] & end[:, None] & bonds & (apart < limit)
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
