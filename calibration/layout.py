"""The best physical qubits for a circuit, by predicted success.

Predicted success is the product of (1 - error) over two-qubit gates, one-qubit gates and readouts,
times the survival of the waiting qubits: the score of mapomatic (Nation and Treinish, PRX Quantum
4, 010327 (2023)) with idle decay added. The search is branch and bound over embeddings of the
circuit's interaction graph, so the best one is certain unless the search limit is hit.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from calibration.interaction import Interaction, LayoutError
from calibration.noise import Relaxation
from calibration.snapshot import DeviceSnapshot

__all__ = ["Interaction", "Layout", "LayoutError", "best_layouts", "best_path", "score"]

_Option: TypeAlias = tuple[float, int]
"""What a place costs, and the device qubit."""
# a factor of (1 - error) is not taken below this, so that scores stay finite
_WORST = 1e-12


@dataclass(frozen=True, order=True)
class Layout:
    """Physical qubits for a circuit, with the natural logarithm of each share of success.

    Attributes:
        log_success: sum of the shares below; layouts sort by it.
        qubits: device qubit of each circuit qubit.
        two_qubit: share of the two-qubit gates.
        one_qubit: share of the one-qubit gates.
        readout: share of the measurements.
        idle: share of the waiting times.
    """

    log_success: float
    qubits: tuple[int, ...]
    two_qubit: float
    one_qubit: float
    readout: float
    idle: float

    @property
    def success(self) -> float:
        """Predicted probability that nothing goes wrong."""
        return math.exp(self.log_success)


def best_path(snapshot: DeviceSnapshot, n: int, *, gates: int = 1) -> Layout:
    """The best line of ``n`` qubits, ``gates`` two-qubit gates a bond, all measured.

    Raises:
        LayoutError: the device has no such line.
    """
    return best_layouts(Interaction.chain(n, gates), snapshot, top=1)[0]


def best_layouts(
    interaction: Interaction, snapshot: DeviceSnapshot, *, top: int = 10, limit: int = 300_000
) -> tuple[Layout, ...]:
    """The ``top`` best placements without swaps, best first.

    Args:
        interaction: what the circuit asks for.
        snapshot: the device.
        top: how many to return at most.
        limit: single placements tried before the search settles for what it has (about 1 s).

    Raises:
        ValueError: ``top`` is below 1.
        LayoutError: more qubits than the device has, no usable coupling, or no embedding.
    """
    if top < 1:
        raise ValueError(f"Argument `top` must be 1 or more, but is {top}.")
    n, usable = interaction.n_qubits, snapshot.n_qubits - len(snapshot.dead_qubits)
    if n > usable:
        raise LayoutError(f"{snapshot.name} has {usable} usable qubits, but the circuit needs {n}.")
    if interaction.pairs and not snapshot.usable_couplings:
        raise LayoutError(
            f"{snapshot.name} has no usable two-qubit gate "
            f"(all {len(snapshot.dead_couplings)} couplings are dead), but the circuit needs one."
        )
    found = _Search(interaction, snapshot, top, limit).run()
    if not found:
        raise LayoutError(
            f"{snapshot.name} has no place where the circuit's {n} qubits and "
            f"{len(interaction.pairs)} couplings fit without swaps."
        )
    return tuple(score(interaction, snapshot, qubits) for qubits in found)


def score(interaction: Interaction, snapshot: DeviceSnapshot, qubits: Sequence[int]) -> Layout:
    """Predicted success of one placement.

    Raises:
        LayoutError: two qubits that interact are not coupled.
    """
    edges, nodes = _edge_costs(snapshot), _NodeCosts(interaction, snapshot)
    two = 0.0
    for a, b, count in interaction.pairs:
        pair = (min(qubits[a], qubits[b]), max(qubits[a], qubits[b]))
        if pair not in edges:
            raise LayoutError(f"{snapshot.name} has no usable coupling between {pair}.")
        two -= count * edges[pair]
    shares = zip(*(nodes.of(i, q) for i, q in enumerate(qubits)), strict=True)
    one, readout, idle = (-sum(share) for share in shares)
    return Layout(two + one + readout + idle, tuple(qubits), two, one, readout, idle)


def _cost(error: float) -> float:
    return -math.log(max(1 - error, _WORST))


def _edge_costs(snapshot: DeviceSnapshot) -> dict[tuple[int, int], float]:
    costs = {}
    for a, b in snapshot.usable_couplings:
        gate = snapshot.two_qubit_gate(a, b)
        costs[a, b] = _cost((gate.error if gate else None) or 0.0)
    return costs


class _NodeCosts:
    """Costs of a circuit's qubit on a device's qubit: one-qubit gates, readout and idling."""

    def __init__(self, interaction: Interaction, snapshot: DeviceSnapshot) -> None:
        n = interaction.n_qubits
        self._counts = interaction.one_qubit or (0,) * n
        self._waits = interaction.idle_s or (0.0,) * n
        self._measured = frozenset(interaction.measured)
        names = set(snapshot.one_qubit_gates) - set(snapshot.virtual_gates) - {"id"}
        self._gate = [0.0] * snapshot.n_qubits
        for gate in snapshot.gates:
            if gate.name in names and gate.error is not None:
                q = gate.qubits[0]
                self._gate[q] = max(self._gate[q], _cost(gate.error))
        self._readout = [_cost(q.readout_error or 0.0) for q in snapshot.qubits]
        self._qubits = snapshot.qubits

    def of(self, i: int, q: int) -> tuple[float, float, float]:
        """Of circuit qubit ``i`` on device qubit ``q``."""
        readout = self._readout[q] if i in self._measured else 0.0
        return self._counts[i] * self._gate[q], readout, self._idle(self._waits[i], q)

    def row(self, i: int) -> list[float]:
        """All of circuit qubit ``i`` together, on every device qubit."""
        return [sum(self.of(i, q)) for q in range(len(self._qubits))]

    def _idle(self, wait: float, q: int) -> float:
        if not wait:
            return 0.0
        qubit = self._qubits[q]
        kept = Relaxation.during(wait, qubit.t1_s, qubit.t2_s).process_fidelity
        return _cost(2 / 3 * (1 - kept))


class _Search:
    """Branch and bound: circuit qubits are placed one by one next to those already placed."""

    def __init__(
        self, interaction: Interaction, snapshot: DeviceSnapshot, top: int, limit: int
    ) -> None:
        self._n, self._top, self._left = interaction.n_qubits, top, limit
        costs = _NodeCosts(interaction, snapshot)
        self._node = [costs.row(i) for i in range(self._n)]
        self._edge: dict[int, dict[int, float]] = {q: {} for q in range(snapshot.n_qubits)}
        for (a, b), cost in _edge_costs(snapshot).items():
            self._edge[a][b] = self._edge[b][a] = cost
        self._free = set(range(snapshot.n_qubits)) - snapshot.dead_qubits
        self._order, self._links = _placing_order(interaction)
        self._rest = self._bounds()
        self._spots = [-1] * self._n
        self._known: dict[tuple[int, int], list[_Option]] = {}
        self._best: list[tuple[float, tuple[int, ...]]] = []

    def run(self) -> list[tuple[int, ...]]:
        """Placements (device qubit of each circuit qubit), best first."""
        self._place(0, 0.0)
        return [qubits for _, qubits in sorted(self._best, reverse=True)]

    def _bounds(self) -> list[float]:
        """Least possible cost of the qubits from each step on."""
        cheapest = min((c for near in self._edge.values() for c in near.values()), default=0.0)
        rest = [0.0]
        for qubit, links in zip(reversed(self._order), reversed(self._links), strict=True):
            gates = sum(count for _, count in links)
            rest.append(rest[-1] + min(self._node[qubit]) + gates * cheapest)
        return rest[::-1]

    def _place(self, step: int, cost: float) -> None:
        if step == self._n:
            entry = (-cost, tuple(self._spots))
            if len(self._best) < self._top:
                heapq.heappush(self._best, entry)
            else:
                heapq.heappushpop(self._best, entry)
            return
        qubit, rest, spots = self._order[step], self._rest[step + 1], self._spots
        for added, spot in self._options(step):
            if spot in spots:
                continue
            full = len(self._best) == self._top
            if full and -self._best[0][0] <= cost + added + rest + 1e-12:
                return  # options are sorted, so none of the rest can do better
            if self._left <= 0:
                return
            self._left -= 1
            spots[qubit] = spot
            self._place(step + 1, cost + added)
            spots[qubit] = -1

    def _options(self, step: int) -> list[_Option]:
        """Where the next qubit can go, taken or not, and what that costs, cheapest first."""
        links = self._links[step]
        if len(links) > 1:
            return self._linked(step)
        anchor = self._spots[links[0][0]] if links else -1
        found = self._known.get((step, anchor))
        if found is None:
            found = self._known[step, anchor] = self._linked(step)
        return found

    def _linked(self, step: int) -> list[_Option]:
        links, node = self._links[step], self._node[self._order[step]]
        around = [(count, self._edge[self._spots[other]]) for other, count in links]
        if not around:
            return sorted((node[spot], spot) for spot in self._free)
        return sorted(
            (sum(count * near[spot] for count, near in around) + node[spot], spot)
            for spot in around[0][1]
            if spot in self._free and all(spot in near for _, near in around)
        )


def _placing_order(
    interaction: Interaction,
) -> tuple[list[int], list[list[tuple[int, int]]]]:
    """Circuit qubits in the order of placing, and each one's links to those placed before it."""
    near: dict[int, dict[int, int]] = {q: {} for q in range(interaction.n_qubits)}
    for a, b, count in interaction.pairs:
        near[a][b] = near[b][a] = near[a].get(b, 0) + count
    order: dict[int, None] = {}
    links: list[list[tuple[int, int]]] = []
    while len(order) < interaction.n_qubits:
        left = [q for q in near if q not in order]
        # the most constrained first; a chain then grows from one of its ends
        qubit = max(left, key=lambda q: (sum(p in order for p in near[q]), -len(near[q]), -q))
        links.append([(p, near[qubit][p]) for p in order if p in near[qubit]])
        order[qubit] = None
    return list(order), links
