"""Small connected regions of a device, one of each shape.

Left alone, Qiskit's level 3 spreads a 7-qubit circuit over up to 12 physical qubits, which costs
fidelity and makes exact noisy simulation impossible. So it is also shown as many qubits as the
circuit has, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence

import rustworkx as rx

from calibration.layout import Interaction, LayoutError, best_layouts
from calibration.snapshot import DeviceSnapshot

SEARCH_LIMIT = 100_000
"""Single placements tried in a search for the best one."""
_SHAPES = 6


def regions(snapshot: DeviceSnapshot, n: int) -> list[tuple[int, ...]]:
    """Connected regions of ``n`` qubits, one of each of the shapes with most couplings inside.

    From every qubit a region grows by the neighbour with most couplings into it, then least
    error. Which region stands for a shape matters little: the routed circuit is moved afterwards.
    """
    graph = snapshot.coupling_graph()
    grown = {tuple(sorted(r)) for q in range(snapshot.n_qubits) if (r := _grow(snapshot, q, n))}
    grown |= {tuple(sorted(r)) for r in _lines(snapshot, n)}
    ranked = sorted(
        grown, key=lambda r: (-graph.subgraph(list(r)).num_edges(), _total(snapshot, r))
    )
    kept: list[tuple[int, ...]] = []
    for region in ranked:
        shape = graph.subgraph(list(region))
        if not any(rx.is_isomorphic(shape, graph.subgraph(list(k))) for k in kept):
            kept.append(region)
        if len(kept) == _SHAPES:
            break
    return kept


def _lines(snapshot: DeviceSnapshot, n: int) -> list[tuple[int, ...]]:
    try:
        found = best_layouts(Interaction.chain(n), snapshot, top=1, limit=SEARCH_LIMIT)
    except LayoutError:
        return []
    return [found[0].qubits]


def _grow(snapshot: DeviceSnapshot, start: int, n: int) -> list[int]:
    """A region of ``n`` qubits around ``start``, or none where the component is too small."""
    if start in snapshot.dead_qubits:
        return []
    graph, region = snapshot.coupling_graph(), [start]
    while len(region) < n:
        near = {q for r in region for q in graph.neighbors(r)} - set(region)
        if not near:
            return []
        region.append(
            max(
                sorted(near),
                key=lambda q: (
                    sum(graph.has_edge(q, r) for r in region),
                    -_cost(snapshot, q, region),
                ),
            )
        )
    return region


def _cost(snapshot: DeviceSnapshot, qubit: int, region: Sequence[int]) -> float:
    """Errors that a qubit adds to a region: of its two-qubit gates into it, and of its readout."""
    gates = (snapshot.two_qubit_gate(qubit, r) for r in region)
    return sum(g.error or 0.0 for g in gates if g) + (snapshot.qubits[qubit].readout_error or 0.0)


def _total(snapshot: DeviceSnapshot, region: Sequence[int]) -> float:
    return sum(_cost(snapshot, q, region[:place]) for place, q in enumerate(region))
