"""Any Qiskit ``BackendV2`` by its ``Target``: durations, errors, lifetimes of qubits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from qiskit.circuit import Gate as QiskitGate
from qiskit.providers import BackendV2
from qiskit.transpiler import Target

from calibration.readers.cleaning import Cleaner
from calibration.snapshot import DeviceSnapshot, Gate, JobLimits, Qubit, SnapshotError

_VIRTUAL = ("rz", "p", "u1")
"""Done in software where the target gives them neither error nor duration."""


def read_target(backend: BackendV2) -> DeviceSnapshot:
    """Read what the target of a Qiskit backend says of its device.

    A target has one readout error a qubit, which is taken for both directions, and no date: the
    calibration counts as taken now.

    Args:
        backend: with a target of which some two-qubit gate names its qubits.

    Raises:
        SnapshotError: the target describes no device.
    """
    target, clean = backend.target, Cleaner()
    source = f"target of {backend.name} {backend.backend_version or ''}".strip()
    gates = clean.filled_gates([clean.gate(*entry) for entry in _gates(target)])
    pairs = {(min(g.qubits), max(g.qubits)) for g in gates if len(g.qubits) == 2}
    names = {n: tuple(dict.fromkeys(g.name for g in gates if len(g.qubits) == n)) for n in (1, 2)}
    if not target.num_qubits or not names[1] or (target.num_qubits > 1 and not pairs):
        raise SnapshotError(
            f"{source}: must say which gates there are on which qubits, as that of a device does "
            f"(an ideal simulator is `exact` here)"
        )
    try:
        return DeviceSnapshot(
            name=_name(backend),
            vendor="qiskit",
            processor="unknown",
            taken=datetime.now(UTC),
            source=f"{source}, which has no date",
            payload_sha256=_digest(target, gates),
            qubits=clean.filled_readout([_qubit(target, q, clean) for q in _numbers(target)]),
            gates=gates,
            couplings=tuple(sorted(pairs)),
            one_qubit_gates=names[1],
            two_qubit_gates=names[2],
            virtual_gates=tuple(n for n in names[1] if n in _VIRTUAL and _is_free(gates, n)),
            job_limits=JobLimits(max_circuits=backend.max_circuits),
            dt_s=target.dt,
            corrections=tuple(clean.corrections),
        )
    except ValueError as error:
        raise SnapshotError(f"{source}: {' '.join(str(error).split())}") from error


def _numbers(target: Target) -> range:
    return range(target.num_qubits or 0)


def _gates(target: Target) -> Iterator[tuple[str, tuple[int, ...], float | None, float | None]]:
    """Name, qubits, error and duration of every gate on one or two qubits."""
    for name in target.operation_names:
        operation = target.operation_from_name(name)
        if not isinstance(operation, QiskitGate) or operation.num_qubits not in (1, 2):
            continue
        for qubits, properties in target[name].items():
            if qubits is None:  # on every qubit: of one-qubit gates that is said by a device, too
                places = [(q,) for q in _numbers(target)] if operation.num_qubits == 1 else []
            else:
                places = [tuple(qubits)]
            for place in places:
                yield name, place, _value(properties, "error"), _value(properties, "duration")


def _qubit(target: Target, number: int, clean: Cleaner) -> Qubit:
    told = (target.qubit_properties or [None] * (number + 1))[number]
    t1, t2 = clean.lifetimes(number, _value(told, "t1"), _value(told, "t2"))
    measured: Any = None
    if "measure" in target.operation_names:
        measured = target["measure"].get((number,))
    up, down = clean.readout(number, None, None, _value(measured, "error"))
    seconds = clean.readout_duration(number, _value(measured, "duration"))
    return Qubit(label=number, t1_s=t1, t2_s=t2, p10=up, p01=down, readout_s=seconds)


def _value(properties: object, name: str) -> float | None:
    found = getattr(properties, name, None)
    return None if found is None else float(found)


def _is_free(gates: tuple[Gate, ...], name: str) -> bool:
    return not any(g.error or g.duration_s for g in gates if g.name == name)


def _digest(target: Target, gates: tuple[Gate, ...]) -> str:
    qubits = [str(p) for p in target.qubit_properties or ()]
    told = [[g.model_dump(mode="json") for g in gates], qubits, target.dt]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _name(backend: BackendV2) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in backend.name)
    return kept or "backend"
