"""Which atoms of a heavy-atom geometry are bonded, under two protocols.

released: the rule of the QVAE-Mole evaluation code. A pair is bonded up to 2.2 times a per-pair
length; pairs are visited with i rising and j < i, and only atom j's valence is looked at.
strict: bonded up to 1.3 times the sum of the covalent radii, all pairs alike.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qhw.chem.elements import covalent_radius, largest_valence
from qhw.chem.molecule import ELEMENTS, MoleculeBatch

Protocol = Literal["released", "strict"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

VALENCES = np.array([largest_valence(number) for number in ELEMENTS])
"""Largest number of bonds of neutral atoms, by index into :data:`ELEMENTS`."""
COVALENT_RADII = np.array([covalent_radius(number) for number in ELEMENTS])
"""Å, by index into :data:`ELEMENTS`."""
STRICT_FACTOR = 1.3
CLASH_FACTOR = 0.75
RELEASED_FACTOR = 2.2
RELEASED_LENGTHS = np.array(
    [
        [1.7721, 1.7876, 1.5731, 1.3620],
        [1.7876, 1.4208, 1.7692, -1.0],
        [1.5731, 1.7692, -1.0, -1.0],
        [1.3620, -1.0, -1.0, -1.0],
    ]
)
"""Å, by pair of C N O F; -1 where the released table has no entry: such pairs never bond, not
even in one point."""


def check_protocol(protocol: str) -> None:
    """Raise ValueError unless ``protocol`` is known."""
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"Argument `protocol` must be one of {', '.join(PROTOCOLS)}, but is {protocol!r}."
        )


def distances(molecules: MoleculeBatch) -> NDArray[np.float64]:
    """Distances of all pairs of atoms, ``(B, A, A)`` Å; infinite for padding and the diagonal."""
    positions = molecules.positions
    out = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    present = molecules.types >= 0
    pairs = present[:, :, None] & present[:, None] & ~np.eye(present.shape[1], dtype=np.bool_)
    result: NDArray[np.float64] = np.where(pairs, out, np.inf)
    return result


def bond_graph(molecules: MoleculeBatch, protocol: Protocol) -> NDArray[np.bool_]:
    """Bonded pairs, ``(B, A, A)``, symmetric.

    Raises:
        ValueError: unknown protocol.
    """
    check_protocol(protocol)
    apart = distances(molecules)
    types = np.maximum(molecules.types, 0)
    if protocol == "released":
        near = apart <= RELEASED_FACTOR * RELEASED_LENGTHS[types[:, :, None], types[:, None]]
        return _fill_in_order(near, VALENCES[types])
    return np.less_equal(apart, STRICT_FACTOR * _radii_sum(types))


def has_clash(molecules: MoleculeBatch) -> NDArray[np.bool_]:
    """Whether two atoms are closer than 0.75 times the sum of their covalent radii, ``(B,)``."""
    types = np.maximum(molecules.types, 0)
    near = distances(molecules) < CLASH_FACTOR * _radii_sum(types)
    result: NDArray[np.bool_] = np.any(near, axis=(1, 2))
    return result


def is_connected(bonds: NDArray[np.bool_], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the first ``counts`` atoms are one piece, ``(B,)``; true for no atoms.

    Args:
        bonds: ``(B, A, A)`` symmetric.
        counts: atoms of each molecule, ``(B,)``.
    """
    size = bonds.shape[1]
    reached = np.zeros(bonds.shape[:2], dtype=np.bool_)
    reached[:, 0] = True
    for _ in range(size - 1):
        reached |= np.any(bonds & reached[:, :, None], axis=1)
    absent = np.arange(size) >= counts[:, None]
    result: NDArray[np.bool_] = np.all(reached | absent, axis=1)
    return result


def valence_limits(
    types: NDArray[np.int8], charges: NDArray[np.int8] | None = None
) -> NDArray[np.int64]:
    """Largest number of bonds of every atom under its formal charge, in the shape of ``types``.

    Args:
        types: index into :data:`ELEMENTS`; any number for padding, -1.
        charges: formal charges in the same shape; ``None`` where all are neutral.
    """
    limits: NDArray[np.int64] = VALENCES[np.maximum(types, 0)]
    if charges is not None:
        for at in zip(*np.nonzero(charges), strict=True):
            limits[at] = largest_valence(ELEMENTS[types[at]], int(charges[at]))
    return limits


def exceeds_valence(
    bonds: NDArray[np.bool_],
    types: NDArray[np.int8],
    charges: NDArray[np.int8] | None = None,
) -> NDArray[np.bool_]:
    """Whether an atom has more neighbours than its valence, ``(B,)``.

    Args:
        bonds: ``(B, A, A)``.
        types: ``(B, A)``.
        charges: ``(B, A)``, formal; ``None`` where all are neutral.
    """
    result: NDArray[np.bool_] = np.any(bonds.sum(axis=2) > valence_limits(types, charges), axis=1)
    return result


def same_graph(
    first: MoleculeBatch, second: MoleculeBatch, protocol: Protocol = "strict"
) -> NDArray[np.bool_]:
    """Whether molecules agree in elements and bonds, atom by atom in the given order, ``(B,)``.

    Raises:
        ValueError: unknown protocol, or batches of different shapes.
    """
    check_same_shape(first, second)
    same_atoms = np.all(first.types == second.types, axis=1)
    same_bonds = np.all(bond_graph(first, protocol) == bond_graph(second, protocol), axis=(1, 2))
    result: NDArray[np.bool_] = same_atoms & same_bonds
    return result


def check_same_shape(first: MoleculeBatch, second: MoleculeBatch) -> None:
    """Raise ValueError unless both batches have as many molecules and atom places."""
    if first.types.shape != second.types.shape:
        raise ValueError(
            f"Argument `second` must have the shape of `first`, {first.types.shape}, "
            f"but has {second.types.shape}."
        )


def _radii_sum(types: NDArray[np.int8]) -> NDArray[np.float64]:
    radii = COVALENT_RADII[types]
    result: NDArray[np.float64] = radii[:, :, None] + radii[:, None]
    return result


def _fill_in_order(near: NDArray[np.bool_], valences: NDArray[np.int64]) -> NDArray[np.bool_]:
    bonds = np.zeros_like(near)
    for i in range(1, near.shape[1]):
        for j in range(i):
            free = bonds[:, j].sum(axis=1) < valences[:, j]
            bonds[:, i, j] = bonds[:, j, i] = near[:, i, j] & free
    return bonds
