"""What a device's drift does to a circuit: old placement on the new day, and the new best one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from backends.base import BackendError
from backends.native.compile import NativeCircuit, compile_native
from backends.native.prediction import predict
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.depth.subjects import Subject
from qhw.scheduler import LocalScheduler, Scheduler, in_order


class DriftEffect(BaseModel):
    """Predicted success of a circuit on two days; qubits by the vendor's numbers.

    Attributes:
        circuit: name.
        before: best placement of the first day, on that day; ``None`` if it does not compile.
        kept: the same compiled circuit on the second day; ``None`` where a qubit or gate it needs
            is gone.
        after: best placement of the second day, on that day.
        qubits_before: of the first day's best placement.
        qubits_after: of the second day's.
        reason: why something is ``None``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    circuit: str
    before: float | None = None
    kept: float | None = None
    after: float | None = None
    qubits_before: tuple[int, ...] = ()
    qubits_after: tuple[int, ...] = ()
    reason: str | None = None

    @property
    def moved(self) -> bool:
        """Whether the best place is another one."""
        return set(self.qubits_before) != set(self.qubits_after)


def drift_effect(
    subject: Subject,
    before: DeviceSnapshot,
    after: DeviceSnapshot,
    *,
    seeds: Sequence[int] = (0, 1, 2),
) -> DriftEffect:
    """Compile a circuit on both days and carry the first day's over to the second.

    Args:
        subject: the circuit.
        before: first day.
        after: second day, of the same device.
        seeds: of layout and routing, the best of which counts.
    """
    if subject.circuit is None:
        return DriftEffect(circuit=subject.name, reason=subject.reason)
    try:
        old, new = (_best(subject, day, seeds) for day in (before, after))
    except BackendError as error:
        return DriftEffect(circuit=subject.name, reason=" ".join(str(error).split()))
    kept = carried(old, after)
    return DriftEffect(
        circuit=subject.name,
        before=old.prediction.layout.success,
        kept=kept,
        after=new.prediction.layout.success,
        qubits_before=tuple(before.labels[q] for q in old.qubits),
        qubits_after=tuple(after.labels[q] for q in new.qubits),
        reason=None if kept is not None else "a gate of the first day's circuit is gone",
    )


@dataclass(frozen=True, eq=False)
class _Carry:
    """Work: a circuit on two days."""

    subject: Subject
    before: DeviceSnapshot
    after: DeviceSnapshot


def drift_effects(
    subjects: Sequence[Subject],
    days: Sequence[tuple[DeviceSnapshot, DeviceSnapshot]],
    scheduler: Scheduler | None = None,
) -> list[tuple[DriftEffect, ...]]:
    """:func:`drift_effect` of every circuit for every two days.

    Args:
        subjects: the circuits.
        days: a first and a second day of one device, each.
        scheduler: where circuits are compiled; in this process by default.

    Raises:
        SchedulerError: a circuit that its workers did not survive.
    """
    works = [_Carry(subject, *both) for both in days for subject in subjects]
    found = iter(in_order(scheduler or LocalScheduler(0), _effect, works))
    return [tuple(next(found) for _ in subjects) for _ in days]


def _effect(work: _Carry) -> DriftEffect:
    return drift_effect(work.subject, work.before, work.after)


def carried(native: NativeCircuit, after: DeviceSnapshot) -> float | None:
    """Predicted success of a compiled circuit under another calibration of its device.

    Returns:
        ``None`` where a qubit is missing or a gate is missing or dead.
    """
    place = {label: q for q, label in enumerate(after.labels)}
    labels = [native.snapshot.labels[q] for q in native.qubits]
    if not place.keys() >= set(labels):
        return None
    qubits = tuple(place[label] for label in labels)
    index = {qubit: i for i, qubit in enumerate(native.circuit.qubits)}
    for item in native.circuit.data:
        if item.operation.name in ("measure", "barrier", "delay"):
            continue
        gate = after.gate(item.operation.name, [qubits[index[q]] for q in item.qubits])
        if gate is None or not gate.usable:
            return None
    return predict(native.circuit, after, qubits).layout.success


def _best(subject: Subject, day: DeviceSnapshot, seeds: Sequence[int]) -> NativeCircuit:
    circuit = subject.compiled_from
    assert circuit is not None
    found = [compile_native(circuit, day, seed=seed) for seed in seeds]
    best = max(found, key=lambda native: native.prediction.layout.success)
    return best.bound(subject.values) if subject.values else best
