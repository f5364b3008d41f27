"""Qiskit's layout and routing, in canonical gates, in the largest connected part of a device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import rustworkx as rx
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Measure, Parameter
from qiskit.circuit.library import CZGate, RZZGate, UGate, iSwapGate
from qiskit.transpiler import InstructionProperties, Target, generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError

from backends.base import BackendError
from backends.delays import with_own_delays
from backends.native.entanglers import Canonical
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
    """A circuit in canonical gates on device qubits.

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


def region_of(snapshot: DeviceSnapshot, *, fractional: bool = False) -> Region:
    """The routing region of a device; built once, since targets of large devices cost time.

    Raises:
        BackendError: native gates of an unknown kind.
    """
    return _region(_Key(snapshot), fractional)


def route(circuit: QuantumCircuit, region: Region, name: str, *, level: int, seed: int) -> Routed:
    """Lay out, route and optimise with Qiskit's preset of a level.

    Args:
        circuit: gates of any size, delays of the circuit's own and final measurements.
        region: of the device.
        name: the device's, for errors.
        level: Qiskit's optimisation level.
        seed: of layout and routing.

    Raises:
        BackendError: the circuit does not fit, or Qiskit cannot translate it.
    """
    if circuit.num_qubits > len(region.qubits):
        raise BackendError(
            f"Argument `circuit` must fit {name}, which has {len(region.qubits)} connected usable "
            f"qubits, but has {circuit.num_qubits}."
        )
    manager = generate_preset_pass_manager(
        optimization_level=level, target=region.target, seed_transpiler=seed
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
def _region(key: _Key, fractional: bool) -> Region:
    snapshot = key.snapshot
    couplings = native_couplings(snapshot, fractional=fractional)
    graph = rx.PyGraph()
    graph.add_nodes_from(range(snapshot.n_qubits))
    graph.add_edges_from_no_data(list(couplings))
    alive: list[set[int]] = [c - snapshot.dead_qubits for c in rx.connected_components(graph)]
    largest = max(alive, key=len)
    qubits = sorted(largest)
    place = {q: i for i, q in enumerate(qubits)}
    kept = {pair: gates for pair, gates in couplings.items() if set(pair) <= place.keys()}
    return Region(tuple(qubits), couplings, _target(snapshot, qubits, place, kept))


def _target(
    snapshot: DeviceSnapshot,
    qubits: list[int],
    place: dict[int, int],
    couplings: dict[tuple[int, int], dict[Canonical, Gate]],
) -> Target:
    n = len(qubits)
    target = Target(description=snapshot.name, num_qubits=n, dt=snapshot.dt_s)
    physical = set(snapshot.one_qubit_gates) - set(snapshot.virtual_gates) - {"id"}
    worst = [0.0] * snapshot.n_qubits
    for gate in snapshot.gates:
        if gate.name in physical and gate.usable:
            worst[gate.qubits[0]] = max(worst[gate.qubits[0]], gate.error or 0.0)
    target.add_instruction(
        UGate(Parameter("theta"), Parameter("phi"), Parameter("lam")),
        {(i,): InstructionProperties(error=worst[q]) for i, q in enumerate(qubits)},
    )
    makers = {"cz": CZGate(), "rzz": RZZGate(Parameter("theta")), "iswap": iSwapGate()}
    for name, gate in makers.items():
        places: dict[tuple[int, int], InstructionProperties] = {}
        for (a, b), natives in couplings.items():
            native = next((g for canonical, g in natives.items() if canonical == name), None)
            if native is not None:
                # both directions: the native translation turns a gate round at no pulse more
                properties = InstructionProperties(native.duration_s, native.error or 0.0)
                places |= {(place[a], place[b]): properties, (place[b], place[a]): properties}
        if places:
            target.add_instruction(gate, places)
    readout = [snapshot.qubits[q].readout_error or 0.0 for q in qubits]
    target.add_instruction(
        Measure(), {(i,): InstructionProperties(error=readout[i]) for i in range(n)}
    )
    target.add_instruction(Delay(Parameter("t")), {(i,): None for i in range(n)})
    return target
