"""IBM may let a job run up to its ``max_execution_time``: budgets hold that much; and places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.base import BackendError
from backends.ibm.program import IBMOptions
from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API
from backends.vendor import JobState, Submission
from qhw.jobs.budget import Budget
from qhw.jobs.config import Patience
from qhw.jobs.errors import BudgetError
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.money import to_micro
from qhw.jobs.queries import actual_micro, costs_of, jobs_of
from qhw.jobs.states import State
from qhw.jobs.work import reconcile, submit_run
from tests.vendors.ibm.conftest import Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

QUICK = Patience(visibility_s=0.05, backoff_s=0.01)


@pytest.fixture(autouse=True)
def own_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QHW_PRICES", raising=False)


def test_the_bound_of_the_post_is_the_bound_of_the_price(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    cost = backend.estimate(order)
    bound = json.loads(backend.payload(order, "key"))["cost"]
    assert cost.most_usd == pytest.approx(bound * 1.6)
    assert cost.qpu_seconds is not None and cost.qpu_seconds < bound


def test_jobs_that_use_all_their_time_do_not_pass_the_budget(
    vendor: Vendor, order: Submission, tmp_path: Path
) -> None:
    """Two estimates are within the cap, two bounds are not."""
    platform = vendor.platform
    platform.queue.slowness = 1000.0
    backend = vendor.connect()
    cost = backend.estimate(order)
    assert cost.most_usd is not None
    cap = cost.most_usd + cost.usd
    assert 2 * cost.usd < cap < 2 * cost.most_usd
    budget = Budget(run_cap=to_micro(cap))
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        platform.queue.hold()
        run = RunRequest("run-1")
        submit_run(ledger, backend, order, run, budget, role="a", patience=QUICK)
        with pytest.raises(BudgetError, match=r"up to .* would pass the cap of the run"):
            submit_run(ledger, backend, order, run, budget, role="b", patience=QUICK)
        with ledger.read() as connection:
            assert jobs_of(connection, "run-1")[0].charge_micro == to_micro(cost.most_usd)
        platform.queue.release()
        vendor.wait()
        reconcile(ledger, lambda _: backend, patience=QUICK)
        with ledger.read() as connection:
            (job,) = jobs_of(connection, "run-1")
            actual = actual_micro(costs_of(connection, job.id))
    assert len(vendor.jobs) == 1
    assert vendor.jobs[0].reason_code == 1305
    billed = platform.queue.billed_s * 1.6
    assert billed == pytest.approx(cost.most_usd)  # all of its time, and no more
    assert billed <= cap
    assert job.state is State.FAILED and "ran too long" in job.vendor_text
    assert job.charge_micro == actual == to_micro(billed)
    assert job.estimate_micro == to_micro(cost.usd)


def test_a_job_that_ibm_would_stop_is_not_sent(vendor: Vendor, order: Submission) -> None:
    slow = vendor.connect(options=IBMOptions(rep_delay_s=60.0))
    with pytest.raises(BackendError, match=r"at most 10800 s.*takes about 120\d\d s"):
        slow.validate(order)
    assert not vendor.requests("POST", "/jobs")


def test_what_was_not_used_is_free_for_others(
    vendor: Vendor, order: Submission, tmp_path: Path
) -> None:
    backend = vendor.connect()
    cost = backend.estimate(order)
    assert cost.most_usd is not None
    budget = Budget(run_cap=to_micro(cost.most_usd + cost.usd * 1.1))
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        for role in ("a", "b"):
            run = RunRequest("run-1")
            submit_run(ledger, backend, order, run, budget, role=role, patience=QUICK)
            vendor.wait()
            reconcile(ledger, lambda _: backend, patience=QUICK)
        with ledger.read() as connection:
            states = [job.state for job in jobs_of(connection, "run-1")]
    assert states == [State.COMPLETE, State.COMPLETE]


def test_places_in_the_queue(vendor: Vendor, order: Submission) -> None:
    vendor.platform.queue.hold()
    backend = vendor.connect()
    handles = [backend.submit(order, f"key-{i}") for i in range(3)]
    assert [backend.status(handle).queue_position for handle in handles] == [1, 2, 3]
    backend.cancel(handles[0])
    assert [backend.status(handle).queue_position for handle in handles] == [None, 1, 2]
    vendor.platform.tells_places = False  # as IBM does for some accounts
    status = backend.status(handles[1])
    assert (status.state, status.queue_position) == (JobState.QUEUED, None)


@pytest.mark.parametrize("fault", [Fault.answer(500), Fault.malformed(b"[]"), Fault.drop()])
def test_a_place_that_cannot_be_had_hides_no_state(
    vendor: Vendor, order: Submission, fault: Fault
) -> None:
    vendor.platform.queue.hold()
    backend = vendor.connect()
    handle = backend.submit(order, "key")
    vendor.faults.add(Rule(f"{API}/jobs/.*/metrics", fault, times=None))
    status = backend.status(handle)
    assert (status.state, status.queue_position) == (JobState.QUEUED, None)
