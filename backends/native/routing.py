"""Where a circuit goes on a device, by Qiskit: on the whole device, or on a few qubits of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import rustworkx as rx
from qiskit import QuantumCircuit, transpile
from qiskit.transpiler import Target, generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError

from backends.base import BackendError
from backends.delays import with_own_delays
from backends.native.entanglers import Canonical
from backends.native.target import to_canonical_target, to_target
from backends.native.translate import native_couplings
from calibration.snapshot import DeviceSnapshot, Gate

LEVELS = (0, 1, 2, 3)
_AFTER_ROUTING = ("UnitarySynthesis", "HighLevelSynthesis", "BasisTranslator")


@dataclass(frozen=True)
class Region:
    """The part of a device that circuits are routed in.

    Attributes:
        qubits: device qubit of each target qubit: the largest connected part, ascending.
        couplings: native gate behind each canonical gate, by device qubits.
        target: Qiskit target on ``0 .. k-1`` in canonical gates, with the native gates' errors.
    """

    qubits: tuple[int, ...]
    couplings: dict[tuple[int, int], dict[Canonical, Gate]]
    target: Target


@dataclass(frozen=True)
class Routed:
    """A circuit in the gates of a target on device qubits.

    Attributes:
        circuit: on qubits ``0 .. k-1``, only those that are used.
        qubits: device qubit of each.
        start: circuit position where each qubit of the input begins.
        end: circuit position where it ends.
        swaps: swaps that routing inserted.
    """

    circuit: QuantumCircuit
    qubits: tuple[int, ...]
    start: tuple[int, ...]
    end: tuple[int, ...]
    swaps: int


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


def region_of(snapshot: DeviceSnapshot, *, fractional: bool = False) -> Region:
    """The routing region of a device; built once, since targets of large devices cost time.

    Raises:
        BackendError: native gates of an unknown kind.
    """
    return _region(_Key(snapshot), fractional)


def native_target_of(snapshot: DeviceSnapshot, *, fractional: bool = False) -> Target:
    """Target of the region in the device's own gates; built once as well.

    Raises:
        BackendError: a native gate is unknown to Qiskit.
    """
    return _native_target(_Key(snapshot), fractional)


def route(
    circuit: QuantumCircuit,
    region: Region,
    name: str,
    *,
    level: int,
    seed: int,
    target: Target | None = None,
) -> Routed:
    """Lay out, route and optimise on the whole device.

    Args:
        circuit: gates of any size, delays of the circuit's own and final measurements.
        region: of the device.
        name: the device's, for errors.
        level: Qiskit's optimisation level.
        seed: of layout and routing.
        target: of the region, the canonical one by default.

    Raises:
        BackendError: the circuit does not fit, or Qiskit cannot translate it.
    """
    if circuit.num_qubits > len(region.qubits):
        raise BackendError(
            f"Argument `circuit` must fit {name}, which has {len(region.qubits)} connected usable "
            f"qubits, but has {circuit.num_qubits}."
        )
    manager = generate_preset_pass_manager(
        optimization_level=level, target=target or region.target, seed_transpiler=seed
    )
    swaps = _SwapCount()
    try:
        found = manager.run(circuit, callback=swaps)
    except TranspilerError as error:
        raise BackendError(f"Qiskit cannot compile the circuit for {name}: {error}") from error
    start = found.layout.initial_index_layout(filter_ancillas=True)
    end = found.layout.final_index_layout(filter_ancillas=True)
    index = {qubit: i for i, qubit in enumerate(found.qubits)}
    acting = (item for item in found.data if item.operation.name != "barrier")
    busy = {index[q] for item in acting for q in item.qubits}
    used = sorted(busy | set(start) | set(end))
    place = {q: i for i, q in enumerate(used)}
    small = QuantumCircuit(len(used), name=circuit.name)
    small.add_bits(found.clbits)  # first: a bit outside of registers keeps its place
    for register in found.cregs:
        small.add_register(register)
    for item in found.data:
        kept = [place[index[q]] for q in item.qubits if index[q] in place]
        small.append(_fitted(item.operation, len(kept)), kept, item.clbits)
    return Routed(
        circuit=with_own_delays(small, region.target.dt, name),
        qubits=tuple(region.qubits[q] for q in used),
        start=tuple(place[q] for q in start),
        end=tuple(place[q] for q in end),
        swaps=swaps.added,
    )


def as_given(circuit: QuantumCircuit) -> Routed:
    """A circuit before any step."""
    own = tuple(range(circuit.num_qubits))
    return Routed(circuit, own, own, own, 0)


def as_asked(circuit: QuantumCircuit, basis: Sequence[str], seed: int) -> Routed:
    """The circuit in these gates as if every pair were coupled: what it asks for.

    Its qubits are those of the circuit itself, not yet of a device.
    """
    flat = transpile(
        circuit, basis_gates=sorted(basis), optimization_level=LEVELS[-1], seed_transpiler=seed
    )
    asked = as_given(flat)
    if flat.layout is None:
        return asked
    return replace(asked, end=tuple(flat.layout.final_index_layout()))


def route_on(
    routed: Routed,
    target: Target,
    qubits: tuple[int, ...],
    *,
    seed: int,
    stay: bool,
    level: int = LEVELS[-1],
) -> Routed:
    """Compile on these qubits only.

    Args:
        routed: of as many qubits; as given, or from an earlier step.
        target: of the part of the device that consists of them.
        qubits: device qubits, in the target's order.
        seed: of layout and routing.
        stay: start qubit i on ``qubits[i]``, else where Qiskit likes.
        level: Qiskit's optimisation level.

    Raises:
        BackendError: Qiskit cannot translate it.
    """
    swaps = _SwapCount()
    name = str(target.description)
    try:
        found = transpile(
            routed.circuit,
            target=target,
            initial_layout=list(range(len(qubits))) if stay else None,
            optimization_level=level,
            seed_transpiler=seed,
            callback=swaps,
        )
    except TranspilerError as error:
        raise BackendError(f"Qiskit cannot compile the circuit for {name}: {error}") from error
    start = found.layout.initial_index_layout(filter_ancillas=True)
    end = found.layout.final_index_layout(filter_ancillas=True)
    return Routed(
        # Qiskit's passes write all delays in one unit of their own choice
        circuit=with_own_delays(found, target.dt, name),
        qubits=qubits,
        start=tuple(start[q] for q in routed.start),
        end=tuple(end[q] for q in routed.end),
        swaps=routed.swaps + swaps.added,
    )


def _fitted(operation: Any, n: int) -> Any:
    """A barrier over the whole device shrinks to the qubits that are used."""
    if operation.name == "barrier" and operation.num_qubits != n:
        return type(operation)(n)
    return operation


class _SwapCount:
    """Pass manager callback: swaps after routing minus swaps before layout."""

    def __init__(self) -> None:
        self._before: int | None = None
        self._after = 0
        self._done = False

    @property
    def added(self) -> int:
        return max(0, self._after - (self._before or 0))

    def __call__(self, *, pass_: Any, dag: Any, **_: Any) -> None:
        name = pass_.name()
        swaps = dag.count_ops().get("swap", 0)
        if name == "SetLayout":
            self._before = swaps
        elif self._before is not None and name in _AFTER_ROUTING:
            self._done = True
        if self._before is not None and not self._done:
            self._after = swaps


class _Key:
    """A snapshot hashed by its payload, compared by identity of content that matters here."""

    def __init__(self, snapshot: DeviceSnapshot) -> None:
        self.snapshot = snapshot

    def __hash__(self) -> int:
        return hash((self.snapshot.name, self.snapshot.payload_sha256))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.snapshot == other.snapshot


@lru_cache(maxsize=8)
def _native_target(key: _Key, fractional: bool) -> Target:
    qubits = _region(key, fractional).qubits
    return to_target(key.snapshot.restricted(qubits), fractional=fractional)


@lru_cache(maxsize=8)
def _region(key: _Key, fractional: bool) -> Region:
    snapshot = key.snapshot
    couplings = native_couplings(snapshot, fractional=fractional)
    graph = rx.PyGraph()
    graph.add_nodes_from(range(snapshot.n_qubits))
    graph.add_edges_from_no_data(list(couplings))
    alive: list[set[int]] = [c - snapshot.dead_qubits for c in rx.connected_components(graph)]
    largest = max(alive, key=len)
    qubits = tuple(sorted(largest))
    target = to_canonical_target(snapshot.restricted(qubits), fractional=fractional)
    return Region(qubits, couplings, target)
