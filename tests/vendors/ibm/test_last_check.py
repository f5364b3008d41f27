"""What is checked last, is checked when nothing but the request itself is left to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from backends.ibm.backend import IBMBackend
from backends.last_check import checked_last
from backends.loopback.ibm import API
from backends.vendor import Submission
from qhw.jobs.budget import Budget
from qhw.jobs.config import Patience
from qhw.jobs.desk import Desk
from qhw.jobs.intent import Plan, RunRequest, plan_jobs, write_intents
from qhw.jobs.ledger import Ledger
from qhw.jobs.records import JobRecord
from qhw.jobs.schema import job
from qhw.jobs.states import State
from qhw.jobs.work import reconcile
from tests.vendors.ibm.conftest import Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

TOKEN = "/identity/token"


class GoneError(ValueError):
    """Looks like a malformed answer to the clients, and is none."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def test_the_check_comes_after_login_and_serialisation(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    seen: list[list[str]] = []

    def check() -> None:
        seen.append([r.path for r in vendor.server.received if r.method == "POST"])
        if TOKEN in seen[-1]:
            raise GoneError("too late")

    with pytest.raises(GoneError, match="too late"), checked_last(check):
        backend.submit(order, "key")
    assert TOKEN in seen[-1]
    assert not vendor.jobs and not vendor.requests("POST", "/jobs")
    backend.submit(order, "key")
    assert len(vendor.jobs) == 1


def test_a_repeat_after_a_new_login_is_checked_too(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    backend.payload(order, "warm")
    vendor.platform.expire_tokens()
    posts: list[int] = []

    def check() -> None:
        posts.append(len(vendor.requests("POST", "/jobs")))
        if posts[-1]:
            raise GoneError

    with pytest.raises(GoneError), checked_last(check):
        backend.submit(order, "key")
    assert len(vendor.requests("POST", "/jobs")) == 1 and not vendor.jobs


def test_an_order_is_not_sent_once_another_has_the_job(
    vendor: Vendor, order: Submission, ledger: Ledger
) -> None:
    """The steps before the post outlast the lease, and another process takes the job."""
    backend: IBMBackend = vendor.connect()
    plan = Plan({"circuit": plan_jobs(backend, order)})
    (job_id,) = write_intents(ledger, backend, RunRequest("run-1"), plan, Budget(run_cap=10**9))
    hurried = Patience(visibility_s=0.0, lease_s=300.0, backoff_s=0.0)
    other = Desk(ledger, 300.0)
    submit = backend.submit
    taken: list[JobRecord | None] = []

    def slowly(submission: Submission, key: str) -> object:
        """The lease runs out somewhere in the client, before its login."""
        ended = ledger.now() - timedelta(seconds=1)
        ledger.write(lambda c: c.execute(sa.update(job).values(lease_until=ended)))
        taken.append(other.claim(job_id))
        return submit(submission, key)

    backend.submit = slowly  # type: ignore[assignment,method-assign]
    done = reconcile(ledger, lambda _: backend, patience=hurried)
    assert [record.state for record in taken if record] == [State.UNCERTAIN]
    assert done.busy == (job_id,)
    assert not vendor.jobs and not vendor.requests("POST", "/jobs")
    other.release(job_id)
    backend.submit = submit  # type: ignore[method-assign]
    for _ in range(3):
        reconcile(ledger, lambda _: backend, patience=hurried)
    assert len(vendor.jobs) == len(vendor.requests("POST", "/jobs")) == 1
    assert [r.path for r in vendor.server.received if r.method == "POST"].count(f"{API}/jobs") == 1
