"""Where a circuit goes on a device, by Qiskit: on the whole device, or on a few qubits of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import rustworkx as rx
from qiskit import QuantumCircuit, transpile
from qiskit.transpiler import StagedPassManager, Target, generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError

from backends.base import BackendError
from backends.delays import with_own_delays
from backends.native.entanglers import Canonical
from backends.native.levels import LEVELS
from backends.native.target import to_canonical_target, to_target
from backends.native.translate import native_couplings
from calibration.reading import placed
from calibration.snapshot import DeviceSnapshot, Gate

_AFTER_ROUTING = ("UnitarySynthesis", "HighLevelSynthesis", "BasisTranslator")


@dataclass(frozen=True)
class Region:
    """The part of a device that circuits are routed in.

    Attributes:
        qubits: device qubits of the largest connected part, ascending.
        couplings: native gate behind each canonical gate, by device qubits.
    """

    qubits: tuple[int, ...]
    couplings: dict[tuple[int, int], dict[Canonical, Gate]]


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
    """The routing region of a device; built once, since that of large devices costs time.

    Raises:
        BackendError: native gates of an unknown kind.
    """
    return _region(_Key(snapshot), fractional)


def target_of(
    snapshot: DeviceSnapshot, qubits: tuple[int, ...], *, canonical: bool, fractional: bool
) -> Target:
    """Target of a part of a device, in its own gates or in canonical ones; built once.

    Raises:
        BackendError: native gates of an unknown kind.
    """
    return _target(_Key(snapshot), qubits, canonical, fractional)


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


def route(
    routed: Routed,
    target: Target,
    qubits: tuple[int, ...],
    *,
    level: int,
    seed: int,
    stay: bool = False,
) -> Routed:
    """Lay out, route and optimise with Qiskit's preset of a level.

    Args:
        routed: as given, or from an earlier step.
        target: of the part of the device that may be used.
        qubits: device qubits of that part, in the target's order.
        level: Qiskit's optimisation level.
        seed: of layout and routing.
        stay: start qubit i on ``qubits[i]``, else where Qiskit likes.

    Raises:
        BackendError: the circuit does not fit, or Qiskit cannot translate it.
    """
    circuit, name = routed.circuit, str(target.description)
    if circuit.num_qubits > len(qubits):
        raise BackendError(
            f"Argument `circuit` must fit {name}, which has {len(qubits)} connected usable "
            f"qubits, but has {circuit.num_qubits}."
        )
    swaps = _SwapCount()
    try:
        manager = _manager(target, level, seed, circuit.num_qubits if stay else None)
        found = manager.run(circuit, callback=swaps)
    except TranspilerError as error:
        raise BackendError(f"Qiskit cannot compile the circuit for {name}: {error}") from error
    start = found.layout.initial_index_layout(filter_ancillas=True)
    end = found.layout.final_index_layout(filter_ancillas=True)
    small, used = _on_used(found, {*start, *end})
    place = {q: i for i, q in enumerate(used)}
    return Routed(
        # Qiskit's passes write all delays in one unit of their own choice
        circuit=with_own_delays(small, target.dt, name),
        qubits=tuple(qubits[q] for q in used),
        start=tuple(place[start[q]] for q in routed.start),
        end=tuple(place[end[q]] for q in routed.end),
        swaps=routed.swaps + swaps.added,
    )


def _on_used(found: QuantumCircuit, kept: set[int]) -> tuple[QuantumCircuit, list[int]]:
    """A circuit on those of its qubits that something acts on, and on ``kept``."""
    items = placed(found)
    acting = {places for _, name, places in items if name != "barrier"}
    used = sorted(kept.union(*acting))
    place = {q: i for i, q in enumerate(used)}
    small = QuantumCircuit(len(used), name=found.name)
    small.add_bits(found.clbits)  # first: a bit outside of registers keeps its place
    for register in found.cregs:
        small.add_register(register)
    at = {q: small.qubits[i] for q, i in place.items()}
    for item, name, places in items:
        here = [at[q] for q in places if q in at]
        if name == "barrier" and len(here) != len(places):  # over the whole device
            if here:
                small.barrier(here)
        else:
            small._append(item.replace(qubits=here))
    return small, used


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


@lru_cache(maxsize=64)
def _target(key: _Key, qubits: tuple[int, ...], canonical: bool, fractional: bool) -> Target:
    make = to_canonical_target if canonical else to_target
    return make(key.snapshot.restricted(qubits), fractional=fractional)


@lru_cache(maxsize=64)
def _manager(target: Target, level: int, seed: int, stays: int | None) -> StagedPassManager:
    """Qiskit's passes, which take milliseconds to put together and keep nothing between circuits.

    Args:
        target: compared by identity.
        level: Qiskit's optimisation level.
        seed: of layout and routing.
        stays: qubits of a circuit that stays where it is; ``None`` for any that does not.
    """
    return generate_preset_pass_manager(
        optimization_level=level,
        target=target,
        seed_transpiler=seed,
        initial_layout=None if stays is None else list(range(stays)),
    )


@lru_cache(maxsize=8)
def _region(key: _Key, fractional: bool) -> Region:
    snapshot = key.snapshot
    couplings = native_couplings(snapshot, fractional=fractional)
    graph = rx.PyGraph()
    graph.add_nodes_from(range(snapshot.n_qubits))
    graph.add_edges_from_no_data(list(couplings))
    alive: list[set[int]] = [c - snapshot.dead_qubits for c in rx.connected_components(graph)]
    largest = max(alive, key=len)
    return Region(tuple(sorted(largest)), couplings)
