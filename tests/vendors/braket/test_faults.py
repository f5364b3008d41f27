"""Every fault is one of three things: refused, uncertain, unavailable. None hangs, none leaks."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from backends.braket.client import BraketRefusal
from backends.loopback.braket import ACCESS_KEY, SECRET_KEY, SESSION_TOKEN
from backends.loopback.faults import Fault, Rule
from backends.vendor import (
    CredentialsError,
    JobState,
    Submission,
    SubmissionRefused,
    SubmissionUncertain,
    VendorUnavailable,
)
from tests.vendors.braket.conftest import Vendor, lasting, patience_for

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

KEY = "key-00000000"
NOW = datetime.now(UTC)
BOUND_S = 50.0
"""No call may take longer with the patience of these tests, on a busy machine."""
CREATE, TASK, DEVICE, SEARCH, OBJECT = (
    "/quantum-task",
    "/quantum-task/.*",
    "/device/.*",
    "/quantum-tasks",
    "/amazon-braket-loopback/.*",
)


def coded(status: int, code: str, *, after: bool = False) -> Fault:
    body = b'{"message": "no: ' + SECRET_KEY.encode() + b" " + SESSION_TOKEN.encode() + b'"}'
    return Fault.answer(status, after=after, headers={"x-amzn-errortype": code}, body=body)


UNCERTAIN = {
    "drop before": Fault.drop(),
    "drop after": Fault.drop(after=True),
    "hang before": Fault.hang(),
    "hang after": Fault.hang(after=True),
    "500 before": coded(500, "InternalServiceException"),
    "500 after": coded(500, "InternalServiceException", after=True),
    "503": Fault.answer(503),
    "504 after": Fault.answer(504, after=True),
    "408": Fault.answer(408),
    "409": coded(409, "ConflictException"),
    "truncated": Fault.truncate(),
    "malformed": Fault.malformed(),
    "list": Fault.malformed(b"[]"),
    "empty": Fault.malformed(b"{}"),
    "null": Fault.malformed(b'{"quantumTaskArn": null}'),
    "redirect": Fault.answer(302, headers={"Location": "http://127.0.0.1:9/elsewhere"}),
    "drip": Fault.drip(0.2),
}
REFUSED = {
    "validation": coded(400, "ValidationException"),
    "quota": coded(402, "ServiceQuotaExceededException"),
    "denied": coded(403, "AccessDeniedException"),
    "offline": coded(424, "DeviceOfflineException"),
    "retired": coded(410, "DeviceRetiredException"),
}


@pytest.mark.parametrize("fault", UNCERTAIN.values(), ids=UNCERTAIN)
def test_uncertain_submissions(vendor: Vendor, order: Submission, fault: Fault) -> None:
    vendor.service.queue.hold()
    vendor.faults.add(Rule(CREATE, fault))
    backend = vendor.connect()
    with pytest.raises(SubmissionUncertain) as caught:
        vendor.connect(patience=patience_for(fault)).submit(order, KEY)
    assert_no_secret(str(caught.value))
    assert len(vendor.orders()) == 1, "an order is posted once"
    # what the search finds is the truth, and the same token makes no second task
    found = backend.find(KEY, NOW)
    assert len(found) == len(vendor.tasks) == (1 if fault.after else 0)
    backend.submit(order, KEY)
    assert len(vendor.tasks) == 1


@pytest.mark.parametrize("fault", REFUSED.values(), ids=REFUSED)
def test_refused_submissions(vendor: Vendor, order: Submission, fault: Fault) -> None:
    vendor.faults.add(Rule(CREATE, fault))
    backend = vendor.connect()
    with pytest.raises(SubmissionRefused) as caught:
        backend.submit(order, KEY)
    assert_no_secret(str(caught.value))
    assert fault.headers["x-amzn-errortype"] in str(caught.value)
    assert vendor.tasks == ()


@pytest.mark.parametrize(
    "fault", [coded(429, "ThrottlingException"), Fault.throttle(1), Fault.throttle()]
)
def test_throttled_orders_go_out_again(vendor: Vendor, order: Submission, fault: Fault) -> None:
    vendor.faults.add(Rule(CREATE, fault))
    backend = vendor.connect(patience=lasting())
    backend.submit(order, KEY)
    tokens = [b'"clientToken": "key-00000000"' in r.body for r in vendor.orders()]
    assert tokens == [True, True]
    assert len(vendor.tasks) == 1


def test_endless_throttling_is_a_refusal(vendor: Vendor, order: Submission) -> None:
    vendor.faults.add(Rule(CREATE, Fault.throttle(), times=None))
    began = time.monotonic()
    with pytest.raises(SubmissionRefused):
        vendor.connect().submit(order, KEY)
    assert time.monotonic() - began < BOUND_S
    assert vendor.tasks == ()


def test_nobody_there_is_a_refusal(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    backend.device()
    vendor.server.stop()
    with pytest.raises(SubmissionRefused, match="could not be reached"):
        backend.submit(order, KEY)
    with pytest.raises(VendorUnavailable):
        backend.find(KEY, NOW)


def test_retry_after_is_obeyed(vendor: Vendor) -> None:
    vendor.faults.add(Rule(DEVICE, Fault.throttle(1)))
    began = time.monotonic()
    assert vendor.connect(patience=lasting()).device().status == "ONLINE"
    assert time.monotonic() - began >= 1


PASSING = {
    "500": coded(500, "InternalServiceException"),
    "503": Fault.answer(503),
    "throttled": coded(429, "ThrottlingException"),
    "throttled without code": Fault.throttle(),
    "drop": Fault.drop(),
    "hang": Fault.hang(),
    "truncated": Fault.truncate(),
    "malformed": Fault.malformed(),
    "list": Fault.malformed(b"[]"),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_questions_are_asked_again(vendor: Vendor, order: Submission, fault: Fault) -> None:
    for path in (DEVICE, TASK, SEARCH, OBJECT):
        vendor.faults.add(Rule(path, fault))
    backend = vendor.connect(patience=lasting(patience_for(fault)))
    handle = backend.submit(order, KEY)
    vendor.wait()
    found = backend.find(KEY, NOW)
    assert [f.vendor_id for f in found] == [handle.vendor_id]
    counts = backend.fetch(handle, order)
    assert counts.counts.sum() == 200
    assert len(vendor.faults.taken) == 4


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.hang(), marks=pytest.mark.slow),
        pytest.param(Fault.drip(0.1), marks=pytest.mark.slow),
        Fault.answer(503),
    ],
)
def test_no_question_waits_for_ever(vendor: Vendor, order: Submission, fault: Fault) -> None:
    backend = vendor.connect()
    handle = backend.submit(order, KEY)
    vendor.wait()
    vendor.faults.add(Rule(".*", fault, times=None))
    hurried = vendor.connect(patience=patience_for(fault))
    for ask in (
        lambda: hurried.find(KEY, NOW),
        lambda: hurried.status(handle),
        lambda: hurried.fetch(handle, order),
        lambda: hurried.cancel(handle),
    ):
        began = time.monotonic()
        with pytest.raises(VendorUnavailable):
            ask()
        assert time.monotonic() - began < BOUND_S
    vendor.faults.clear()
    assert backend.fetch(handle, order).counts.sum() == 200


def test_out_of_order_and_unknown_states(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    handle = backend.submit(order, KEY)
    vendor.wait()
    vendor.service.report_states("RUNNING", "QUEUED", "CANCELLING", "PARTYING")
    states = [backend.status(handle).state for _ in range(3)]
    assert states == [JobState.RUNNING, JobState.QUEUED, JobState.RUNNING]
    with pytest.raises(VendorUnavailable, match="PARTYING"):
        backend.status(handle)
    vendor.service.report_states("RUNNING")
    with pytest.raises(VendorUnavailable, match="not finished"):
        backend.fetch(handle, order)


def test_results_that_are_late_or_broken_are_no_loss(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    handle = backend.submit(order, KEY)
    vendor.wait()
    kept = dict(vendor.service.queue.objects)
    vendor.service.queue.objects.clear()
    with pytest.raises(VendorUnavailable, match="complete, but"):
        backend.fetch(handle, order)
    vendor.service.queue.objects |= kept
    assert backend.fetch(handle, order).counts.sum() == 200


def test_expired_credentials(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    backend.device()
    vendor.service.expired = True
    with pytest.raises(SubmissionRefused, match="expired"):
        backend.submit(order, KEY)
    with pytest.raises(CredentialsError, match="AWS_ACCESS_KEY_ID") as caught:
        backend.find(KEY, NOW)
    assert_no_secret(str(caught.value))


def test_renewed_credentials_are_taken_up(
    vendor: Vendor, order: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOLD0000000000000")
    backend = vendor.connect()
    with pytest.raises(CredentialsError):
        backend.device()
    vendor.faults.add(Rule(DEVICE, coded(403, "ExpiredTokenException")))
    backend = vendor.connect(patience=lasting())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    assert backend.device().status == "ONLINE"
    assert backend.submit(order, KEY).key == KEY


def test_no_credentials(
    vendor: Vendor, order: Submission, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    backend = vendor.connect()
    with pytest.raises(CredentialsError, match="aws configure"):
        backend.find(KEY, NOW)
    with pytest.raises(SubmissionRefused, match="Not sent"):
        backend.submit(order, KEY)
    assert vendor.server.received == ()
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CredentialsError, match="nobody"):
        vendor.connect().find(KEY, NOW)


def test_refusals_of_questions_keep_amazons_words(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    handle = backend.submit(order, KEY)
    vendor.faults.add(Rule(TASK, coded(404, "ResourceNotFoundException")))
    with pytest.raises(BraketRefusal, match="ResourceNotFoundException") as caught:
        backend.status(handle)
    assert_no_secret(str(caught.value))


def test_nothing_is_logged_that_is_secret(
    vendor: Vendor, order: Submission, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    backend = vendor.connect(patience=lasting())
    vendor.faults.add(Rule(TASK, coded(500, "InternalServiceException")))
    vendor.run(backend, order)
    assert_no_secret(caplog.text)
    assert_no_secret(backend.payload(order, KEY).decode() + repr(vars(backend)))


def assert_no_secret(text: str) -> None:
    for secret in (ACCESS_KEY, SECRET_KEY, SESSION_TOKEN):
        assert secret not in text
