"""Compiled templates as bytes and facts, and back: the one way in which they are kept.

Circuits are in Qiskit's QPY format, everything else of a template is in its facts, which JSON can
hold. Qiskit 2.6 loses the unit of a plain delay in QPY and reads seconds back as clock periods, so
lengths in units of time are written as duration expressions.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Delay, Duration, Instruction
from qiskit.circuit.classical import expr

from backends.base import CompiledTemplate
from backends.delays import is_wait, with_delays
from calibration.snapshot import DeviceSnapshot

FORMAT_VERSION = 2
"""Of the facts. Version 1 names none and may lack ``scheduled``."""
_APART = ("circuit", "snapshot")
"""Fields that are kept beside the facts."""
_FACTS = tuple(field.name for field in fields(CompiledTemplate) if field.name not in _APART)

Facts = dict[str, Any]


class StoredError(ValueError):
    """What was kept of a template cannot be read."""


def pack(*templates: CompiledTemplate) -> tuple[bytes, list[Facts]]:
    """QPY bytes of all circuits, and the facts of each; the snapshots are the caller's to keep."""
    facts = [
        {"format": FORMAT_VERSION, **{name: _plain(getattr(one, name)) for name in _FACTS}}
        for one in templates
    ]
    return circuits_to_bytes([one.circuit for one in templates]), facts


def unpack(
    data: bytes, facts: Sequence[Mapping[str, Any]], snapshot: DeviceSnapshot | None
) -> list[CompiledTemplate]:
    """Inverse of :func:`pack`.

    Args:
        data: QPY bytes.
        facts: of each circuit; of this version or an earlier one.
        snapshot: calibration that all were compiled against.

    Raises:
        StoredError: bytes or facts that cannot be read, or are of a later version.
    """
    try:
        circuits = circuits_from_bytes(data)
    except (qpy.QpyError, ValueError, EOFError) as error:
        raise StoredError(f"QPY cannot be read: {error}") from error
    if len(circuits) != len(facts):
        raise StoredError(f"QPY must hold {len(facts)} circuits, but holds {len(circuits)}")
    return [
        CompiledTemplate(
            circuit=circuit,
            snapshot=snapshot,
            **_read(told, any(is_wait(item.operation) for item in circuit.data)),
        )
        for circuit, told in zip(circuits, facts, strict=True)
    ]


def _read(facts: Mapping[str, Any], scheduled: bool) -> Facts:
    told = dict(facts)
    version = told.pop("format", 1)
    if version not in (1, FORMAT_VERSION):
        raise StoredError(
            f"a template must be of format 1 or {FORMAT_VERSION}, but is of {version!r}"
        )
    if version == 1:
        told.setdefault("scheduled", scheduled)
    if set(told) != set(_FACTS):
        wrong = ", ".join(sorted(set(told) ^ set(_FACTS)))
        raise StoredError(f"a template must have the facts {', '.join(_FACTS)}; see {wrong}")
    return {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}


def _plain(value: Any) -> Any:
    """A value as JSON gives it back: no numpy numbers, no tuples."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def circuits_to_bytes(circuits: Sequence[QuantumCircuit]) -> bytes:
    """Circuits in QPY, the units of their delays with them."""
    buffer = io.BytesIO()
    qpy.dump([with_delays(circuit, _with_written_unit) for circuit in circuits], buffer)
    return buffer.getvalue()


def circuits_from_bytes(data: bytes) -> list[QuantumCircuit]:
    """Inverse of :func:`circuits_to_bytes`.

    Raises:
        qpy.QpyError: damaged.
    """
    found: list[QuantumCircuit] = qpy.load(io.BytesIO(data))
    return [with_delays(circuit, _with_plain_unit) for circuit in found]


def _with_written_unit(delay: Instruction) -> Instruction:
    number = isinstance(delay.duration, int | float)
    if delay.unit in ("dt", "expr") or not number:
        return delay
    return Delay(expr.lift(getattr(Duration, delay.unit)(delay.duration)))


def _with_plain_unit(delay: Instruction) -> Instruction:
    value = getattr(delay.duration, "value", None) if delay.unit == "expr" else None
    return Delay(value.value(), value.unit()) if isinstance(value, Duration) else delay
