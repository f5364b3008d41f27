"""Compiled circuits, snapshots and angles in the ledger, and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from backends.base import CompiledTemplate
from backends.stored import StoredError, pack, unpack
from backends.vendor import Submission
from calibration.snapshot import DeviceSnapshot
from qhw.jobs import blobs
from qhw.jobs.errors import LedgerError
from qhw.jobs.schema import circuit, snapshot

Packed = tuple[bytes, str]
"""QPY bytes of one circuit or several, and the facts beside them as JSON."""


def pack_template(
    compiled: CompiledTemplate, more: Sequence[tuple[int, CompiledTemplate]] = ()
) -> Packed:
    """A template, and those of further rows; done outside a transaction, it takes time."""
    data, (facts, *others) = pack(compiled, *(template for _, template in more))
    if more:
        rows = (row for row, _ in more)
        facts["more"] = [{"row": row, **told} for row, told in zip(rows, others, strict=True)]
    return data, json.dumps(facts)


def put_template(connection: Connection, packed: Packed, device: DeviceSnapshot | None) -> str:
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
    """The compiled template of a circuit's id, ready to be bound; the first of several.

    Raises:
        LedgerError: not there, or damaged.
    """
    return _get_all(connection, name)[0][1]


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
    (_, first), *more = _get_all(connection, name)
    return Submission(first, angles, shots, tuple(more))


def _get_all(connection: Connection, name: str) -> list[tuple[int, CompiledTemplate]]:
    """Every template of a circuit's id with its first row."""
    row = connection.execute(sa.select(circuit).where(circuit.c.id == name)).one_or_none()
    if row is None:
        raise LedgerError(f"The ledger must hold circuit {name}, but does not")
    facts: dict[str, Any] = json.loads(row.facts)
    more: list[dict[str, Any]] = facts.pop("more", [])
    starts = [0, *(other.pop("row") for other in more)]
    device = None
    if row.snapshot_sha256 is not None:
        text = blobs.get(connection, row.snapshot_sha256)
        device = DeviceSnapshot.from_json(text, f"snapshot {row.snapshot_sha256}")
    try:
        templates = unpack(blobs.get(connection, row.qpy_sha256), [facts, *more], device)
    except StoredError as error:
        raise LedgerError(f"Circuit {name} of the ledger cannot be read: {error}") from error
    return list(zip(starts, templates, strict=True))


def _put_snapshot(connection: Connection, device: DeviceSnapshot) -> str:
    sha = blobs.put(connection, device.to_json().encode())
    if connection.scalar(sa.select(snapshot.c.sha256).where(snapshot.c.sha256 == sha)) is None:
        row = {"sha256": sha, "name": device.name, "taken": device.taken}
        connection.execute(snapshot.insert().values(**row))
    return sha
