"""Bond orders for a heavy-atom bond graph; hydrogens fill what is left."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import rustworkx as rx
from numpy.typing import NDArray

from qhw.chem.bonds import VALENCES, valence_limits

Edges = list[tuple[int, int]]
IntArray = NDArray[np.int64]

DOUBLE_BELOW = np.array(
    [
        [1.435, 1.375, 1.290, 0.0],
        [1.375, 1.360, 1.290, 0.0],
        [1.290, 1.290, 1.300, 0.0],
        [0.0, 0.0, 0.0, 0.0],
    ]
)
"""Å, by pair of C N O F: a shorter bond may be double (one of a conjugated system)."""
SURELY_DOUBLE_BELOW = np.array(
    [
        [1.340, 1.270, 1.200, 0.0],
        [1.270, 1.220, 1.180, 0.0],
        [1.200, 1.180, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
    ]
)
"""Å: a shorter bond is double even beside another double bond (cumulated systems)."""
TRIPLE_BELOW = np.array(
    [
        [1.250, 1.180, 1.160, 0.0],
        [1.180, 1.150, 0.0, 0.0],
        [1.160, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
    ]
)
"""Å: a shorter bond is triple."""
_CATION_SLACK = 0.03
"""Å by which a double bond of a cation may be longer: pyridine N-oxide has C-N of 1.384."""


def released_orders(bonds: NDArray[np.bool_], types: NDArray[np.int8]) -> IntArray:
    """Orders of the released evaluation code: no distances, no hydrogens left in mind.

    All bonds start single; while two bonded atoms both have valence left, every bond of a maximum
    matching of such pairs rises by one.

    Args:
        bonds: ``(n, n)``, no atom above its valence.
        types: ``(n,)``, index into C N O F.

    Returns:
        ``(n, n)`` symmetric; can reach 4 between two lone carbons.
    """
    orders = bonds.astype(np.int64)
    while True:
        left = VALENCES[types] - orders.sum(axis=1)
        open_bonds = [(i, j) for i, j in _edges(bonds) if left[i] > 0 and left[j] > 0]
        if not open_bonds:
            return orders
        _raise_bonds(orders, _matching(open_bonds, [1] * len(open_bonds)), 1)


def distance_orders(
    bonds: NDArray[np.bool_],
    types: NDArray[np.int8],
    apart: NDArray[np.float64],
    charges: NDArray[np.int8] | None = None,
) -> IntArray:
    """Orders from bond lengths, within the valences of the charges.

    Triple bonds first (by length), then double bonds as the matching of short bonds with the
    greatest total shortening (so rings alternate), then the second double bonds of cumulated
    systems. A cation may take both its double bonds up to the longer limit.

    Args:
        bonds: ``(n, n)``; an atom above its valence gets single bonds.
        types: ``(n,)``, index into C N O F.
        apart: distances ``(n, n)``, Å.
        charges: formal, ``(n,)``; ``None`` where all are neutral.

    Returns:
        ``(n, n)`` symmetric, 0 to 3.
    """
    orders = bonds.astype(np.int64)
    edges = sorted(_edges(bonds), key=lambda edge: (apart[edge], edge))
    limit_of = valence_limits(types, charges)
    cation = np.zeros(len(types), dtype=np.bool_) if charges is None else charges > 0
    left = limit_of - orders.sum(axis=1)
    for i, j in edges:
        if apart[i, j] < TRIPLE_BELOW[types[i], types[j]] and min(left[i], left[j]) >= 2:
            _raise_bonds(orders, [(i, j)], 2)
            left[[i, j]] -= 2
    for limits in (DOUBLE_BELOW, SURELY_DOUBLE_BELOW):
        candidates: Edges = []
        gains: list[int] = []
        for i, j in edges:
            pair = types[i], types[j]
            longest = DOUBLE_BELOW[pair] + _CATION_SLACK if cation[[i, j]].any() else limits[pair]
            shortening = longest - apart[i, j]
            if shortening > 0 and orders[i, j] == 1 and min(left[i], left[j]) >= 1:
                candidates.append((i, j))
                gains.append(1 + round(1e4 * shortening))
        chosen = _matching(candidates, gains)
        _raise_bonds(orders, chosen, 1)
        left = limit_of - orders.sum(axis=1)
    return orders


def _edges(bonds: NDArray[np.bool_]) -> Edges:
    n = len(bonds)
    return [(i, j) for i in range(n) for j in range(i + 1, n) if bonds[i, j]]


def _raise_bonds(orders: IntArray, edges: Iterable[tuple[int, int]], by: int) -> None:
    for i, j in edges:
        orders[i, j] += by
        orders[j, i] += by


def _matching(edges: Edges, weights: list[int]) -> set[tuple[int, int]]:
    """Matching of greatest total weight."""
    if len(edges) <= 1:
        return set(edges)
    graph = rx.PyGraph(multigraph=False)
    node_of: dict[int, int] = {}
    for atom in (atom for edge in edges for atom in edge):
        if atom not in node_of:
            node_of[atom] = graph.add_node(atom)
    graph.add_edges_from(
        [(node_of[i], node_of[j], w) for (i, j), w in zip(edges, weights, strict=True)]
    )
    pairs = rx.max_weight_matching(graph, max_cardinality=False, weight_fn=int)
    return {(graph[p], graph[q]) for p, q in pairs}
