"""A ledger of a hundred thousand jobs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from benchmarks.chaos.local import LocalVendor
from qhw.jobs.budget import Budget
from qhw.jobs.intent import RunRequest, plan_jobs, write_intents
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import count_by_state, latest_jobs, unfinished
from qhw.jobs.schema import job
from qhw.jobs.states import State
from tests.jobs.conftest import small_submission

JOBS = 100_000


@pytest.mark.slow
def test_a_hundred_thousand_jobs_list_in_a_second(ledger: Ledger, vendor: LocalVendor) -> None:
    jobs = plan_jobs(vendor, small_submission(vendor, rows=1))
    write_intents(ledger, vendor, RunRequest("run-1"), "circuit", jobs, Budget(run_cap=10**9))
    fill(ledger)
    start = time.perf_counter()
    with ledger.read() as connection:
        newest = latest_jobs(connection, limit=50)
        totals = count_by_state(connection)
        left = unfinished(connection)
    took = time.perf_counter() - start
    assert [j.part for j in newest] == list(range(JOBS - 1, JOBS - 51, -1))
    assert totals == {State.INTENDED: 1, State.COMPLETE: JOBS - 1}
    assert len(left) == 1
    assert took < 1.0


def test_a_submission_among_many_is_quick(tmp_path: Path, vendor: LocalVendor) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        jobs = plan_jobs(vendor, small_submission(vendor, rows=1))
        cap = Budget(run_cap=10**9)
        write_intents(ledger, vendor, RunRequest("run-1"), "circuit", jobs, cap)
        fill(ledger, 20_000)
        start = time.perf_counter()
        write_intents(ledger, vendor, RunRequest("run-2"), "circuit", jobs, cap)
        assert time.perf_counter() - start < 1.0


def fill(ledger: Ledger, total: int = JOBS) -> None:
    """Copies of the first job, finished, a second apart."""

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
