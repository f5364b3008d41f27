"""A job's way through the ledger: plain, and with each thing that can go wrong."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backends.base import BackendError
from backends.vendor import JobHandle, JobState, Usage
from benchmarks.chaos.local import LATE_S, LocalVendor
from qhw.jobs.budget import Budget
from qhw.jobs.config import Patience
from qhw.jobs.errors import BudgetError
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import (
    actual_micro,
    charged_micro,
    costs_of,
    jobs_of,
    raw_payload,
    row_counts,
    unfinished,
)
from qhw.jobs.records import JobRecord
from qhw.jobs.states import State
from qhw.jobs.work import reconcile, request_cancel, submit_run, watch
from tests.jobs.conftest import QUICK, small_submission

RUN = RunRequest("run-1", settings='{"shots": 100}')
CAP = Budget(run_cap=10_000_000)


def submit(ledger: Ledger, vendor: LocalVendor, rows: int = 2, patience: Patience = QUICK) -> None:
    submit_run(ledger, vendor, small_submission(vendor, rows), RUN, CAP, patience=patience)


def finish(ledger: Ledger, vendor: LocalVendor) -> tuple[JobRecord, ...]:
    return watch(
        ledger,
        lambda _: vendor,
        RUN.id,
        patience=QUICK,
        timeout_s=600,
        sleep=lambda _: time.sleep(0.02),
    )


def jobs(ledger: Ledger) -> tuple[JobRecord, ...]:
    with ledger.read() as connection:
        return jobs_of(connection, RUN.id)


def charged(ledger: Ledger) -> list[int | None]:
    """What each job of the run was charged, where that is known."""
    with ledger.read() as connection:
        return list(charged_micro(connection, jobs_of(connection, RUN.id)).values())


def test_counts_come_back_row_by_row(ledger: Ledger, vendor: LocalVendor) -> None:
    submission = small_submission(vendor, rows=5)
    submit_run(ledger, vendor, submission, RUN, CAP, patience=QUICK)
    assert {job.state for job in jobs(ledger)} == {State.RUNNING}
    done = finish(ledger, vendor)
    assert [job.state for job in done] == [State.COMPLETE] * 3
    assert [job.rows for job in done] == [2, 2, 1]
    with ledger.read() as connection:
        got = row_counts(connection, done)
        raw = raw_payload(connection, done[0].id)
    expected = np.concatenate([vendor.true_counts(t.id) for t in vendor.tasks()])
    np.testing.assert_array_equal(got.counts, expected)
    np.testing.assert_array_equal(got.angles, submission.angles)
    assert got.row_errors == {}
    assert got.compiled.circuit == submission.compiled.circuit
    assert got.compiled.parameter_names == submission.compiled.parameter_names
    assert raw == vendor.true_counts("1").tobytes()
    assert {t.key for t in vendor.tasks()} == {job.key for job in done}


def test_actual_cost_takes_the_estimates_place(ledger: Ledger, vendor: LocalVendor) -> None:
    submit(ledger, vendor)
    assert jobs(ledger)[0].charge_micro == 200_000
    assert charged(ledger) == [None]  # that is what is reserved
    done = finish(ledger, vendor)
    assert charged(ledger) == [200_000]
    with ledger.read() as connection:
        costs = costs_of(connection, done[0].id)
    assert [(c.kind, c.micro) for c in costs] == [("estimate", 200_000), ("actual", 200_000)]
    assert actual_micro(costs) == 200_000


class Silent(LocalVendor):
    """Never says what a job cost."""

    def usage(self, handle: JobHandle) -> Usage:
        return replace(super().usage(handle), usd=None)


def test_what_the_vendor_does_not_tell_is_not_known(ledger: Ledger, tmp_path: Path) -> None:
    silent = Silent(tmp_path / "silent.db")
    submit(ledger, silent, rows=3)
    assert {job.state for job in finish(ledger, silent)} == {State.COMPLETE}
    assert charged(ledger) == [None, None]
    assert [job.charge_micro for job in jobs(ledger)] == [200_000, 100_000]  # stays reserved


def test_the_intent_is_committed_before_anything_is_sent(
    ledger: Ledger, vendor: LocalVendor
) -> None:
    seen: list[tuple[str, State, int]] = []

    def look(step: str, record: JobRecord) -> None:
        del record
        if step == "about to post":
            stored = jobs(ledger)[0]
            seen.append((stored.key, stored.state, len(vendor.tasks())))

    submit_run(ledger, vendor, small_submission(vendor, 2), RUN, CAP, patience=QUICK, observe=look)
    assert seen == [(vendor.tasks()[0].key, State.SENDING, 0)]


@pytest.mark.parametrize("fault", ["drop_after", "late"])
def test_a_lost_answer_is_adopted_and_not_sent_again(
    ledger: Ledger, vendor: LocalVendor, fault: str
) -> None:
    vendor.plan("submit", 0, fault)
    vendor.plan("find", 0, "unavailable")
    submit(ledger, vendor)
    assert jobs(ledger)[0].state is State.UNCERTAIN
    assert "503" in jobs(ledger)[0].vendor_text
    assert QUICK.visibility_s > LATE_S
    assert [job.state for job in finish(ledger, vendor)] == [State.COMPLETE]
    assert vendor.calls("submit") == 1
    assert len(vendor.tasks()) == 1


def test_uncertain_stays_uncertain_while_the_vendor_cannot_be_asked(
    ledger: Ledger, vendor: LocalVendor
) -> None:
    vendor.plan("submit", 0, "drop_before")
    for number in range(6):
        vendor.plan("find", number, "unavailable")
    submit(ledger, vendor)
    for _ in range(5):
        reconcile(ledger, lambda _: vendor, patience=QUICK)
        assert jobs(ledger)[0].state is State.UNCERTAIN
    assert vendor.calls("submit") == 1
    assert [job.state for job in finish(ledger, vendor)] == [State.COMPLETE]
    assert vendor.calls("submit") == 2
    assert len(vendor.tasks()) == 1


def test_absence_is_not_concluded_before_the_vendor_would_show_it(
    ledger: Ledger, vendor: LocalVendor
) -> None:
    slow = Patience(visibility_s=3600.0)
    vendor.plan("submit", 0, "drop_before")
    submit(ledger, vendor, patience=slow)
    for _ in range(3):
        reconcile(ledger, lambda _: vendor, patience=slow)
    assert jobs(ledger)[0].state is State.UNCERTAIN
    assert vendor.calls("submit") == 1


def test_refusals_are_tried_again_then_given_up(ledger: Ledger, vendor: LocalVendor) -> None:
    vendor.plan("submit", 0, "refuse")
    submit(ledger, vendor, rows=2)
    assert [job.state for job in finish(ledger, vendor)] == [State.COMPLETE]
    assert len(vendor.tasks()) == 1


def test_a_job_refused_for_good_costs_nothing(ledger: Ledger, vendor: LocalVendor) -> None:
    for number in range(QUICK.attempts):
        vendor.plan("submit", number, "refuse")
    submit(ledger, vendor, rows=3)
    first, second = finish(ledger, vendor)
    assert (first.state, second.state) == (State.COMPLETE, State.COMPLETE) or (
        first.state is State.REFUSED and first.vendor_text == "429: too many requests"
    )
    refused = [job for job in jobs(ledger) if job.state is State.REFUSED]
    assert all(job.charge_micro == 0 for job in refused)
    assert None not in charged(ledger)
    assert vendor.calls("submit") == QUICK.attempts + len(vendor.tasks())


def test_one_copy_too_many_is_cancelled_and_known(ledger: Ledger, vendor: LocalVendor) -> None:
    vendor.plan("submit", 0, "copy")
    submit(ledger, vendor)
    assert [job.state for job in finish(ledger, vendor)] == [State.COMPLETE]
    states = [task.state for task in vendor.tasks()]
    assert states == [JobState.DONE, JobState.CANCELLED]
    with ledger.read() as connection:
        costs = costs_of(connection, jobs(ledger)[0].id)
    assert sorted(c.micro or 0 for c in costs if c.kind == "actual") == [0, 200_000]
    assert jobs(ledger)[0].charge_micro == 200_000
    assert charged(ledger) == [200_000]


def test_a_failed_row_hides_no_other(ledger: Ledger, vendor: LocalVendor) -> None:
    vendor.plan("submit", 0, "bad_row")
    submit(ledger, vendor, rows=2)
    done = finish(ledger, vendor)
    assert done[0].state is State.PARTIAL
    with ledger.read() as connection:
        got = row_counts(connection, done)
    assert got.row_errors == {0: "row 0: laser lost lock"}
    np.testing.assert_array_equal(got.counts[1], vendor.true_counts("1")[1])


def test_a_failed_job_hides_no_other(ledger: Ledger, vendor: LocalVendor) -> None:
    vendor.plan("submit", 0, "fails")
    submit(ledger, vendor, rows=4)
    done = finish(ledger, vendor)
    assert [job.state for job in done] == [State.FAILED, State.COMPLETE]
    assert done[0].vendor_text == "FAILED calibration lost at 03:12"
    assert done[0].charge_micro == 0
    with ledger.read() as connection:
        got = row_counts(connection, done)
    assert sorted(got.row_errors) == [0, 1]
    assert got.counts[2:].sum() == 200


@pytest.mark.parametrize("operation", ["status", "fetch", "usage", "find"])
def test_unanswered_questions_are_asked_again(
    ledger: Ledger, vendor: LocalVendor, operation: str
) -> None:
    vendor.plan(operation, 0, "unavailable")  # type: ignore[arg-type]
    submit(ledger, vendor)
    assert [job.state for job in finish(ledger, vendor)] == [State.COMPLETE]


def test_garbage_is_not_taken_for_a_result(ledger: Ledger, vendor: LocalVendor) -> None:
    vendor.plan("fetch", 0, "garbage")
    submit(ledger, vendor)
    for _ in range(2):
        reconcile(ledger, lambda _: vendor, patience=QUICK)
    assert jobs(ledger)[0].state is State.FINISHED
    assert jobs(ledger)[0].vendor_text == "the result is not JSON: unexpected end"
    assert [job.state for job in finish(ledger, vendor)] == [State.COMPLETE]


def test_cancel_before_and_after_sending(ledger: Ledger, vendor: LocalVendor) -> None:
    vendor.plan("submit", 1, "drop_before")
    submit(ledger, vendor, rows=3, patience=Patience(visibility_s=0.05))
    assert request_cancel(ledger, RUN.id) == 2
    done = finish(ledger, vendor)
    assert [job.state for job in done] == [State.CANCELLED, State.CANCELLED]
    assert [job.charge_micro for job in done] == [0, 0]
    assert charged(ledger) == [0, 0]
    assert [task.state for task in vendor.tasks()] == [JobState.CANCELLED]


def test_budget_refuses_before_anything_is_sent(ledger: Ledger, vendor: LocalVendor) -> None:
    with pytest.raises(BudgetError, match=r"0\.30 usd would pass the cap of the run, 0\.20 usd"):
        submit_run(ledger, vendor, small_submission(vendor), RUN, Budget(run_cap=200_000))
    assert vendor.tasks() == ()
    assert jobs(ledger) == ()


def test_a_paid_run_needs_a_cap(ledger: Ledger, vendor: LocalVendor) -> None:
    with pytest.raises(BudgetError, match="no cap is set"):
        submit_run(ledger, vendor, small_submission(vendor), RUN, Budget())
    assert vendor.tasks() == ()


def test_what_the_device_refuses_is_not_written_down(ledger: Ledger, vendor: LocalVendor) -> None:
    with pytest.raises(BackendError, match="at most 100000"):
        submit_run(ledger, vendor, small_submission(vendor, shots=100_001), RUN, CAP)
    assert jobs(ledger) == ()


def test_submitting_the_same_run_again_sends_nothing(ledger: Ledger, vendor: LocalVendor) -> None:
    submit(ledger, vendor)
    submit(ledger, vendor)
    finish(ledger, vendor)
    submit(ledger, vendor)
    assert len(vendor.tasks()) == 1
    with ledger.read() as connection:
        assert unfinished(connection) == ()


def test_created_moments_are_utc_and_ordered(ledger: Ledger, vendor: LocalVendor) -> None:
    submit(ledger, vendor, rows=5)
    moments = [job.created for job in jobs(ledger)]
    assert moments == sorted(moments)
    assert all(moment.tzinfo is UTC for moment in moments)
    assert abs((datetime.now(UTC) - moments[0]).total_seconds()) < 60
