"""Where a circuit goes on a device: without swaps where it embeds, else routed in a small region.

Left alone, Qiskit's level 3 spreads a 7-qubit circuit over up to 12 physical qubits, which costs
fidelity and makes exact noisy simulation impossible. So the compiler only ever sees as many
qubits as the circuit has.
"""

from __future__ import annotations

from dataclasses import dataclass

import rustworkx as rx
from qiskit import QuantumCircuit, transpile

from backends.base import BackendError
from backends.delays import with_own_delays
from backends.native.fold import fold_rzz_angles
from backends.native.target import native_gates, to_target
from calibration.layout import Interaction, Layout, LayoutError, best_layouts, score
from calibration.snapshot import DeviceSnapshot

ROUTING_SEEDS = 3
"""Transpiler seeds tried in each shape: on heavy-hex trees all seeds agree, on grids within 3 %."""
_SHAPES = 6
_SEARCH_LIMIT = 100_000


@dataclass(frozen=True)
class Placement:
    """A native circuit and where it runs.

    Attributes:
        circuit: native circuit on qubits ``0 .. k-1``.
        qubits: device qubit of each circuit qubit.
        layout: predicted success.
        seed: transpiler seed that gave it.
    """

    circuit: QuantumCircuit
    qubits: tuple[int, ...]
    layout: Layout
    seed: int


def place(
    circuit: QuantumCircuit, snapshot: DeviceSnapshot, *, seed: int = 0, fractional: bool = False
) -> Placement:
    """The placement of highest predicted success.

    Args:
        circuit: gates on one or two qubits, delays and final measurements; parameters of gates
            may be free.
        snapshot: the device.
        seed: first transpiler seed.
        fractional: allow the gates that must be asked for.

    Raises:
        BackendError: the circuit does not fit the device, or a delay has no length there.
    """
    check_fits(circuit, snapshot)
    circuit = with_own_delays(circuit, snapshot.dt_s, snapshot.name)
    flat = _all_to_all(circuit, snapshot, seed, fractional)
    try:
        spots = best_layouts(Interaction.of(flat, snapshot), snapshot, top=1, limit=_SEARCH_LIMIT)
    except LayoutError:
        return _routed(circuit, snapshot, seed, fractional)
    return _compile(flat, snapshot, spots[0].qubits, seed, fractional)


def check_fits(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> None:
    """Refuse circuits that have more qubits than the device, or gates where it has none.

    Raises:
        BackendError: names what the device has and the circuit needs.
    """
    usable = snapshot.n_qubits - len(snapshot.dead_qubits)
    entangles = circuit.num_nonlocal_gates() > 0
    if circuit.num_qubits > usable or (entangles and not snapshot.usable_couplings):
        raise BackendError(
            f"Argument `circuit` must fit {snapshot.name}, which has {usable} usable qubits and "
            f"{len(snapshot.usable_couplings)} usable couplings, but has {circuit.num_qubits} "
            f"qubits and {circuit.num_nonlocal_gates()} gates between qubits."
        )


def _all_to_all(
    circuit: QuantumCircuit, snapshot: DeviceSnapshot, seed: int, fractional: bool
) -> QuantumCircuit:
    """The circuit in native gates as if every pair were coupled: what it asks for."""
    basis = native_gates(snapshot, fractional=fractional)
    flat: QuantumCircuit = transpile(
        circuit, basis_gates=sorted(basis), optimization_level=3, seed_transpiler=seed
    )
    return flat


def _compile(
    circuit: QuantumCircuit,
    snapshot: DeviceSnapshot,
    qubits: tuple[int, ...],
    seed: int,
    fractional: bool,
    *,
    layout: list[int] | None = None,
) -> Placement:
    """Compile on these qubits only; without ``layout``, qubit i starts on ``qubits[i]``."""
    part = snapshot.restricted(qubits)
    target = to_target(part, fractional=fractional)
    native = transpile(
        circuit,
        target=target,
        initial_layout=list(range(circuit.num_qubits)) if layout is None else layout or None,
        optimization_level=3,
        seed_transpiler=seed,
    )
    folded = fold_rzz_angles(native, part)
    if folded is not native:
        # Level 1 only merges one-qubit gates of a circuit that is already in place.
        stay = list(range(part.n_qubits))
        native = transpile(folded, target=target, initial_layout=stay, optimization_level=1)
    # Qiskit's passes write all delays in one unit of their own choice
    native = with_own_delays(native, part.dt_s, part.name)
    used = score(Interaction.of(native, part), part, range(part.n_qubits))
    return Placement(native, qubits, used, seed)


def _routed(
    circuit: QuantumCircuit, snapshot: DeviceSnapshot, seed: int, fractional: bool
) -> Placement:
    """Route in each shape of region, move the result to the best place, keep the best."""
    tries = [
        _compile(circuit, snapshot, region, seed + i, fractional, layout=[])
        for region in _regions(snapshot, circuit.num_qubits)
        for i in range(ROUTING_SEEDS)
    ]
    if not tries:
        raise BackendError(
            f"{snapshot.name} has no {circuit.num_qubits} connected usable qubits, "
            f"but the circuit needs them."
        )
    tries.sort(key=lambda t: t.layout.log_success, reverse=True)
    best = tries[0]
    for tried in tries[:3]:
        wish = Interaction.of(tried.circuit, snapshot.restricted(tried.qubits))
        try:
            spot = best_layouts(wish, snapshot, top=1, limit=_SEARCH_LIMIT)[0]
        except LayoutError:
            continue  # wide: the search ended before it found even the place where it is
        moved = _compile(tried.circuit, snapshot, spot.qubits, tried.seed, fractional)
        best = max(best, moved, key=lambda t: t.layout.log_success)
    return best


def _regions(snapshot: DeviceSnapshot, n: int) -> list[tuple[int, ...]]:
    """Connected regions of ``n`` qubits, one of each of the shapes with most couplings inside.

    From every qubit a region grows by the neighbour with most couplings into it, then least
    error. Which region stands for a shape matters little: the routed circuit is moved afterwards.
    """
    graph = snapshot.coupling_graph()
    grown = {tuple(sorted(r)) for q in range(snapshot.n_qubits) if (r := _grow(snapshot, q, n))}
    grown |= {tuple(sorted(r)) for r in _lines(snapshot, n)}
    ranked = sorted(grown, key=lambda r: (-graph.subgraph(list(r)).num_edges(), _cost(snapshot, r)))
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
        found = best_layouts(Interaction.chain(n), snapshot, top=1, limit=_SEARCH_LIMIT)
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
                    -_cost(snapshot, (*region, q)),
                ),
            )
        )
    return region


def _cost(snapshot: DeviceSnapshot, region: tuple[int, ...]) -> float:
    """Sum of two-qubit and readout errors inside a region."""
    inside = set(region)
    gates = (
        snapshot.two_qubit_gate(a, b) for a, b in snapshot.usable_couplings if {a, b} <= inside
    )
    return sum((g.error or 0.0) for g in gates if g) + sum(
        snapshot.qubits[q].readout_error or 0.0 for q in region
    )
