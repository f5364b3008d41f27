"""Several processes on one ledger: no double submission, no cap passed together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from backends.vendor import JobHandle, JobState, Submission
from benchmarks.chaos.local import LocalVendor
from qhw.jobs.budget import Budget
from qhw.jobs.config import Caps, Patience
from qhw.jobs.desk import Desk
from qhw.jobs.errors import BudgetError
from qhw.jobs.intent import Plan, RunRequest, plan_jobs, write_intents
from qhw.jobs.lease import is_held, new_owner
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import jobs_of, unfinished
from qhw.jobs.schema import job
from qhw.jobs.states import State
from qhw.jobs.work import reconcile, submit_run
from tests.jobs.conftest import QUICK, small_submission

FORK = multiprocessing.get_context("fork")
PROCESSES = 8


def together(target: Callable[[int], None]) -> list[int | None]:
    """Exit codes of eight processes that start at once."""
    begin = FORK.Barrier(PROCESSES)

    def body(number: int) -> None:
        begin.wait()
        target(number)

    processes = [FORK.Process(target=body, args=(number,)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def test_eight_processes_cannot_pass_a_cap_together(ledger_url: str, tmp_path: Path) -> None:
    vendor = LocalVendor(tmp_path / "vendor.db")
    submission = small_submission(vendor, rows=2)  # 0.20 usd
    budget = Budget(caps=Caps(per_day=650_000))

    def client(number: int) -> None:
        with Ledger.open(ledger_url) as ledger:  # the first to come makes the tables
            try:
                submit_run(
                    ledger, vendor, submission, RunRequest(f"run-{number}"), budget, patience=QUICK
                )
            except BudgetError:
                os._exit(3)

    assert sorted(together(client), key=str) == [0, 0, 0, 3, 3, 3, 3, 3]
    assert len(vendor.tasks()) == 3


def test_eight_processes_submit_a_run_once(ledger_url: str, tmp_path: Path) -> None:
    vendor = LocalVendor(tmp_path / "vendor.db")
    submission = small_submission(vendor, rows=5)
    for number in (0, 2):
        vendor.plan("submit", number, "drop_after")

    def client(_: int) -> None:
        with Ledger.open(ledger_url) as ledger:
            submit_run(
                ledger,
                vendor,
                submission,
                RunRequest("run-1"),
                Budget(run_cap=10**7),
                patience=QUICK,
            )
            for _ in range(20):
                reconcile(ledger, lambda _: vendor, patience=QUICK)
                time.sleep(0.02)

    assert together(client) == [0] * PROCESSES
    with Ledger.open(ledger_url) as ledger, ledger.read() as connection:
        assert [j.state for j in jobs_of(connection, "run-1")] == [State.COMPLETE] * 3
    assert len(vendor.tasks()) == 3
    assert len({task.key for task in vendor.tasks()}) == 3


def test_a_dead_process_blocks_nobody(ledger: Ledger, ledger_url: str, vendor: LocalVendor) -> None:
    ids = intents(ledger, vendor, small_submission(vendor, rows=1))
    patient = Patience(visibility_s=0.0, lease_s=3600.0)

    def dies(_: str, record: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def client(url: str) -> None:
        with Ledger.open(url) as own:
            reconcile(own, lambda _: vendor, patience=patient, observe=dies)

    process = FORK.Process(target=client, args=(ledger_url,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert lease_of(ledger, ids[0])[0] is not None
    done = reconcile(ledger, lambda _: vendor, patience=patient)
    assert done.busy == ()
    assert [record.state for record in done.jobs] == [State.RUNNING]


def test_a_live_holder_keeps_others_out(ledger: Ledger, vendor: LocalVendor) -> None:
    ids = intents(ledger, vendor, small_submission(vendor, rows=1))
    first, second = Desk(ledger, 3600.0), Desk(ledger, 3600.0)
    assert first.claim(ids[0]) is not None
    assert second.claim(ids[0]) is None
    assert reconcile(ledger, lambda _: vendor, patience=QUICK).busy == ids
    first.release(ids[0])
    assert second.claim(ids[0]) is not None


def test_a_holder_elsewhere_is_waited_for_until_its_lease_ends() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    elsewhere = "far-away/1 1 1 abc"
    assert is_held(elsewhere, now + timedelta(seconds=1), now)
    assert not is_held(elsewhere, now, now)
    assert not is_held(None, None, now)


def test_a_recycled_process_id_is_another_process() -> None:
    now = datetime.now(UTC)
    machine, pid, start, token = new_owner().split(" ")
    later = now + timedelta(hours=1)
    assert is_held(f"{machine} {pid} {start} {token}", later, now)
    assert not is_held(f"{machine} {pid} {start}1 {token}", later, now)


def test_a_post_that_came_back_too_late_is_an_extra_copy(
    ledger: Ledger, vendor: LocalVendor
) -> None:
    """A process sleeps in its post; another concludes absence, posts, and the first wakes up."""
    (job_id,) = intents(ledger, vendor, small_submission(vendor, rows=1))
    nobody_waits = Patience(visibility_s=0.0, lease_s=2.0, backoff_s=0.0)

    def meanwhile() -> None:
        time.sleep(2.1)
        reconcile(ledger, lambda _: vendor, patience=nobody_waits)

    sleepy = Sleepy(vendor, meanwhile)
    done = reconcile(ledger, lambda _: sleepy, patience=nobody_waits)  # type: ignore[arg-type,return-value]
    assert done.busy == (job_id,)
    kept, late = vendor.tasks()
    assert (kept.state, late.state) == (JobState.RUNNING, JobState.CANCELLED)
    for _ in range(5):
        reconcile(ledger, lambda _: vendor, patience=nobody_waits)
    with ledger.read() as connection:
        assert unfinished(connection) == ()
        assert [j.state for j in jobs_of(connection, "run-1")] == [State.COMPLETE]
        assert [j.charge_micro for j in jobs_of(connection, "run-1")] == [100_000]


class Sleepy:
    """A client whose process is stopped between deciding to post and posting."""

    def __init__(self, vendor: LocalVendor, meanwhile: Callable[[], object]) -> None:
        self._vendor = vendor
        self._meanwhile = meanwhile

    def submit(self, submission: Submission, key: str) -> JobHandle:
        self._meanwhile()
        return self._vendor.submit(submission, key)

    def __getattr__(self, name: str) -> object:
        return getattr(self._vendor, name)


def intents(ledger: Ledger, vendor: LocalVendor, submission: Submission) -> tuple[int, ...]:
    return write_intents(
        ledger,
        vendor,
        RunRequest("run-1"),
        Plan({"circuit": plan_jobs(vendor, submission)}),
        Budget(run_cap=10**7),
    )


def lease_of(ledger: Ledger, job_id: int) -> tuple[str | None, datetime | None]:
    with ledger.read() as connection:
        row = connection.execute(
            sa.select(job.c.lease_owner, job.c.lease_until).where(job.c.id == job_id)
        ).one()
    return row.lease_owner, row.lease_until


@pytest.mark.parametrize("scope", ["run", "day", "project"])
def test_each_cap_holds(ledger: Ledger, vendor: LocalVendor, scope: str) -> None:
    budgets = {
        "run": Budget(run_cap=300_000),
        "day": Budget(caps=Caps(per_day=300_000)),
        "project": Budget(caps=Caps(per_project=10**9, projects={"p": 300_000})),
    }

    def submit(role: str) -> None:
        submit_run(
            ledger,
            vendor,
            small_submission(vendor, rows=2),
            RunRequest("run-1", project="p"),
            budgets[scope],
            role=role,
            patience=QUICK,
        )

    submit("encoder")
    with pytest.raises(BudgetError, match=rf"cap of the {scope}.*0\.30 usd.*0\.20 usd are spent"):
        submit("decoder")
    assert len(vendor.tasks()) == 1


def test_what_is_reserved_for_later_counts(ledger: Ledger, vendor: LocalVendor) -> None:
    def submit(run: str, role: str, later: int) -> None:
        submit_run(
            ledger,
            vendor,
            small_submission(vendor, rows=1),
            RunRequest(run),
            Budget(caps=Caps(per_day=250_000)),
            role=role,
            later_micro=later,
            patience=QUICK,
        )

    submit("run-1", "encoder", 100_000)
    with pytest.raises(BudgetError, match=r"0\.20 usd are spent or committed"):
        submit("run-2", "encoder", 0)
    submit("run-1", "decoder", 0)
    assert len(vendor.tasks()) == 2
