"""Ledgers of earlier schemas open, and lose nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import get_run, latest_jobs
from qhw.jobs.states import State

MOMENT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
MICROS = int(MOMENT.timestamp() * 1e6)


def make_first(connection: Connection) -> None:
    """A ledger of schema 0001 with one run of one job."""
    config = Config()
    with resources.as_file(resources.files("qhw.jobs").joinpath("migrations")) as folder:
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    rows = {
        "blob": {"sha256": "b", "size": 1, "data": b"x"},
        "circuit": {"id": "c", "qpy_sha256": "b", "facts": "{}"},
        "run": {
            "id": "run-1",
            "created": MICROS,
            "task": "t",
            "project": "p",
            "backend": "x:y",
            "settings": "{}",
            "command": "qhw run",
            "later_micro": 0,
        },
        "job": {
            "run_id": "run-1",
            "role": "decoder",
            "part": 0,
            "key": "qhw-1",
            "project": "p",
            "backend": "x:y",
            "circuit_id": "c",
            "angles_sha256": "b",
            "rows": 3,
            "shots": 100,
            "created": MICROS,
            "updated": MICROS,
            "state": "queued",
            "vendor_text": "",
            "cancel_requested": False,
            "estimate_micro": 250_000,
            "charge_micro": 250_000,
        },
    }
    for table, row in rows.items():
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), row)


def test_jobs_of_the_first_schema_reserve_their_estimate(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:  # the connection's own settings, and nothing else
        ledger.write(lambda connection: _drop_all(connection))
        ledger.write(make_first)
    with Ledger.open(ledger_url) as ledger, ledger.read() as connection:
        (job,) = latest_jobs(connection)
        assert not get_run(connection, "run-1").rehearsal
    assert (job.run_id, job.key, job.rows, job.state) == ("run-1", "qhw-1", 3, State.QUEUED)
    assert job.created == MOMENT
    assert (job.estimate_micro, job.charge_micro, job.reserve_micro) == (250_000,) * 3
    assert not job.rehearsal


def _drop_all(connection: Connection) -> None:
    found = sa.MetaData()
    found.reflect(connection)
    found.drop_all(connection)
