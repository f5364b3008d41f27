"""Ledgers of earlier schemas open, and lose nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from qhw.jobs.desk import Desk, attempts_of
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


def test_an_id_that_two_older_jobs_have_stays_with_both(ledger_url: str) -> None:
    """Version 0.1.0 could store it; from now on the first has it, and no other job gets it."""
    with Ledger.open(ledger_url) as ledger:
        ledger.write(lambda connection: _drop_all(connection))
        ledger.write(make_first)
        ledger.write(_same_id_twice)
    with Ledger.open(ledger_url) as ledger:
        with ledger.read() as connection:
            found = [a for job in (1, 2) for a in attempts_of(connection, job)]
        assert [(a.vendor_id, a.repeated) for a in found] == [("d1", False), ("d1", True)]
        assert Desk(ledger, 60.0).owners(["d1", "d2"]) == {"d1": 1}
        with pytest.raises(IntegrityError):
            ledger._engine.connect().execute(
                sa.text("UPDATE attempt SET repeated = false WHERE id = 2")
            )


def _same_id_twice(connection: Connection) -> None:
    connection.execute(
        sa.text(
            "INSERT INTO job (run_id, role, part, key, project, backend, circuit_id, "
            "angles_sha256, rows, shots, created, updated, state, vendor_text, cancel_requested, "
            "estimate_micro, charge_micro) SELECT run_id, role, 1, 'qhw-2', project, backend, "
            "circuit_id, angles_sha256, rows, shots, created, updated, state, vendor_text, "
            "cancel_requested, estimate_micro, charge_micro FROM job"
        )
    )
    for job in (1, 2):
        connection.execute(
            sa.text(
                "INSERT INTO attempt (job_id, created, state, vendor_id, vendor_text, settled) "
                "VALUES (:job, :made, 'kept', 'd1', '', false)"
            ),
            {"job": job, "made": MICROS},
        )


def _drop_all(connection: Connection) -> None:
    found = sa.MetaData()
    found.reflect(connection)
    found.drop_all(connection)
