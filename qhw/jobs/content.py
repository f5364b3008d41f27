"""Compiled circuits, snapshots and angles in the ledger, and back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from backends.base import CompiledTemplate
from backends.export import from_qpy_bytes, to_qpy_bytes
from backends.vendor import Submission
from calibration.snapshot import DeviceSnapshot
from qhw.jobs import blobs
from qhw.jobs.errors import LedgerError
from qhw.jobs.schema import circuit, snapshot

_FACTS = (
    "parameter_names",
    "n_measured",
    "physical_qubits",
    "two_qubit_gates",
    "two_qubit_depth",
    "depth",
    "duration_s",
    "seed",
    "predicted_success",
    "scheduled",
)
_TUPLES = ("parameter_names", "physical_qubits")


def pack_template(compiled: CompiledTemplate) -> tuple[bytes, str]:
    """QPY bytes and the facts beside them, as JSON; done outside a transaction, it takes time."""
    facts = {name: getattr(compiled, name) for name in _FACTS}
    return to_qpy_bytes(compiled), json.dumps(facts, default=lambda number: number.item())


def put_template(
    connection: Connection, packed: tuple[bytes, str], device: DeviceSnapshot | None
) -> str:
    """Store a packed template with its snapshot and return the circuit's id.

    The id is a hash of circuit, facts and snapshot: equal gates compiled against two calibrations
    are two circuits.
    """
    device_sha = None if device is None else _put_snapshot(connection, device)
    qpy_sha = blobs.put(connection, packed[0])
    name = hashlib.sha256(f"{qpy_sha} {packed[1]} {device_sha}".encode()).hexdigest()
    if connection.scalar(sa.select(circuit.c.id).where(circuit.c.id == name)) is None:
        row = {"id": name, "qpy_sha256": qpy_sha, "facts": packed[1], "snapshot_sha256": device_sha}
        connection.execute(circuit.insert().values(**row))
    return name


def get_template(connection: Connection, name: str) -> CompiledTemplate:
    """The compiled template of a circuit's id, ready to be bound.

    Raises:
        LedgerError: not there, or damaged.
    """
    row = connection.execute(sa.select(circuit).where(circuit.c.id == name)).one_or_none()
    if row is None:
        raise LedgerError(f"The ledger must hold circuit {name}, but does not")
    facts: dict[str, Any] = json.loads(row.facts)
    facts |= {fact: tuple(facts[fact]) for fact in _TUPLES}
    device = None
    if row.snapshot_sha256 is not None:
        text = blobs.get(connection, row.snapshot_sha256)
        device = DeviceSnapshot.from_json(text, f"snapshot {row.snapshot_sha256}")
    circuit_read = from_qpy_bytes(blobs.get(connection, row.qpy_sha256))
    return CompiledTemplate(circuit=circuit_read, snapshot=device, **facts)


def get_submission(connection: Connection, name: str, angles_sha: str, shots: int) -> Submission:
    """What a job runs, from the ledger alone.

    Args:
        connection: to read with.
        name: circuit's id.
        angles_sha: blob of the angle matrix.
        shots: per row.

    Raises:
        LedgerError: a part of it is not there, or damaged.
    """
    angles = blobs.unpack_floats(blobs.get(connection, angles_sha))
    return Submission(get_template(connection, name), angles, shots)


def _put_snapshot(connection: Connection, device: DeviceSnapshot) -> str:
    sha = blobs.put(connection, device.to_json().encode())
    if connection.scalar(sa.select(snapshot.c.sha256).where(snapshot.c.sha256 == sha)) is None:
        row = {"sha256": sha, "name": device.name, "taken": device.taken}
        connection.execute(snapshot.insert().values(**row))
    return sha
