"""Small connected regions of a device, one of each shape.

Left alone, Qiskit's level 3 spreads a 7-qubit circuit over up to 12 physical qubits, which costs
fidelity and makes exact noisy simulation impossible. So it is also shown as many qubits as the
circuit has, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

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
    graph, near = snapshot.coupling_graph(), _Errors.of(snapshot)
    grown = {tuple(sorted(r)) for q in range(snapshot.n_qubits) if (r := near.grow(q, n))}
    grown |= {tuple(sorted(r)) for r in _lines(snapshot, n)}
    shapes = {region: graph.subgraph(list(region)) for region in grown}
    ranked = sorted(grown, key=lambda r: (-shapes[r].num_edges(), near.total(r)))
    kept: list[tuple[int, ...]] = []
    for region in ranked:
        if not any(rx.is_isomorphic(shapes[region], shapes[k]) for k in kept):
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


@dataclass(frozen=True)
class _Errors:
    """Errors that choose where a region grows.

    Attributes:
        gates: of two-qubit gates, by qubit and neighbour.
        readout: of every qubit.
        dead: qubits that no region holds.
    """

    gates: dict[int, dict[int, float]]
    readout: tuple[float, ...]
    dead: frozenset[int]

    @classmethod
    def of(cls, snapshot: DeviceSnapshot) -> Self:
        gates: dict[int, dict[int, float]] = {q: {} for q in range(snapshot.n_qubits)}
        for a, b in snapshot.usable_couplings:
            gate = snapshot.two_qubit_gate(a, b)
            gates[a][b] = gates[b][a] = (gate.error if gate else None) or 0.0
        readout = tuple(qubit.readout_error or 0.0 for qubit in snapshot.qubits)
        return cls(gates, readout, snapshot.dead_qubits)

    def grow(self, start: int, n: int) -> list[int]:
        """A region of ``n`` qubits around ``start``, or none where the component is too small."""
        if start in self.dead:
            return []
        region = [start]
        # of every neighbour of the region: couplings into it, and their errors
        near = {q: (1, error) for q, error in self.gates[start].items()}
        while len(region) < n:
            if not near:
                return []
            added = min(near, key=lambda q: (-near[q][0], near[q][1] + self.readout[q], q))
            region.append(added)
            del near[added]
            for q, error in self.gates[added].items():
                if q not in region:
                    count, total = near.get(q, (0, 0.0))
                    near[q] = count + 1, total + error
        return region

    def total(self, region: Sequence[int]) -> float:
        """All errors in a region: of gates between its qubits, and of their readout."""
        total = 0.0
        for place, q in enumerate(region):
            gates = self.gates[q]
            total += sum(gates[r] for r in region[:place] if r in gates) + self.readout[q]
        return total
