"""Braket behind the real ledger: nothing paid for is lost, nothing is paid for twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backends.loopback.faults import Fault, Rule
from backends.vendor import Submission
from qhw.jobs.budget import Budget
from qhw.jobs.config import Patience
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import actual_micro, costs_of, jobs_of, row_counts
from qhw.jobs.records import JobRecord
from qhw.jobs.states import State
from qhw.jobs.work import reconcile, submit_run, watch
from tests.backends.circuits import product_circuit, product_distribution
from tests.vendors.braket.conftest import ANGLES, Vendor, distance, patience_for

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

RUN = RunRequest("run-1")
CAP = Budget(run_cap=50_000_000)
QUICK = Patience(visibility_s=0.0)
SHOTS = 2000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def state_of(ledger: Ledger) -> tuple[JobRecord, ...]:
    with ledger.read() as connection:
        return jobs_of(connection, RUN.id)


def finish(ledger: Ledger, vendor: Vendor) -> tuple[JobRecord, ...]:
    return watch(
        ledger,
        lambda _: vendor.connect(),
        RUN.id,
        patience=QUICK,
        timeout_s=120,
        sleep=lambda _: None,
    )


def assert_counts_are_right(ledger: Ledger, vendor: Vendor) -> None:
    (job,) = state_of(ledger)
    assert job.state is State.COMPLETE
    with ledger.read() as connection:
        found = row_counts(connection, (job,))
        paid = actual_micro(costs_of(connection, job.id))
    exact = np.array([product_distribution(row, (0, 1, 2)) for row in ANGLES])
    assert distance(found.counts, exact) < 2.5
    assert len(vendor.tasks) == 1
    assert paid == round(vendor.service.queue.billed_usd * 1e6)


@pytest.mark.parametrize("dedupe", [True, False])
@pytest.mark.parametrize("fault", [Fault.drop(after=True), Fault.drop(), Fault.hang(after=True)])
def test_lost_answers(ledger: Ledger, vendor: Vendor, fault: Fault, dedupe: bool) -> None:
    """With Amazon's deduplication and without, which nobody outside can know."""
    vendor.service.queue.behaviour.dedupe = dedupe
    backend = vendor.connect(patience=patience_for(fault))
    order = Submission(backend.compile(product_circuit(3)), ANGLES, SHOTS)
    vendor.faults.add(Rule("/quantum-task", fault))
    submit_run(ledger, backend, order, RUN, CAP, patience=QUICK)
    finish(ledger, vendor)
    assert_counts_are_right(ledger, vendor)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.answer(403, headers={"x-amzn-errortype": "ExpiredTokenException"}),
        Fault.answer(403, body=b"<Error><Code>ExpiredToken</Code></Error>"),
        Fault.answer(503),
        Fault.truncate(),
    ],
    ids=["expired", "expired in S3", "down", "truncated"],
)
def test_counts_that_cannot_be_fetched_now_are_fetched_later(
    ledger: Ledger, vendor: Vendor, fault: Fault
) -> None:
    backend = vendor.connect()
    order = Submission(backend.compile(product_circuit(3)), ANGLES, SHOTS)
    vendor.service.queue.hold()
    submit_run(ledger, backend, order, RUN, CAP, patience=QUICK)
    vendor.service.queue.release()
    vendor.wait()
    vendor.faults.add(Rule("/amazon-braket-loopback/.*", fault, times=None))
    reconcile(ledger, lambda _: vendor.connect(), patience=QUICK)
    assert not state_of(ledger)[0].state.final
    vendor.faults.clear()
    finish(ledger, vendor)
    assert_counts_are_right(ledger, vendor)
