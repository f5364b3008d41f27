"""As-late-as-possible schedule of a native circuit: every wait becomes a delay in seconds.

Rotations about z take no time and all other one-qubit gates have fixed lengths, so the schedule
of a template holds for every row of angles. Waits carry seconds, because not every vendor names
a clock; delays that the circuit asks for (:mod:`backends.delays`) take their time as gates do.
"""

from __future__ import annotations

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
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    # Times run backwards from the start of readout: each item starts before (above) it finishes.
    ahead = [0.0] * circuit.num_qubits
    placed: list[tuple[CircuitInstruction, float, float]] = []
    for item in reversed(circuit.data):
        qubits = tuple(index[q] for q in item.qubits)
        finish = max(ahead[q] for q in qubits)
        start = finish + _duration(item, qubits, snapshot)
        placed.append((item, start, finish))
        for q in qubits:
            ahead[q] = start
    free_since: dict[int, float] = {}
    idle = [0.0] * circuit.num_qubits
    padded = circuit.copy_empty_like()
    for item, start, finish in reversed(placed):
        for qubit in item.qubits:
            q = index[qubit]
            wait = free_since.get(q, start) - start
            if wait > _NEGLIGIBLE_S:
                padded.append(scheduled_wait(wait), [qubit])
                idle[q] += wait
            if q in free_since or item.operation.name not in ("barrier", "delay"):
                free_since[q] = finish
                idle[q] += start - finish if item.operation.name == "delay" else 0.0
        padded.append(item)
    return Schedule(padded, max(ahead, default=0.0), tuple(idle))


def _duration(item: CircuitInstruction, qubits: tuple[int, ...], snapshot: DeviceSnapshot) -> float:
    name = item.operation.name
    if name in snapshot.virtual_gates or name in ("barrier", "measure"):
        return 0.0
    if name == "delay":
        return delay_seconds(item.operation, snapshot.dt_s)
    gate = snapshot.gate(name, qubits)
    return (gate.duration_s if gate else None) or 0.0
