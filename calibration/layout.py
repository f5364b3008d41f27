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

import numpy as np
from numpy.typing import NDArray

from calibration.interaction import Interaction, LayoutError
from calibration.noise import Relaxation
from calibration.snapshot import DeviceSnapshot

__all__ = ["Interaction", "Layout", "LayoutError", "best_layouts", "best_path", "score"]

FloatArray = NDArray[np.float64]
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
    edges, nodes = _edge_costs(snapshot), _node_costs(interaction, snapshot)
    two = 0.0
    for a, b, count in interaction.pairs:
        pair = (min(qubits[a], qubits[b]), max(qubits[a], qubits[b]))
        if pair not in edges:
            raise LayoutError(f"{snapshot.name} has no usable coupling between {pair}.")
        two -= count * edges[pair]
    one, readout, idle = (-float(sum(table[i, q] for i, q in enumerate(qubits))) for table in nodes)
    return Layout(two + one + readout + idle, tuple(qubits), two, one, readout, idle)


def _cost(error: float) -> float:
    return -math.log(max(1 - error, _WORST))


def _edge_costs(snapshot: DeviceSnapshot) -> dict[tuple[int, int], float]:
    costs = {}
    for a, b in snapshot.usable_couplings:
        gate = snapshot.two_qubit_gate(a, b)
        costs[a, b] = _cost((gate.error if gate else None) or 0.0)
    return costs


def _node_costs(interaction: Interaction, snapshot: DeviceSnapshot) -> tuple[FloatArray, ...]:
    """Costs ``(circuit qubit, device qubit)`` of one-qubit gates, readout and idling."""
    n = interaction.n_qubits
    counts = np.array(interaction.one_qubit or (0,) * n, dtype=float)
    measured = np.isin(np.arange(n), interaction.measured).astype(float)
    names = set(snapshot.one_qubit_gates) - set(snapshot.virtual_gates) - {"id"}
    gate_error = np.zeros(snapshot.n_qubits)
    for gate in snapshot.gates:
        if gate.name in names and gate.error is not None:
            q = gate.qubits[0]
            gate_error[q] = max(gate_error[q], _cost(gate.error))
    readout = np.array([_cost(q.readout_error or 0.0) for q in snapshot.qubits])
    idle = np.zeros((n, snapshot.n_qubits))
    for i, wait in enumerate(interaction.idle_s):
        for j, qubit in enumerate(snapshot.qubits):
            kept = Relaxation.during(wait, qubit.t1_s, qubit.t2_s).process_fidelity
            idle[i, j] = _cost(2 / 3 * (1 - kept))
    return np.outer(counts, gate_error), np.outer(measured, readout), idle


class _Search:
    """Branch and bound: circuit qubits are placed one by one next to those already placed."""

    def __init__(
        self, interaction: Interaction, snapshot: DeviceSnapshot, top: int, limit: int
    ) -> None:
        self._n, self._top, self._left = interaction.n_qubits, top, limit
        self._node = sum(_node_costs(interaction, snapshot), np.zeros(()))
        self._edge: dict[int, dict[int, float]] = {q: {} for q in range(snapshot.n_qubits)}
        for (a, b), cost in _edge_costs(snapshot).items():
            self._edge[a][b] = self._edge[b][a] = cost
        self._free = set(range(snapshot.n_qubits)) - snapshot.dead_qubits
        self._order, self._links = _placing_order(interaction)
        self._rest = self._bounds()
        self._best: list[tuple[float, tuple[int, ...]]] = []

    def run(self) -> list[tuple[int, ...]]:
        """Placements (device qubit of each circuit qubit), best first."""
        self._place(0, 0.0, {})
        return [qubits for _, qubits in sorted(self._best, reverse=True)]

    def _bounds(self) -> list[float]:
        """Least possible cost of the qubits from each step on."""
        cheapest = min((c for near in self._edge.values() for c in near.values()), default=0.0)
        rest = [0.0]
        for qubit, links in zip(reversed(self._order), reversed(self._links), strict=True):
            gates = sum(count for _, count in links)
            rest.append(rest[-1] + float(self._node[qubit].min()) + gates * cheapest)
        return rest[::-1]

    def _place(self, step: int, cost: float, placed: dict[int, int]) -> None:
        if step == self._n:
            entry = (-cost, tuple(placed[i] for i in range(self._n)))
            if len(self._best) < self._top:
                heapq.heappush(self._best, entry)
            else:
                heapq.heappushpop(self._best, entry)
            return
        for added, spot in self._options(step, placed):
            full = len(self._best) == self._top
            if full and -self._best[0][0] <= cost + added + self._rest[step + 1] + 1e-12:
                return  # options are sorted, so none of the rest can do better
            if self._left <= 0:
                return
            self._left -= 1
            self._place(step + 1, cost + added, placed | {self._order[step]: spot})

    def _options(self, step: int, placed: dict[int, int]) -> list[tuple[float, int]]:
        """Where the next qubit can go, and what that costs, cheapest first."""
        qubit, links = self._order[step], self._links[step]
        taken = set(placed.values())
        near = self._edge[placed[links[0][0]]] if links else self._free
        options = []
        for spot in near:
            edges = [self._edge[placed[other]].get(spot, math.inf) for other, _ in links]
            if spot in self._free and spot not in taken and math.inf not in edges:
                gates = sum(c * e for (_, c), e in zip(links, edges, strict=True))
                options.append((gates + float(self._node[qubit, spot]), spot))
        return sorted(options)


def _placing_order(
    interaction: Interaction,
) -> tuple[list[int], list[list[tuple[int, int]]]]:
    """Circuit qubits in the order of placing, and each one's links to those placed before it."""
    near: dict[int, dict[int, int]] = {q: {} for q in range(interaction.n_qubits)}
    for a, b, count in interaction.pairs:
        near[a][b] = near[b][a] = near[a].get(b, 0) + count
    order: list[int] = []
    links: list[list[tuple[int, int]]] = []
    while len(order) < interaction.n_qubits:
        left = [q for q in near if q not in order]
        # the most constrained first; a chain then grows from one of its ends
        qubit = max(left, key=lambda q: (sum(p in order for p in near[q]), -len(near[q]), -q))
        links.append([(p, near[qubit][p]) for p in order if p in near[qubit]])
        order.append(qubit)
    return order, links
