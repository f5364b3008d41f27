"""A ledger with many jobs, for measurements of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from qhw.jobs.ledger import Ledger
from qhw.jobs.schema import job
from qhw.jobs.states import State


def fill(ledger: Ledger, total: int) -> None:
    """Copies of the ledger's only job, finished, a second apart, until there are ``total``."""

    def work(connection: Connection) -> None:
        first = dict(connection.execute(job.select()).one()._mapping)
        del first["id"]
        now = datetime.now(UTC)
        rows = [
            first
            | {
                "part": part,
                "key": f"key-{part}",
                "state": State.COMPLETE,
                "charge_micro": 0,
                "created": now + timedelta(seconds=part),
            }
            for part in range(1, total)
        ]
        connection.execute(job.insert(), rows)

    ledger.write(work)
