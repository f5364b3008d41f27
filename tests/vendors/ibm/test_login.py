"""Credentials: found where IBM keeps them, sent to the login service only, shown to nobody."""

from __future__ import annotations

import json
import logging
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends.ibm.account import find_account
from backends.ibm.client import IBMClient
from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API_KEY, CRN
from backends.loopback.server import LoopbackServer, Request, Response
from backends.vendor import (
    CredentialsError,
    Submission,
    SubmissionRefused,
    SubmissionUncertain,
    VendorError,
    VendorUnavailable,
)
from tests.vendors.ibm.conftest import HASTY, PATIENCE, Vendor, lasting, patience_for

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

TOKEN = "/identity/token"
NOW = datetime.now(UTC)


def api_requests(vendor: Vendor) -> list[Request]:
    return [r for r in vendor.server.received if r.path != TOKEN]


def bearers(vendor: Vendor) -> set[str]:
    """Tokens that were ever used."""
    found = (r.headers.get("authorization", "") for r in api_requests(vendor))
    return {text.removeprefix("Bearer ") for text in found if text}


@pytest.mark.parametrize(
    "fault",
    [
        Fault.answer(500),
        Fault.answer(503),
        Fault.throttle(),
        Fault.drop(),
        pytest.param(Fault.hang(), marks=pytest.mark.slow),
        Fault.malformed(),
        Fault.malformed(b'{"access_token": null}'),
        pytest.param(Fault.drip(0.3), marks=pytest.mark.slow),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status}",
)
def test_login_that_fails_ends_soon_and_keeps_the_key(
    vendor: Vendor, order: Submission, fault: Fault
) -> None:
    vendor.faults.add(Rule(TOKEN, fault, times=None))
    backend = vendor.connect(patience=patience_for(fault))
    started = time.monotonic()
    with pytest.raises(VendorUnavailable, match="login"):
        backend.find("key", NOW)
    with pytest.raises(SubmissionRefused, match="Not sent"):
        backend.submit(order, "key")
    assert time.monotonic() - started < 50.0
    assert not api_requests(vendor), "nothing may reach the API without a login"


def test_login_recovers(vendor: Vendor) -> None:
    vendor.faults.add(Rule(TOKEN, Fault.answer(503), times=2))
    assert vendor.connect(patience=lasting()).find("key", NOW) == ()


def test_wrong_key(vendor: Vendor, order: Submission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "wrong-key-9876543210")
    backend = vendor.connect()
    with pytest.raises(CredentialsError, match="could not be found") as caught:
        backend.find("key", NOW)
    assert "QISKIT_IBM_TOKEN" in str(caught.value)
    assert "wrong-key" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(SubmissionRefused):
        backend.submit(order, "key")
    assert not api_requests(vendor)


def test_login_follows_no_redirect(vendor: Vendor) -> None:
    class Thief:
        def __init__(self) -> None:
            self.seen: list[Request] = []

        def handle(self, request: Request) -> Response:
            self.seen.append(request)
            return Response.json({"access_token": "x", "expires_in": 3600})

    thief = Thief()
    with LoopbackServer(thief) as elsewhere:
        headers = {"Location": f"{elsewhere.url}{TOKEN}"}
        vendor.faults.add(Rule(TOKEN, Fault.answer(307, headers=headers), times=None))
        with pytest.raises(VendorUnavailable):
            vendor.connect().find("key", NOW)
    assert not thief.seen


def test_key_goes_to_the_login_service_only(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    backend.submit(order, "key")
    vendor.platform.expire_tokens()
    backend.find("key", NOW)
    for request in api_requests(vendor):
        everything = repr(request.headers).encode() + request.body + request.path.encode()
        assert API_KEY.encode() not in everything
    assert len(bearers(vendor)) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 500, 503])
def test_no_secret_in_errors_or_logs(
    vendor: Vendor, order: Submission, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    backend = vendor.connect()
    backend.payload(order, "warm")
    (token,) = bearers(vendor)
    told = f'Bearer {token} apikey={API_KEY} Authorization: "apikey {API_KEY}" {token}'.encode()
    body = json.dumps({"error": {"code": 1, "message": told.decode()}}).encode()
    texts = []
    for answer in (Fault.answer(status, body=told), Fault.answer(status, body=body)):
        vendor.faults.clear()
        vendor.faults.add(Rule("/experimental/.*", answer, times=None))
        for call in (lambda: backend.submit(order, "key"), lambda: backend.find("key", NOW)):
            with pytest.raises(VendorError) as caught:
                call()
            texts.append("".join(traceback.format_exception(caught.value)))
    texts.append(caplog.text)
    secrets = {API_KEY, token, *bearers(vendor)}
    for text in texts:
        assert not [secret for secret in secrets if secret in text]
    assert all("[hidden]" in text for text in texts[:-1])


def test_no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    with pytest.raises(CredentialsError, match=r"QISKIT_IBM_TOKEN.*qiskit-ibm\.json"):
        find_account(tmp_path / "none.json")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"default-ibm-quantum-platform": 5}',
        '{"default-ibm-quantum-platform": {"channel": "ibm_cloud", "token": ["s3cret"]}}',
        '{"default-ibm-quantum-platform": {"channel": "ibm_quantum_platform", "token": ""}}',
        '{"default-ibm-quantum-platform": {"channel": "nonsense", "token": "s3cret"}}',
    ],
)
def test_broken_account_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    file = tmp_path / "qiskit-ibm.json"
    file.write_text(text)
    with pytest.raises(CredentialsError) as caught:
        find_account(file)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_saved_account(vendor: Vendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    saved = {
        "channel": "ibm_quantum_platform",
        "token": API_KEY,
        "url": f"{vendor.server.url}/experimental/api/v1",
    }
    file = tmp_path / "qiskit-ibm.json"
    file.write_text(json.dumps({"default-ibm-quantum-platform": saved}))
    for name in ("QISKIT_IBM_TOKEN", "QISKIT_IBM_INSTANCE", "QISKIT_IBM_URL"):
        monkeypatch.delenv(name)
    client = IBMClient(find_account(file), PATIENCE)
    assert client.crn == CRN  # asked of the instance search


def test_instances_are_never_guessed(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QISKIT_IBM_INSTANCE", "loopback")
    assert IBMClient(patience=PATIENCE).crn == CRN
    monkeypatch.setenv("QISKIT_IBM_INSTANCE", "another")
    with pytest.raises(CredentialsError, match="loopback"):
        _ = IBMClient(patience=PATIENCE).crn
    monkeypatch.delenv("QISKIT_IBM_INSTANCE")
    item = {"crn": "crn:v1:b", "name": "paid", "doc": {"extensions": {"x": 1}}}
    both = {"items": [item, {**item, "crn": "crn:v1:c", "name": "free"}]}
    search = Rule("/v3/resources/search", Fault.malformed(json.dumps(both).encode()), times=1)
    vendor.faults.add(search)
    with pytest.raises(CredentialsError, match="free, paid"):
        _ = IBMClient(patience=PATIENCE).crn
    vendor.faults.add(Rule("/v3/resources/search", Fault.hang(), times=None))
    with pytest.raises(VendorUnavailable):
        _ = IBMClient(patience=HASTY).crn


@pytest.mark.parametrize("name", ["QISKIT_IBM_URL", "IAM_URL"])
def test_login_is_never_sent_in_the_clear(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://quantum.example.com/experimental")
    with pytest.raises(CredentialsError, match="https"):
        IBMClient(patience=PATIENCE)
    assert not vendor.server.received


def test_uncertain_is_not_said_of_what_was_never_sent(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect(patience=HASTY)
    backend.payload(order, "warm")
    vendor.platform.expire_tokens()
    vendor.faults.add(Rule(TOKEN, Fault.hang(), times=None))
    with pytest.raises(SubmissionRefused) as caught:
        backend.submit(order, "key")
    assert not isinstance(caught.value, SubmissionUncertain)
    assert not vendor.jobs
