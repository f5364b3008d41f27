"""Delays of two kinds: those a circuit asks for, and the scheduler's waits, which only follow.

What rewrites a compiled circuit keeps the first, drops the second and schedules again. Qiskit
keeps no label on a delay (not even when parameters are bound), so the unit tells them apart: a
wait is in seconds, a circuit's own delay in clock periods (``dt``), or in nanoseconds where the
device names no clock. Both survive binding, pickling and :mod:`backends.stored`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import (
    CircuitInstruction,
    Clbit,
    Delay,
    Duration,
    Gate,
    Instruction,
    ParameterExpression,
    Qubit,
)
from qiskit.circuit.classical import expr, types

from backends.base import BackendError
from calibration.interaction import delay_seconds

MAX_DELAY_S = 3600.0
"""Longest delay of a circuit; every vendor stops a job long before a second shot of it."""
STATED_CLOCK = "dt_s"
"""Key of a file's metadata: its clock period, seconds."""
_WAIT_UNIT = "s"
_NAMES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}
_OPERATIONS = {
    expr.Binary.Op.ADD: lambda a, b: a + b,
    expr.Binary.Op.SUB: lambda a, b: a - b,
    expr.Binary.Op.MUL: lambda a, b: a * b,
    expr.Binary.Op.DIV: lambda a, b: a / b,
}


def wait(seconds: float) -> Delay:
    """A wait of the scheduler."""
    return Delay(seconds, _WAIT_UNIT)


def is_wait(operation: Instruction) -> bool:
    """Whether an instruction of a compiled circuit is a wait of the scheduler."""
    return operation.name == "delay" and bool(operation.unit == _WAIT_UNIT)


def is_own_delay(operation: Instruction) -> bool:
    """Whether an instruction of a compiled circuit is a delay that the circuit asked for."""
    return operation.name == "delay" and bool(operation.unit != _WAIT_UNIT)


def without_waits(circuit: QuantumCircuit) -> QuantumCircuit:
    """A compiled circuit before it was scheduled."""
    return _kept(circuit, [item for item in circuit.data if not is_wait(item.operation)])


def without_delays(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with neither waits nor delays: its gates, and what an ideal device does."""
    return _kept(circuit, [item for item in circuit.data if item.operation.name != "delay"])


def _kept(circuit: QuantumCircuit, items: Sequence[CircuitInstruction]) -> QuantumCircuit:
    kept = circuit.copy_empty_like()
    for item in items:
        kept.append(item)
    return kept


def with_own_delays(circuit: QuantumCircuit, dt_s: float | None, device: str) -> QuantumCircuit:
    """A circuit from outside, or fresh from Qiskit's passes, with its delays as its own.

    Delays may be in any unit and constant expressions of durations. On a device with a clock each
    becomes a whole number of periods, the nearest.

    Args:
        circuit: holds no waits.
        dt_s: the device's clock period, ``None`` where it names none.
        device: its name, for errors.

    Raises:
        BackendError: a free parameter, a stretch, a negative or endless delay, or one in clock
            periods on a device that names no clock.
    """
    return with_delays(circuit, lambda delay: _own(delay, dt_s, device))


def with_delays(
    circuit: QuantumCircuit, change: Callable[[Instruction], Instruction]
) -> QuantumCircuit:
    """The circuit with every delay changed; composite instructions that hold some are opened.

    Args:
        circuit: any; given back as it is where it holds no delay.
        change: gives the delay to write in place of one.
    """
    if not any(not i.is_standard_gate() and _holds_delay(i.operation) for i in circuit.data):
        return circuit
    found = circuit.copy_empty_like()
    _write(found, circuit, circuit.qubits, circuit.clbits, change)
    return found


def check_delays(circuit: QuantumCircuit) -> QuantumCircuit:
    """Refuse delays that no device could make; the circuit without any, for an ideal device.

    Returns:
        ``circuit`` itself where it holds no delay.

    Raises:
        BackendError: as :func:`with_own_delays`, but for the clock, which an ideal device has.
    """
    found = with_own_delays(circuit, 1e-9, "an ideal device")
    return circuit if found is circuit else without_delays(found)


def with_stated_clock(circuit: QuantumCircuit) -> QuantumCircuit:
    """A circuit of one of our files, whose metadata state its clock, on no clock any more.

    Delays in periods of ``metadata["dt_s"]`` seconds are written in nanoseconds: any device then
    waits as long, whatever its own period.
    """
    dt_s = (circuit.metadata or {}).get(STATED_CLOCK)
    if not isinstance(dt_s, float) or not 0.0 < dt_s < 1.0:
        return circuit

    def in_ns(delay: Instruction) -> Instruction:
        if delay.unit != "dt" or not isinstance(delay.duration, int):
            return delay
        return _nanoseconds(delay.duration * dt_s)

    found = with_delays(circuit, in_ns).copy()
    found.metadata = {key: v for key, v in circuit.metadata.items() if key != STATED_CLOCK}
    return found


def _nanoseconds(seconds: float) -> Delay:
    return Delay(round(seconds * 1e9, 6), "ns")


def lost_units(circuit: QuantumCircuit) -> bool:
    """Whether a circuit that was read from QPY has a delay whose unit Qiskit left out of the file.

    Qiskit 2.6 writes the number alone and reads it as clock periods. Periods are written as whole
    numbers and all other units as fractions, so the number's type shows it.
    """
    for item in circuit.data:
        if item.name == "delay":  # its operation cannot always be made
            if isinstance(item.params[0], float):
                return True
            continue
        definition = getattr(item.operation, "definition", None)
        if definition is not None and lost_units(definition):
            return True
    return False


def _holds_delay(operation: Instruction) -> bool:
    """Whether an instruction is a delay, or is defined by some; a gate, being unitary, is not."""
    if operation.name == "delay":
        return True
    if isinstance(operation, Gate):
        return False
    definition = getattr(operation, "definition", None)
    return definition is not None and any(_holds_delay(item.operation) for item in definition.data)


def _write(
    target: QuantumCircuit,
    source: QuantumCircuit,
    qubits: Sequence[Qubit],
    clbits: Sequence[Clbit],
    change: Callable[[Instruction], Instruction],
) -> None:
    """Append ``source`` to ``target`` on these bits of it."""
    of_qubit = dict(zip(source.qubits, qubits, strict=True))
    of_clbit = dict(zip(source.clbits, clbits, strict=True))
    for item in source.data:
        places = [of_qubit[q] for q in item.qubits]
        bits = [of_clbit[c] for c in item.clbits]
        if item.operation.name == "delay":
            target.append(change(item.operation), places)
        elif _holds_delay(item.operation):
            _write(target, item.operation.definition, places, bits, change)
        else:
            target.append(item.operation, places, bits)


def _own(delay: Instruction, dt_s: float | None, device: str) -> Delay:
    seconds = _seconds(delay, dt_s, device)
    if not 0.0 <= seconds <= MAX_DELAY_S:  # not a number as well
        raise BackendError(
            f"Argument `circuit` must have delays from 0 to {MAX_DELAY_S:g} s, but has one of "
            f"{seconds:g} s."
        )
    if dt_s is not None:
        return Delay(round(seconds / dt_s), "dt")
    return _nanoseconds(seconds)


def _seconds(delay: Instruction, dt_s: float | None, device: str) -> float:
    duration, unit = delay.duration, delay.unit
    if isinstance(duration, ParameterExpression) and duration.parameters:
        name = sorted(p.name for p in duration.parameters)[0]
        raise BackendError(
            f"Argument `circuit` must have delays of known length, but one is the free parameter "
            f"{name}: assign it first."
        )
    if unit == "expr":
        return _evaluated(duration, dt_s, device)
    if unit == "dt" and dt_s is None:
        raise _no_clock(device)
    bound = Delay(float(duration), unit)
    return delay_seconds(bound, dt_s)


def _evaluated(node: Any, dt_s: float | None, device: str) -> float:
    """Value of a constant expression; durations in seconds."""
    if isinstance(node, expr.Value):
        if not isinstance(node.value, Duration):
            return float(node.value)
        unit, length = node.value.unit(), float(node.value.value())
        if unit == "dt" and dt_s is None:
            raise _no_clock(device)
        return length * (dt_s if unit == "dt" and dt_s is not None else _NAMES[unit])
    if isinstance(node, expr.Cast):
        inner = _evaluated(node.operand, dt_s, device)
        return float(math.floor(inner)) if node.type.kind is types.Uint else inner
    if isinstance(node, expr.Binary) and node.op in _OPERATIONS:
        left, right = (_evaluated(side, dt_s, device) for side in (node.left, node.right))
        try:
            return float(_OPERATIONS[node.op](left, right))
        except (ZeroDivisionError, OverflowError):
            return math.nan
    if isinstance(node, expr.Unary) and node.op is expr.Unary.Op.NEGATE:
        return -_evaluated(node.operand, dt_s, device)
    what = "a stretch" if isinstance(node, expr.Stretch) else type(node).__name__.lower()
    raise BackendError(
        f"Argument `circuit` must have delays of known length, but one holds {what}: write its "
        "length."
    )


def _no_clock(device: str) -> BackendError:
    return BackendError(
        f"Argument `circuit` must have delays in units of time on {device}, which names no clock "
        "period, but has one in dt."
    )
