"""A ledger of a hundred thousand jobs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks.chaos.local import LocalVendor
from benchmarks.ledger_fill import fill
from qhw.jobs.budget import Budget
from qhw.jobs.intent import Plan, RunRequest, plan_jobs, write_intents
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import count_by_state, latest_jobs, unfinished
from qhw.jobs.states import State
from tests.jobs.conftest import small_submission

JOBS = 100_000


@pytest.mark.slow
def test_a_hundred_thousand_jobs_list_in_a_second(ledger: Ledger, vendor: LocalVendor) -> None:
    jobs = plan_jobs(vendor, small_submission(vendor, rows=1))
    write_intents(
        ledger, vendor, RunRequest("run-1"), Plan({"circuit": jobs}), Budget(run_cap=10**9)
    )
    fill(ledger, JOBS)
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


@pytest.fixture
def work_done() -> Iterator[list[int]]:
    """Hundreds of steps of SQLite's virtual machine since the start, in its only item."""
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    def watch(raw: Any, record: object) -> None:
        raw.set_progress_handler(count, 100)

    sa.event.listen(sa.Engine, "connect", watch)
    yield steps
    sa.event.remove(sa.Engine, "connect", watch)


def test_a_submission_among_many_does_no_more_than_among_few(
    tmp_path: Path, vendor: LocalVendor, work_done: list[int]
) -> None:
    plan = Plan({"circuit": plan_jobs(vendor, small_submission(vendor, rows=1))})
    cap, taken = Budget(run_cap=10**9), []
    for total in (10, 20_000):
        with Ledger.open(f"sqlite:///{tmp_path / f'{total}.db'}") as ledger:
            write_intents(ledger, vendor, RunRequest("run-1"), plan, cap)
            fill(ledger, total)
            before = work_done[0]
            write_intents(ledger, vendor, RunRequest("run-2"), plan, cap)
            taken.append(work_done[0] - before)
    assert taken[1] < taken[0] + 20, "reading every job takes thousands"


@pytest.mark.slow
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("vendor", ["ibm", "braket"])
def test_a_thousand_molecules(vendor: str) -> None:
    """The kept command, with its own processes; what it asserts itself is not asserted again."""
    command = [sys.executable, "-m", "benchmarks.throughput", "--json", "--vendor", vendor]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    assert figures["molecules"]["molecules"] == 1000
    assert figures["molecules"]["own_total_s"] < 60
    assert figures["molecules"]["peak_mb"] < 1000
    assert figures["ledger"]["jobs"] == JOBS
    assert figures["ledger"]["questions_s"] < 1
