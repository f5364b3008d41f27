"""Everything that can go wrong between us and IBM: what we say, and how many jobs there are."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from backends.base import BackendError, UnknownBackendError
from backends.bounded_http import Patience
from backends.ibm.backend import IBMBackend
from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API
from backends.vendor import (
    CredentialsError,
    JobState,
    Submission,
    SubmissionRefused,
    SubmissionUncertain,
    VendorUnavailable,
)
from tests.vendors.ibm.conftest import PATIENCE, Vendor, lasting, patience_for

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

NOW = datetime.now(UTC)
JOBS = f"{API}/jobs"
ONE_JOB = f"{JOBS}/[^/]+"
BOUND_S = 50.0
"""No call may take longer with the patience of these tests."""


def ready(vendor: Vendor, order: Submission, patience: Patience = PATIENCE) -> IBMBackend:
    """A backend that has its login and calibration, so that only the tested call is left."""
    backend = vendor.connect(patience=patience)
    backend.payload(order, "warm")
    return backend


REFUSED = [
    *(Fault.answer(status) for status in (400, 403, 404, 409, 413, 422)),
    Fault.throttle(),
    Fault.throttle(1),
]
UNCERTAIN = [
    *((Fault.answer(status), 0) for status in (500, 502, 503, 504, 522, 408)),
    *((Fault.answer(status, after=True), 1) for status in (500, 503, 504)),
    (Fault.drop(), 0),
    (Fault.drop(after=True), 1),
    (Fault.hang(), 0),
    (Fault.hang(after=True), 1),
    (Fault.truncate(), 1),
    (Fault.drip(0.2), 1),
    (Fault.malformed(), 1),
    (Fault.malformed(b"[]"), 1),
    (Fault.malformed(b'{"backend": "ibm_lagos"}'), 1),
]


def named(value: object) -> str | None:
    if isinstance(value, Fault):
        status = value.status if value.kind == "answer" else ""
        return f"{value.kind}{status}{'-after' if value.after else ''}"
    return None


@pytest.mark.parametrize("fault", REFUSED, ids=named)
def test_refused_submission(vendor: Vendor, order: Submission, fault: Fault) -> None:
    backend = ready(vendor, order)
    vendor.faults.add(Rule(JOBS, fault, "POST"))
    with pytest.raises(SubmissionRefused, match=str(fault.status)):
        backend.submit(order, "key")
    assert len(vendor.requests("POST", "/jobs")) == 1
    assert not vendor.jobs
    assert backend.find("key", NOW) == ()


@pytest.mark.parametrize(("fault", "accepted"), UNCERTAIN, ids=named)
def test_uncertain_submission(
    vendor: Vendor, order: Submission, fault: Fault, accepted: int
) -> None:
    backend = ready(vendor, order, patience_for(fault))
    vendor.faults.add(Rule(JOBS, fault, "POST", times=None))
    started = time.monotonic()
    with pytest.raises(SubmissionUncertain):
        backend.submit(order, "key")
    assert time.monotonic() - started < BOUND_S
    assert len(vendor.requests("POST", "/jobs")) == 1
    assert len(vendor.jobs) == accepted
    assert [handle.vendor_id for handle in backend.find("key", NOW)] == [j.id for j in vendor.jobs]


def test_late_answer_is_an_answer(vendor: Vendor, order: Submission) -> None:
    backend = ready(vendor, order)
    vendor.faults.add(Rule(JOBS, Fault.delay(0.3), "POST"))
    handle = backend.submit(order, "key")
    assert [job.id for job in vendor.jobs] == [handle.vendor_id]


def test_nobody_listens(vendor: Vendor, order: Submission) -> None:
    backend = ready(vendor, order)
    vendor.server.stop()
    with pytest.raises(SubmissionRefused, match="could not be reached"):
        backend.submit(order, "key")
    with pytest.raises(VendorUnavailable):
        backend.find("key", NOW)


def test_login_that_ended_is_renewed(vendor: Vendor, order: Submission) -> None:
    backend = ready(vendor, order)
    vendor.platform.expire_tokens()
    handle = backend.submit(order, "key")
    assert len(vendor.jobs) == 1
    vendor.platform.expire_tokens()
    vendor.wait()
    assert backend.status(handle).state is JobState.DONE


def test_login_that_is_never_taken(vendor: Vendor, order: Submission) -> None:
    backend = ready(vendor, order)
    vendor.faults.add(Rule(f"{API}/.*", Fault.answer(401), times=None))
    with pytest.raises(SubmissionRefused, match="QISKIT_IBM_TOKEN"):
        backend.submit(order, "key")
    with pytest.raises(CredentialsError, match="QISKIT_IBM_TOKEN"):
        backend.find("key", NOW)
    assert not vendor.jobs


def test_device_that_went_offline(vendor: Vendor, order: Submission) -> None:
    backend = ready(vendor, order)
    vendor.platform.offline.add("ibm_lagos")
    with pytest.raises(SubmissionRefused, match="offline"):
        backend.submit(order, "key")
    assert not vendor.jobs


PASSING = [
    Fault.answer(503),
    Fault.answer(500),
    Fault.throttle(),
    Fault.throttle(1),
    Fault.drop(),
    Fault.hang(),
    Fault.truncate(),
    Fault.malformed(),
]


@pytest.mark.parametrize("fault", PASSING, ids=named)
def test_questions_are_put_again(vendor: Vendor, order: Submission, fault: Fault) -> None:
    backend = ready(vendor, order, lasting(patience_for(fault)))
    handle = backend.submit(order, "key")
    vendor.wait()
    vendor.faults.add(
        Rule(ONE_JOB, fault, "GET", times=1 if fault.kind == "hang" or fault.headers else 2),
        Rule(f"{ONE_JOB}/results", fault, "GET"),
        Rule(JOBS, fault, "GET"),
    )
    assert backend.status(handle).state is JobState.DONE
    assert backend.fetch(handle, order).counts.sum() == 200
    assert [found.vendor_id for found in backend.find("key", NOW)] == [handle.vendor_id]


@pytest.mark.parametrize(
    "fault",
    [
        *PASSING,
        Fault.throttle(3600),
        pytest.param(Fault.drip(0.3), marks=pytest.mark.slow),
        Fault.answer(200),
    ],
    ids=named,
)
def test_questions_end(vendor: Vendor, order: Submission, fault: Fault) -> None:
    backend = ready(vendor, order, patience_for(fault))
    handle = backend.submit(order, "key")
    vendor.wait()
    vendor.faults.add(Rule(f"{JOBS}.*", fault, times=None))
    for question in (lambda: backend.find("key", NOW), lambda: backend.fetch(handle, order)):
        started = time.monotonic()
        with pytest.raises(VendorUnavailable):
            question()
        assert time.monotonic() - started < BOUND_S
    vendor.faults.clear()
    assert backend.fetch(handle, order).counts.sum() == 200


def test_nothing_found_is_only_said_when_it_was_asked(vendor: Vendor, order: Submission) -> None:
    backend = ready(vendor, order)
    for body in (b"{}", b'{"jobs": []}', b'{"jobs": null, "count": 0}', b"[]"):
        vendor.faults.clear()
        vendor.faults.add(Rule(JOBS, Fault.malformed(body), "GET", times=None))
        with pytest.raises(VendorUnavailable):
            backend.find("key", NOW)


def test_states_out_of_order(vendor: Vendor, order: Submission) -> None:
    backend = ready(vendor, order)
    handle = backend.submit(order, "key")
    vendor.wait()
    vendor.platform.report_states("Running", "Queued", "Pondering", "Running")
    seen = [backend.status(handle) for _ in range(5)]
    assert [s.state.final for s in seen] == [False] * 4 + [True]
    assert seen[2].vendor_text == "Pondering"
    vendor.platform.report_states("Running")
    with pytest.raises(VendorUnavailable, match="not finished"):
        backend.fetch(handle, order)


def test_results_that_come_late_or_torn(vendor: Vendor, order: Submission) -> None:
    backend = ready(vendor, order)
    handle = backend.submit(order, "key")
    vendor.wait()
    vendor.faults.add(Rule(f"{ONE_JOB}/results", Fault.answer(204)))
    assert backend.fetch(handle, order).counts.sum() == 200
    whole = json.dumps(vendor.jobs[0].result).encode()
    vendor.faults.add(
        Rule(f"{ONE_JOB}/results", Fault.malformed(whole[: len(whole) // 2]), times=None)
    )
    with pytest.raises(VendorUnavailable):
        backend.fetch(handle, order)


def test_find_takes_only_its_own_and_every_page(vendor: Vendor, order: Submission) -> None:
    backend = ready(vendor, order)
    vendor.platform.queue.hold()
    body = json.loads(backend.payload(order, "mine"))
    mine = [vendor.platform.queue.accept(body).id for _ in range(230)]
    other = vendor.platform.queue.accept({**body, "tags": ["other"]})
    assert [handle.vendor_id for handle in backend.find("mine", NOW)] == mine
    # a service that ignores the filter
    answer = json.dumps({"jobs": [other.document()], "count": 1}).encode()
    vendor.faults.add(Rule(JOBS, Fault.malformed(answer), "GET"))
    assert backend.find("mine", NOW) == ()


def test_queue_that_never_moves_is_a_state(vendor: Vendor, order: Submission) -> None:
    vendor.platform.queue.hold()
    backend = ready(vendor, order)
    handle = backend.submit(order, "key")
    assert backend.status(handle).state is JobState.QUEUED
    # another process, later
    again = vendor.connect()
    (found,) = again.find("key", NOW)
    vendor.platform.queue.release()
    vendor.wait()
    assert again.fetch(found, order).counts.sum() == 200


@pytest.mark.parametrize("path", ["", "/ibm_lagos/configuration", "/ibm_lagos/properties"])
@pytest.mark.parametrize(
    "fault",
    [Fault.answer(500), Fault.malformed(), Fault.malformed(b"{}"), Fault.malformed(b"null")],
    ids=["500", "html", "empty", "null"],
)
def test_device_that_cannot_be_read(
    vendor: Vendor, order: Submission, path: str, fault: Fault
) -> None:
    backend = vendor.connect()
    vendor.faults.add(Rule(f"{API}/backends{path}", fault, times=None))
    with pytest.raises(BackendError):
        _ = backend.snapshot
    with pytest.raises(SubmissionRefused):
        backend.submit(order, "key")
    assert not vendor.requests("POST", "/jobs")
    vendor.faults.clear()
    assert backend.snapshot.n_qubits == 7


def test_account_without_rights(vendor: Vendor) -> None:
    vendor.faults.add(Rule(f"{API}/backends", Fault.answer(403), times=None))
    with pytest.raises(CredentialsError, match="403"):
        _ = vendor.connect().snapshot


def test_account_without_devices(vendor: Vendor) -> None:
    vendor.faults.add(Rule(f"{API}/backends", Fault.malformed(b'{"devices": []}'), times=None))
    with pytest.raises(UnknownBackendError, match="check the instance"):
        _ = vendor.connect().snapshot
