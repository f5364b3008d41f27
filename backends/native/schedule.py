"""As-late-as-possible schedule of a native circuit: every wait becomes a delay in seconds.

Rotations about z take no time and all other one-qubit gates have fixed lengths, so the schedule
of a template holds for every row of angles. Waits carry seconds, because not every vendor names
a clock; delays that the circuit asks for (:mod:`backends.delays`) take their time as gates do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction

from backends.delays import wait as scheduled_wait
from calibration.interaction import delay_seconds
from calibration.reading import Placed, placed
from calibration.snapshot import DeviceSnapshot

_NEGLIGIBLE_S = 1e-13
"""Waits below this come from rounding of sums of durations."""


@dataclass(frozen=True)
class Schedule:
    """A scheduled circuit.

    Attributes:
        circuit: with a wait wherever a qubit waits after its first gate.
        duration_s: from the first gate, or delay of the circuit, to the start of readout, seconds.
        idle_s: seconds each qubit waits after its first gate, its own delays among them.
    """

    circuit: QuantumCircuit
    duration_s: float
    idle_s: tuple[float, ...]


def schedule_alap(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> Schedule:
    """Push every gate as late as it goes; all qubits are read out together at the end.

    A qubit that was not touched yet waits in |0>, which relaxation leaves alone: no wait there.

    Args:
        circuit: native gates and delays on qubits ``0 .. k-1``, measurements last. One that is
            scheduled already stays as it is.
        snapshot: the device restricted to those qubits.
    """
    items, qubits = placed(circuit), range(circuit.num_qubits)
    times = _times(items, snapshot, qubits)
    padded = circuit.copy_empty_like()
    for item, places, waits, _ in _waiting(items, len(qubits), times):
        for place, wait in zip(places, waits, strict=True):
            if wait:
                padded.append(scheduled_wait(wait), [place])
        padded.append(item)
    return Schedule(padded, times.duration_s, _idle(items, len(qubits), times))


def idle_alap(
    items: Sequence[Placed], snapshot: DeviceSnapshot, qubits: Sequence[int]
) -> tuple[float, tuple[float, ...]]:
    """:attr:`Schedule.duration_s` and :attr:`Schedule.idle_s` of :func:`schedule_alap` alone.

    Args:
        items: of a circuit as there.
        snapshot: the whole device.
        qubits: device qubit of each circuit qubit.
    """
    times = _times(items, snapshot, qubits)
    return times.duration_s, _idle(items, len(qubits), times)


_Waiting = tuple[CircuitInstruction, tuple[int, ...], Sequence[float], float]
"""An instruction, its qubits, the wait of each before it, and seconds they wait inside it."""


@dataclass(frozen=True)
class _Times:
    """Seconds before readout at which each instruction starts and finishes, the last one first."""

    starts: list[float]
    finishes: list[float]
    duration_s: float


def _times(items: Sequence[Placed], snapshot: DeviceSnapshot, qubits: Sequence[int]) -> _Times:
    ahead = [0.0] * len(qubits)
    lengths: dict[tuple[str, tuple[int, ...]], float] = {}
    starts: list[float] = []
    finishes: list[float] = []
    for item, name, places in reversed(items):
        if name == "delay":
            length: float | None = delay_seconds(item.operation, snapshot.dt_s)
        else:
            length = lengths.get((name, places))
        if length is None:
            length = _duration(name, [qubits[q] for q in places], snapshot)
            lengths[name, places] = length
        finish = ahead[places[0]] if len(places) == 1 else max([ahead[q] for q in places])
        start = finish + length
        finishes.append(finish)
        starts.append(start)
        for q in places:
            ahead[q] = start
    return _Times(starts, finishes, max(ahead, default=0.0))


def _waiting(items: Sequence[Placed], n_qubits: int, times: _Times) -> Iterator[_Waiting]:
    free_since: list[float | None] = [None] * n_qubits
    ends = zip(reversed(times.starts), reversed(times.finishes), strict=True)
    for (item, name, places), (start, finish) in zip(items, ends, strict=True):
        waits = []
        inside = 0.0
        for q in places:
            since = free_since[q]
            wait = 0.0 if since is None else since - start
            waits.append(wait if wait > _NEGLIGIBLE_S else 0.0)
            if since is not None or name not in ("barrier", "delay"):
                free_since[q] = finish
                inside = start - finish if name == "delay" else 0.0
        yield item, places, waits, inside


def _idle(items: Sequence[Placed], n_qubits: int, times: _Times) -> tuple[float, ...]:
    idle = [0.0] * n_qubits
    for _, places, waits, inside in _waiting(items, n_qubits, times):
        for place, wait in zip(places, waits, strict=True):
            idle[place] += wait + inside
    return tuple(idle)


def _duration(name: str, qubits: Sequence[int], snapshot: DeviceSnapshot) -> float:
    if name in snapshot.virtual_gates or name in ("barrier", "measure"):
        return 0.0
    gate = snapshot.gate(name, qubits)
    return (gate.duration_s if gate else None) or 0.0
