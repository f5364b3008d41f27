"""Whose clock says what must not decide who may send."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
import sqlalchemy as sa

from backends.vendor import JobHandle, Submission
from benchmarks.chaos.local import LocalVendor
from qhw.jobs import clock, desk
from qhw.jobs.config import Patience
from qhw.jobs.desk import Desk
from qhw.jobs.ledger import Ledger
from qhw.jobs.schema import attempt
from qhw.jobs.states import Attempt, State
from qhw.jobs.work import reconcile
from tests.jobs.conftest import small_submission
from tests.jobs.test_together import intents

ELSEWHERE = "far-away/1 1 1 abc"
DAY = timedelta(days=1)


class _Ahead(datetime):
    """A wall clock that is a day ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + DAY


class _Behind(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) - DAY


@pytest.mark.parametrize(("holder", "judge"), [(datetime, _Ahead), (_Behind, datetime)])
def test_wall_clocks_that_differ_make_no_second_holder(
    ledger: Ledger,
    vendor: LocalVendor,
    monkeypatch: pytest.MonkeyPatch,
    holder: type[datetime],
    judge: type[datetime],
) -> None:
    (job_id,) = intents(ledger, vendor, small_submission(vendor, rows=1))
    first, second = Desk(ledger, 300.0, owner=ELSEWHERE), Desk(ledger, 300.0)
    for module in (desk, clock):
        monkeypatch.setattr(module, "datetime", holder)
    assert first.claim(job_id) is not None
    for module in (desk, clock):
        monkeypatch.setattr(module, "datetime", judge)
    assert second.claim(job_id) is None


def test_a_lease_ends_on_the_ledgers_clock(ledger: Ledger, vendor: LocalVendor) -> None:
    (job_id,) = intents(ledger, vendor, small_submission(vendor, rows=1))
    first, second = Desk(ledger, 0.01, owner=ELSEWHERE), Desk(ledger, 300.0)
    assert first.claim(job_id) is not None
    time.sleep(0.05)
    assert second.claim(job_id) is not None


def test_the_ledgers_clock_goes_on_after_a_restart(ledger: Ledger) -> None:
    before = ledger.now()
    ledger.write(clock.set_clock)
    ledger.write(clock.set_clock)
    after = ledger.now()
    assert abs(after - before) < timedelta(minutes=5)
    assert after < ledger.now()
    assert abs(after - datetime.now(UTC)) < timedelta(minutes=5)


def test_time_slept_counts(
    ledger: Ledger, vendor: LocalVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine sleeps for an hour between the last look at the lease and the post."""
    intents(ledger, vendor, small_submission(vendor, rows=1))
    slept = [0.0]
    monkeypatch.setattr("qhw.jobs.engine.since_boot", lambda: time.monotonic() + slept[0])
    confirm = Desk.confirm_post

    def sleepy(*args: object) -> None:
        confirm(*args)  # type: ignore[arg-type]
        slept[0] += 3600.0

    monkeypatch.setattr(Desk, "confirm_post", sleepy)
    (record,) = reconcile(ledger, lambda _: vendor, patience=Patience()).jobs
    assert record.state is State.INTENDED and vendor.tasks() == ()
    with ledger.read() as connection:
        states = list(connection.scalars(sa.select(attempt.c.state)))
    assert states == [Attempt.UNSENT]
    monkeypatch.setattr(Desk, "confirm_post", confirm)
    reconcile(ledger, lambda _: vendor, patience=Patience())
    assert len(vendor.tasks()) == 1


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="no such clock here")
def test_the_clock_is_the_one_that_never_stops() -> None:
    low = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert low <= clock.since_boot() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_an_attempt_that_was_judged_meanwhile_is_not_posted(
    ledger: Ledger, vendor: LocalVendor
) -> None:
    (job_id,) = intents(ledger, vendor, small_submission(vendor, rows=1))

    class Robbed:
        def submit(self, submission: Submission, key: str) -> JobHandle:
            raise AssertionError("posted")

        def __getattr__(self, name: str) -> object:
            return getattr(vendor, name)

    def rob(step: str, _: object) -> None:
        if step == "about to post":
            judged = sa.update(attempt).values(state=Attempt.UNCERTAIN)
            ledger.write(lambda connection: connection.execute(judged))

    done = reconcile(ledger, lambda _: Robbed(), patience=Patience(), observe=rob)  # type: ignore[arg-type,return-value]
    assert done.busy == (job_id,)
