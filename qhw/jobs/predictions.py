"""What a device model said of a circuit before it was sent: written once, never changed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from qhw.jobs import blobs
from qhw.jobs.schema import prediction


def put_prediction(
    connection: Connection, run_id: str, role: str, told: bytes, now: datetime
) -> None:
    """Write a prediction down, unless the role has one: the first is the one before the post."""
    if sha_of_prediction(connection, run_id, role) is None:
        row = {"run_id": run_id, "role": role, "sha256": blobs.put(connection, told)}
        connection.execute(prediction.insert().values(**row, written=now))


def sha_of_prediction(connection: Connection, run_id: str, role: str) -> str | None:
    """Of a role's prediction; ``None`` where nothing was predicted."""
    found: str | None = connection.scalar(
        sa.select(prediction.c.sha256).where(
            prediction.c.run_id == run_id, prediction.c.role == role
        )
    )
    return found


def get_prediction(connection: Connection, run_id: str, role: str) -> bytes | None:
    """What was predicted of a role, byte for byte; ``None`` for nothing.

    Raises:
        LedgerError: damaged.
    """
    sha = sha_of_prediction(connection, run_id, role)
    return None if sha is None else blobs.get(connection, sha)


def predictions_of(connection: Connection, run_id: str) -> dict[str, tuple[bytes, datetime]]:
    """Every prediction of a run and when it was written down, by role.

    Raises:
        LedgerError: damaged.
    """
    chosen = sa.select(prediction).where(prediction.c.run_id == run_id)
    return {
        row.role: (blobs.get(connection, row.sha256), row.written)
        for row in connection.execute(chosen.order_by(prediction.c.role))
    }
