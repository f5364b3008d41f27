"""Credentials go to Amazon by TLS or stay on this machine, whatever names another address."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.session import Session

from backends.braket.client import BraketClient
from backends.braket.endpoints import guard_endpoints
from backends.loopback.faults import Fault, Rule
from backends.loopback.server import LoopbackServer, Request, Response
from backends.vendor import CredentialsError, Submission, SubmissionRefused, SubmissionUncertain
from backends.vendor import VendorUnavailable as Unavailable
from tests.vendors.braket.conftest import PATIENCE, Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

CLEAR = "http://192.0.2.1:9"  # a documentation address: nobody is there
KEY = "key-00000000"


@pytest.mark.parametrize("service", ["", "_BRAKET", "_S3", "_STS", "_SSO", "_SSO_OIDC"])
@pytest.mark.parametrize("url", [CLEAR, "http://127.0.0.1@192.0.2.1/", "ftp://192.0.2.1"])
def test_no_variable_leads_credentials_away_in_clear(
    vendor: Vendor, order: Submission, monkeypatch: pytest.MonkeyPatch, service: str, url: str
) -> None:
    backend = vendor.connect()
    backend.payload(order, KEY)
    name = f"AWS_ENDPOINT_URL{service}"
    monkeypatch.setenv(name, url)
    with pytest.raises(CredentialsError, match=rf"{name} must begin with https://.*192\.0\.2\.1"):
        vendor.connect().device()
    with pytest.raises(SubmissionRefused, match=f"Not sent.*{name}"):
        BraketClient("eu-north-1", PATIENCE).order({})


@pytest.mark.parametrize("form", ["profile", "services"])
def test_no_file_leads_credentials_away_in_clear(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    file = tmp_path / "config"
    file.write_text(
        f"[default]\nendpoint_url = {CLEAR}\n"
        if form == "profile"
        else f"[default]\nservices = mine\n[services mine]\nsts =\n  endpoint_url = {CLEAR}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    with pytest.raises(CredentialsError, match="of profile default in AWS's files must begin"):
        vendor.connect().device()


def test_other_services_and_safe_addresses_are_no_concern(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", CLEAR)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", "https://sso.example.com")
    assert vendor.connect().device().snapshot is not None


def test_every_client_of_a_session_is_guarded() -> None:
    """Also those that botocore makes by itself, to assume a role."""
    session = Session()
    guard_endpoints(session)
    session.set_credentials("a", "b", "c")
    client = session.create_client("sts", region_name="us-east-1", endpoint_url=CLEAR)
    with pytest.raises(CredentialsError, match="in clear"):
        client.get_caller_identity()


class Elsewhere:
    def __init__(self) -> None:
        self.received: list[Request] = []

    def handle(self, request: Request) -> Response:
        self.received.append(request)
        return Response.json({})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(vendor: Vendor, order: Submission, status: int) -> None:
    thief = Elsewhere()
    with LoopbackServer(thief) as server:
        answer = Fault.answer(
            status, after=True, headers={"Location": server.url, "x-amz-bucket-region": "eu-west-1"}
        )
        vendor.faults.add(Rule("/quantum-task", answer, "POST", times=1))
        vendor.faults.add(Rule("/amazon-braket-loopback/.*", answer, times=None))
        backend = vendor.connect()
        with pytest.raises(SubmissionUncertain):
            backend.submit(order, KEY)
        assert len(vendor.orders()) == len(vendor.tasks) == 1
        vendor.wait()
        (handle,) = backend.find(KEY, vendor.tasks[0].created)
        with pytest.raises(Unavailable):
            backend.fetch(handle, order)
    assert not thief.received
