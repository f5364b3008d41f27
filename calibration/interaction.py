"""What a circuit asks of the qubits it is placed on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Delay
from qiskit.utils.units import apply_prefix

from calibration.reading import placed
from calibration.snapshot import DeviceSnapshot


class LayoutError(ValueError):
    """A circuit does not fit on a device as it is; the message says why."""


@dataclass(frozen=True)
class Interaction:
    """What a circuit asks of its qubits.

    Attributes:
        n_qubits: number of circuit qubits.
        pairs: ``(a, b, number of two-qubit gates)``, ``a < b``.
        one_qubit: number of physical one-qubit gates on each qubit; empty for none.
        measured: circuit qubits that are measured.
        idle_s: seconds each qubit waits between its first gate and its measurement; empty for none.
    """

    n_qubits: int
    pairs: tuple[tuple[int, int, int], ...]
    one_qubit: tuple[int, ...] = ()
    measured: tuple[int, ...] = ()
    idle_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        n = self.n_qubits
        if n < 1:
            raise ValueError(f"Argument `n_qubits` must be 1 or more, but is {n}.")
        if not all(0 <= a < b < n and count > 0 for a, b, count in self.pairs):
            raise ValueError(
                f"Argument `pairs` must hold (a, b, count) with a < b < {n} and count > 0, "
                f"but is {self.pairs}."
            )
        if len(self.one_qubit) not in (0, n) or len(self.idle_s) not in (0, n):
            raise ValueError(f"Arguments `one_qubit` and `idle_s` must be empty or of length {n}.")

    @classmethod
    def chain(cls, n_qubits: int, gates: int = 1) -> Interaction:
        """A line of measured qubits with ``gates`` two-qubit gates on each bond."""
        pairs = tuple((i, i + 1, gates) for i in range(n_qubits - 1))
        return cls(n_qubits, pairs, measured=tuple(range(n_qubits)))

    @classmethod
    def of(cls, circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> Interaction:
        """What a circuit asks for, its waiting times under an as-late-as-possible schedule.

        Args:
            circuit: circuit in native gates, parameters bound or free; explicit delays are
                counted as waiting.
            snapshot: gives the median durations of the schedule and the virtual gates.

        Raises:
            LayoutError: a gate acts on more than two qubits.
        """
        return _read(circuit, snapshot)


def _read(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> Interaction:
    n = circuit.num_qubits
    pairs: Counter[tuple[int, int]] = Counter()
    ones, measured = [0] * n, set()
    busy, span, active = [0.0] * n, [0.0] * n, [0.0] * n
    one_s = _one_qubit_duration(snapshot)
    two_s = snapshot.median_two_qubit_duration() or 0.0
    free = set(snapshot.virtual_gates)
    # backwards from the measurements; active ends as the time from a qubit's first gate on
    for item, name, qubits in reversed(placed(circuit)):
        if name == "measure":
            measured.add(qubits[0])
        elif name == "barrier":
            level = max((span[q] for q in qubits), default=0.0)
            for q in qubits:
                span[q] = level
        elif name == "delay":
            span[qubits[0]] += delay_seconds(item.operation, snapshot.dt_s)
        elif name not in free:
            if len(qubits) > 2:
                raise LayoutError(
                    f"Argument `circuit` must have gates on one or two qubits, but {name} "
                    f"acts on {len(qubits)}."
                )
            length = one_s if len(qubits) == 1 else two_s
            end = max([span[q] for q in qubits]) + length
            for q in qubits:
                busy[q] += length
                span[q] = active[q] = end
            if len(qubits) == 1:
                ones[qubits[0]] += 1
            else:
                pairs[min(qubits), max(qubits)] += 1
    idle = tuple(max(0.0, s - b) for s, b in zip(active, busy, strict=True))
    listed = tuple((a, b, count) for (a, b), count in sorted(pairs.items()))
    return Interaction(n, listed, tuple(ones), tuple(sorted(measured)), idle)


def _one_qubit_duration(snapshot: DeviceSnapshot) -> float:
    names = set(snapshot.one_qubit_gates) - set(snapshot.virtual_gates)
    known = [g.duration_s for g in snapshot.gates if g.name in names and g.duration_s is not None]
    return float(np.median(known)) if known else 0.0


def delay_seconds(delay: Delay, dt_s: float | None) -> float:
    """Length of a delay, seconds.

    Args:
        delay: a bound delay.
        dt_s: the device's clock period, needed for delays in ``dt``.

    Raises:
        ValueError: the delay is in clock cycles of a device without a clock.
    """
    if delay.unit != "dt":
        return float(apply_prefix(delay.duration, delay.unit))
    if dt_s is None:
        raise ValueError(
            "Argument `circuit` must have delays in seconds: this device has no clock."
        )
    return float(delay.duration) * dt_s
