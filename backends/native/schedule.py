"""As-late-as-possible schedule of a native circuit: every wait becomes a delay in seconds.

Rotations about z take no time and all other one-qubit gates have fixed lengths, so the schedule
of a template holds for every row of angles. Waits carry seconds, because not every vendor names
a clock; delays that the circuit asks for (:mod:`backends.delays`) take their time as gates do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction

from backends.delays import wait as scheduled_wait
from calibration.interaction import delay_seconds
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
    placed, duration = _placed(circuit, snapshot)
    padded = circuit.copy_empty_like()
    for item, waits, _ in placed:
        for qubit, wait in zip(item.qubits, waits, strict=True):
            if wait:
                padded.append(scheduled_wait(wait), [qubit])
        padded.append(item)
    return Schedule(padded, duration, _idle(circuit, placed))


def idle_alap(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> tuple[float, tuple[float, ...]]:
    """:attr:`Schedule.duration_s` and :attr:`Schedule.idle_s` of :func:`schedule_alap` alone."""
    placed, duration = _placed(circuit, snapshot)
    return duration, _idle(circuit, placed)


_Placed = tuple[CircuitInstruction, tuple[float, ...], float]
"""An instruction, the wait of each of its qubits before it, and seconds they wait inside it."""


def _placed(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> tuple[list[_Placed], float]:
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    # Times run backwards from the start of readout: each item starts before (above) it finishes.
    ahead = [0.0] * circuit.num_qubits
    timed: list[tuple[CircuitInstruction, tuple[int, ...], float, float]] = []
    for item in reversed(circuit.data):
        qubits = tuple(index[q] for q in item.qubits)
        finish = max(ahead[q] for q in qubits)
        start = finish + _duration(item, qubits, snapshot)
        timed.append((item, qubits, start, finish))
        for q in qubits:
            ahead[q] = start
    free_since: dict[int, float] = {}
    placed: list[_Placed] = []
    for item, qubits, start, finish in reversed(timed):
        waits = (free_since.get(q, start) - start for q in qubits)
        kept = tuple(wait if wait > _NEGLIGIBLE_S else 0.0 for wait in waits)
        inside = 0.0
        for q in qubits:
            if q in free_since or item.operation.name not in ("barrier", "delay"):
                free_since[q] = finish
                inside = start - finish if item.operation.name == "delay" else 0.0
        placed.append((item, kept, inside))
    return placed, max(ahead, default=0.0)


def _idle(circuit: QuantumCircuit, placed: Sequence[_Placed]) -> tuple[float, ...]:
    idle = dict.fromkeys(circuit.qubits, 0.0)
    for item, waits, inside in placed:
        for qubit, wait in zip(item.qubits, waits, strict=True):
            idle[qubit] += wait + inside
    return tuple(idle.values())


def _duration(item: CircuitInstruction, qubits: tuple[int, ...], snapshot: DeviceSnapshot) -> float:
    name = item.operation.name
    if name in snapshot.virtual_gates or name in ("barrier", "measure"):
        return 0.0
    if name == "delay":
        return delay_seconds(item.operation, snapshot.dt_s)
    gate = snapshot.gate(name, qubits)
    return (gate.duration_s if gate else None) or 0.0
