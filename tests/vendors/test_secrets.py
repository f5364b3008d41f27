"""A vendor that echoes credentials: they are hidden before anything is stored, logged or shown."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API, API_KEY, CRN
from backends.secrets import remember_secret, without_secrets
from backends.vendor import JobCounts, JobState, JobStatus, Submission, VendorError
from qhw.jobs.budget import Budget
from qhw.jobs.config import Patience
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.work import reconcile, submit_run
from tests.vendors.ibm.conftest import Vendor, compiled, device, order, start, vendor

__all__ = ["compiled", "device", "order", "start", "vendor"]

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpYW1faWQiOiJJQk1pZCJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"denied for {JWT}", JWT),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "AKIAIOSFODNN7EXAMPLE"),
        ("ASIAIOSFODNN7EXAMPLE: expired", "ASIAIOSFODNN7EXAMPLE"),
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ('{"Authorization": "apikey q1w2e3"}', "q1w2e3"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("AWS4-HMAC Credential=x, Signature=fe5f80f77d5fa3beca", "fe5f80f77d5fa3beca"),
        ("X-Amz-Security-Token: IQoJb3JpZ2luX2VjE", "IQoJb3JpZ2luX2VjE"),
        ("?X-Amz-Signature=ab12&X-Amz-Security-Token=IQoJb3Jp%2F", "IQoJb3Jp%2F"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI/K7MDENG"),
        ('"access_token":"opaque-1"', "opaque-1"),
        ("proxy http://me:hush@proxy:3128 refused", "hush"),
        ("Service-CRN: crn:v1:bluemix:public:qc:us-east:a/abc:def::", "a/abc"),
        ("not allowed on crn:v1:bluemix:public:qc:us-east:a/abc:def::", "a/abc"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, secret: str) -> None:
    shown = without_secrets(text)
    assert secret not in shown and "[hidden]" in shown
    assert without_secrets(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "The bearer token is not valid.",
        "The request signature we calculated does not match the signature you provided.",
        "password authentication failed for user qhw",
        "Cannot route cz on qubits (3, 4); see https://docs.example.com/errors:1305",
        "FAILED: error code 1305: ran too long",
        "arn:aws:braket:eu-north-1:000000000000:quantum-task/0a1b",
    ],
)
def test_other_words_are_left(text: str) -> None:
    assert without_secrets(text) == text


def test_whatever_a_backend_says_is_scrubbed_where_it_says_it() -> None:
    secret = "opaque/secret+of=this-process"
    remember_secret(secret)
    remember_secret("short")
    for told in (f"no: {secret}", f"no: {'opaque%2Fsecret%2Bof%3Dthis-process'}"):
        assert str(VendorError(told)) == "no: [hidden]"
        assert JobStatus(JobState.FAILED, told).vendor_text == "no: [hidden]"
        counts = JobCounts(np.zeros((1, 2), np.int64), {0: told}, b"", datetime.now(UTC))
        assert counts.row_errors == {0: "no: [hidden]"}
    assert without_secrets("a short word") == "a short word"


def test_a_token_in_a_failed_jobs_reason_is_not_stored(
    vendor: Vendor, order: Submission, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{file}") as ledger:
        backend = vendor.connect()
        backend.payload(order, "warm")
        vendor.platform.queue.hold()
        submit_run(ledger, backend, order, RunRequest("run-1"), Budget(run_cap=10**9))
        (job,) = vendor.jobs
        token = next(
            r.headers["authorization"].partition(" ")[2]
            for r in vendor.server.received
            if "authorization" in r.headers
        )
        reason = f"worker said: login {token} of {API_KEY} at {CRN} was refused"
        state = {"status": "Failed", "reason": reason}
        body = json.dumps({**job.document(), "state": state})
        told = Fault.answer(200, headers={"Content-Type": "application/json"}, body=body.encode())
        vendor.faults.add(Rule(f"{API}/jobs/{job.id}", told, "GET", times=None))
        for _ in range(3):
            (done,) = reconcile(ledger, lambda _: backend, patience=Patience()).jobs or (None,)
            if done is None:
                break
            assert "worker said" in done.vendor_text
            for secret in (token, API_KEY, CRN):
                assert secret not in done.vendor_text
    dump = "\n".join(sqlite3.connect(file).iterdump())
    assert "worker said" in dump
    for secret in (token, API_KEY, CRN):
        assert secret not in dump
