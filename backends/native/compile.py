"""Any circuit onto any device's native gates, with as few pulses as virtual Z allows.

Qiskit chooses layout and routing in canonical gates; our own pass then writes native gates. At
level 3 the routed circuit is also moved to the place of highest predicted success (idle decay
included), as mapomatic does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from qiskit import QuantumCircuit

from backends.base import BackendError
from backends.delays import with_own_delays
from backends.native.prediction import Prediction, predict
from backends.native.routing import LEVELS, Region, Routed, region_of, route
from backends.native.translate import to_native
from backends.plain import plain
from calibration.layout import Interaction, LayoutError, best_layouts
from calibration.snapshot import DeviceSnapshot

COMPILER_VERSION = 2
"""Part of every cache key: raised when the same input may give another circuit."""
_SEARCH_LIMIT = 20_000


@dataclass(frozen=True)
class NativeCircuit:
    """A bound circuit in native gates.

    Attributes:
        circuit: on qubits ``0 .. k-1``, only those that are used; measurements as in the input.
        qubits: device qubit of each circuit qubit.
        start: position in ``circuit`` where each qubit of the input begins.
        end: position where it ends.
        swaps: swaps that routing inserted.
        level: optimisation level.
        seed: of layout and routing.
        prediction: success, sum of two-qubit errors, duration.
        snapshot: calibration it was compiled against.
    """

    circuit: QuantumCircuit
    qubits: tuple[int, ...]
    start: tuple[int, ...]
    end: tuple[int, ...]
    swaps: int
    level: int
    seed: int
    prediction: Prediction
    snapshot: DeviceSnapshot = field(repr=False)

    @property
    def two_qubit_gates(self) -> int:
        """Number of two-qubit gates."""
        return int(self.circuit.num_nonlocal_gates())

    @property
    def two_qubit_depth(self) -> int:
        """Depth counting two-qubit gates only."""
        return int(self.circuit.depth(_entangles))

    @property
    def depth(self) -> int:
        """Depth without virtual gates, barriers and measurements."""
        free = {*self.snapshot.virtual_gates, "barrier", "measure", "delay"}
        return int(self.circuit.depth(lambda item: item.operation.name not in free))

    @property
    def pulses(self) -> int:
        """Physical one-qubit gates."""
        free = {*self.snapshot.virtual_gates, "barrier", "measure", "delay"}
        return sum(
            len(item.qubits) == 1 and item.operation.name not in free for item in self.circuit.data
        )


def compile_native(
    circuit: QuantumCircuit,
    snapshot: DeviceSnapshot,
    *,
    level: int = 3,
    seed: int = 0,
    fractional: bool = False,
) -> NativeCircuit:
    """Compile a circuit for a device.

    Args:
        circuit: bound gates of any size and delays, then final measurements, or none.
        snapshot: the device.
        level: 0 to 3: Qiskit's effort in layout, routing and two-qubit optimisation. One-qubit
            gates are merged and z kept virtual at every level.
        seed: of layout and routing.
        fractional: with the gates that must be asked for (IBM's ``rzz`` and ``rx``).

    Raises:
        ValueError: unknown level.
        BackendError: free parameters, reset of a qubit in use, classical control, an angle that is
            not finite, a measurement that is not last, a circuit that does not fit, a delay without
            a length there, or native gates of an unknown kind.
    """
    if level not in LEVELS:
        raise ValueError(f"Argument `level` must be one of {LEVELS}, but is {level!r}.")
    circuit = as_compilable(circuit)
    region = region_of(snapshot, fractional=fractional)
    circuit = with_own_delays(circuit, snapshot.dt_s, snapshot.name)
    routed = route(circuit, region, snapshot.name, level=level, seed=seed)
    return finish(routed, snapshot, region, level=level, seed=seed, fractional=fractional)


def finish(
    routed: Routed,
    snapshot: DeviceSnapshot,
    region: Region,
    *,
    level: int,
    seed: int,
    fractional: bool = False,
) -> NativeCircuit:
    """Native gates of a routed circuit, at level 3 on the qubits of highest predicted success.

    Args:
        routed: bound, from :func:`~backends.native.routing.route`.
        snapshot: the device.
        region: of the device.
        level: optimisation level it was routed with.
        seed: seed it was routed with.
        fractional: with the gates that must be asked for.
    """
    found = _finish(routed, snapshot, region, level, seed, fractional)
    return _moved(found, routed, region, fractional) if level == LEVELS[-1] else found


def as_compilable(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit as :func:`~backends.plain.plain` gives it; what has no fixed sequence of native
    gates is refused, the message names the instruction.

    Raises:
        BackendError: see :func:`compile_native`.
    """
    if circuit.parameters:
        names = [p.name for p in circuit.parameters]
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise BackendError(
            f"Argument `circuit` must have every parameter bound, but {len(names)} are free "
            f"({shown})."
        )
    opened = plain(circuit)
    _check_measures_last(opened)
    return opened


def _check_measures_last(circuit: QuantumCircuit) -> None:
    measured: set[object] = set()
    for place, item in enumerate(circuit.data):
        name = item.operation.name
        if name != "barrier" and measured.intersection(item.qubits):
            raise BackendError(
                f"Argument `circuit` must measure last, but instruction {place}, {name}, follows "
                f"a measurement of its qubit."
            )
        if name == "measure":
            if measured.intersection(item.clbits):
                raise BackendError(
                    f"Argument `circuit` must write each bit once, but instruction {place} writes "
                    f"one again."
                )
            measured.update((*item.qubits, *item.clbits))
        elif item.clbits:
            raise BackendError(
                f"Argument `circuit` must hold only gates and measurements, but instruction "
                f"{place} is {name}."
            )


def _finish(
    routed: Routed,
    snapshot: DeviceSnapshot,
    region: Region,
    level: int,
    seed: int,
    fractional: bool,
) -> NativeCircuit:
    native = to_native(
        routed.circuit, snapshot, routed.qubits, fractional=fractional, couplings=region.couplings
    )
    return NativeCircuit(
        circuit=native,
        qubits=routed.qubits,
        start=routed.start,
        end=routed.end,
        swaps=routed.swaps,
        level=level,
        seed=seed,
        prediction=predict(native, snapshot, routed.qubits),
        snapshot=snapshot,
    )


def _moved(found: NativeCircuit, routed: Routed, region: Region, fractional: bool) -> NativeCircuit:
    """The same routed circuit on better qubits, where there are any."""
    snapshot = found.snapshot
    if _uniform(snapshot):
        return found
    wish = Interaction.of(found.circuit, snapshot.restricted(found.qubits))
    try:
        spot = best_layouts(wish, snapshot, top=1, limit=_SEARCH_LIMIT)[0].qubits
        moved = _finish(
            replace(routed, qubits=spot), snapshot, region, found.level, found.seed, fractional
        )
    except (LayoutError, BackendError):
        # mixed devices: not every coupling has the gate that was chosen
        return found
    better = moved.prediction.layout.log_success > found.prediction.layout.log_success
    return moved if better else found


def _uniform(snapshot: DeviceSnapshot) -> bool:
    """Whether all places are alike: all-to-all devices that report means only."""
    pairs = snapshot.n_qubits * (snapshot.n_qubits - 1) // 2
    gates = {(g.name, g.error, g.duration_s) for g in snapshot.gates}
    return len(snapshot.usable_couplings) == pairs and len(gates) == len({g[0] for g in gates})


def _entangles(item: object) -> bool:
    operation = getattr(item, "operation", None)
    return len(getattr(item, "qubits", ())) == 2 and getattr(operation, "name", "") != "barrier"
