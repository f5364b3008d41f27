"""Dynamical decoupling: pulses on waiting qubits, so that slow detuning turns back on itself.

Every wait that is long enough gets X-X or X-Y-X-Y, evenly spaced, half a space at either end. The
pulses multiply to the identity; a frequency offset that stays the same through the wait cancels.
Against memoryless noise they only add their own errors. Delays that the circuit asks for get none:
whoever measures T1 or a Ramsey fringe measures what pulses would take away.

Sources: Viola, Knill and Lloyd, Phys. Rev. Lett. 82, 2417 (1999); Maudsley, J. Magn. Reson. 69, 488
(1986), XY4.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Gate
from qiskit.circuit.library import XGate, YGate

from backends.base import Backend, CircuitBatch, CompiledTemplate
from backends.delays import is_wait, wait
from backends.figures import size_of
from backends.native.rows import device_part, is_native
from backends.native.schedule import schedule_alap
from backends.native.translate import one_qubit_kits
from backends.native.writing import writes_rows
from backends.vendor import VendorBackend
from calibration.snapshot import DeviceSnapshot
from qhw.mitigation.base import BOTH, Context, MitigationError, Quantity
from qhw.mitigation.twirl import PooledStep

Sequences = Literal["xx", "xy4"]

LEAST_FREE = 2.0
"""A wait is decoupled when its time between pulses is at least this many times theirs."""
_PULSES = {"xx": (XGate(), XGate()), "xy4": (XGate(), YGate(), XGate(), YGate())}


@dataclass(frozen=True)
class Decoupling:
    """``dd``, ``dd(xy4)``: pulses in every long enough wait.

    Attributes:
        sequence: ``xx`` or ``xy4``.
    """

    sequence: Sequences = "xx"

    name: ClassVar[str] = "dd"
    rank: ClassVar[int] = 0
    valid_for: ClassVar[frozenset[Quantity]] = BOTH

    def __post_init__(self) -> None:
        if self.sequence not in get_args(Sequences):
            raise MitigationError(
                f"dd must have one of the sequences {', '.join(get_args(Sequences))}, "
                f"but has {self.sequence!r}"
            )

    def __str__(self) -> str:
        return f"dd({self.sequence})"

    @property
    def any_width(self) -> bool:
        """Counts are left alone."""
        return True

    @property
    def circuits(self) -> int:
        """The circuit itself."""
        return 1

    @property
    def needs(self) -> tuple[str, ...]:
        """Durations of the device's gates."""
        return ("gate durations",)

    def check_device(self, backend: Backend | VendorBackend) -> None:
        """Refuse a device without gates, and one whose templates hold none.

        Raises:
            MitigationError: it is ideal, or takes no waits.
        """
        if backend.snapshot is None:
            raise _ideal(backend.name)
        if writes_rows(backend.snapshot):
            raise _without_waits(backend.name)

    def build(self, batch: CircuitBatch, context: Context) -> PooledStep:
        """The scheduled circuit with pulses in its waits.

        Raises:
            MitigationError: a device of unknown durations, or one that takes no waits.
        """
        padded = decoupled(batch.compiled, self.sequence, context.backend.name)
        variant = replace(batch, label=f"{batch.label}/dd", compiled=padded)
        return PooledStep((variant,))


def decoupled(compiled: CompiledTemplate, sequence: Sequences, device: str) -> CompiledTemplate:
    """A template with pulses in its waits; scheduled first where it is not.

    Waits are written in clock periods where the device has a clock: vendors take them so.

    Args:
        compiled: native template.
        sequence: of pulses.
        device: named in errors.

    Raises:
        MitigationError: no device, unknown durations, or circuits that hold no waits.
    """
    part = device_part(compiled)
    if part is None:
        raise _ideal(device)
    if not is_native(compiled, part):
        raise _without_waits(device)
    _check_durations(compiled, part, device)
    schedule = schedule_alap(compiled.circuit, part)
    scheduled = compiled.circuit if compiled.scheduled else schedule.circuit
    padder = _Padder(part, sequence)
    circuit = padder.pad(scheduled)
    success = compiled.predicted_success
    return replace(
        compiled,
        circuit=circuit,
        **size_of(circuit),
        duration_s=compiled.duration_s or schedule.duration_s,
        predicted_success=None if success is None else success * padder.success,
        scheduled=True,
    )


def _ideal(device: str) -> MitigationError:
    return MitigationError(f"dd must have a device with gate durations, but {device} is ideal")


def _without_waits(device: str) -> MitigationError:
    return MitigationError(
        f"dd must have a device whose circuits hold waits, but {device} writes them natively "
        "row by row, where none can be told"
    )


def _check_durations(compiled: CompiledTemplate, part: DeviceSnapshot, device: str) -> None:
    index = {qubit: i for i, qubit in enumerate(compiled.circuit.qubits)}
    for item in compiled.circuit.data:
        name = item.operation.name
        if name in part.virtual_gates or name in ("barrier", "measure", "delay"):
            continue
        gate = part.gate(name, tuple(index[q] for q in item.qubits))
        if gate is None or not gate.duration_s:
            raise MitigationError(
                f"dd must have gate durations, but the snapshot of {device} has none for {name}"
            )


@dataclass
class _Padder:
    """Writes pulses into waits; ``success`` is the product of their own."""

    part: DeviceSnapshot
    sequence: Sequences
    success: float = 1.0

    def __post_init__(self) -> None:
        self._kits = one_qubit_kits(self.part)

    def pad(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """The circuit with every long enough wait of the scheduler decoupled."""
        index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
        padded = circuit.copy_empty_like()
        for item in circuit.data:
            if not is_wait(item.operation):
                padded.append(item)
                continue
            q = index[item.qubits[0]]
            for operation in self._filled(item.operation.duration, q):
                padded.append(operation, [q])
        return padded

    def _filled(self, wait_s: float, qubit: int) -> list[Gate | Delay]:
        pulses = [self._kits[qubit].exactly(np.asarray(p)) for p in _PULSES[self.sequence]]
        lengths = [sum(self._length(gate, qubit) for gate in pulse) for pulse in pulses]
        free = wait_s - sum(lengths)
        if free < LEAST_FREE * sum(lengths):
            return self._waits([wait_s])
        for gate in itertools.chain.from_iterable(pulses):
            found = self.part.gate(gate.name, (qubit,))
            self.success *= 1.0 - ((found.error if found else None) or 0.0)
        spaces = len(pulses)
        waits = [free / spaces * (0.5 if i in (0, spaces) else 1.0) for i in range(spaces + 1)]
        written = self._waits(waits)
        filled: list[Gate | Delay] = [written[0]]
        for pulse, after in zip(pulses, written[1:], strict=True):
            filled += [*pulse, after]
        return filled

    def _length(self, gate: Gate, qubit: int) -> float:
        if gate.name in self.part.virtual_gates:
            return 0.0
        found = self.part.gate(gate.name, (qubit,))
        if found is None or not found.duration_s:
            raise MitigationError(
                f"dd must have gate durations, but the snapshot of {self.part.name} has none for "
                f"{gate.name}"
            )
        return found.duration_s

    def _waits(self, seconds: Sequence[float]) -> list[Gate | Delay]:
        """Delays in clock periods that add up to the whole, in seconds where there is no clock."""
        dt = self.part.dt_s
        if dt is None:
            return [wait(s) for s in seconds]
        ends = [round(s / dt) for s in itertools.accumulate(seconds)]
        return [Delay(b - a, "dt") for a, b in itertools.pairwise([0, *ends])]
