"""No redirect is followed: an order would be sent twice, or with its login to somebody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API, CRN
from backends.loopback.server import LoopbackServer, Request, Response
from backends.vendor import Submission, SubmissionUncertain, VendorError
from tests.vendors.ibm.conftest import Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

NOW = datetime.now(UTC)
STATUSES = (301, 302, 303, 307, 308)


class Elsewhere:
    """Another host, which takes whatever comes."""

    def __init__(self) -> None:
        self.received: list[Request] = []

    def handle(self, request: Request) -> Response:
        self.received.append(request)
        return Response.json({"id": "not-ours"})


@pytest.fixture
def elsewhere() -> Iterator[tuple[Elsewhere, str]]:
    application = Elsewhere()
    with LoopbackServer(application) as server:
        yield application, server.url


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("to", ["same path", "elsewhere", "dead port"])
def test_an_order_is_sent_once(
    vendor: Vendor,
    order: Submission,
    elsewhere: tuple[Elsewhere, str],
    status: int,
    to: str,
) -> None:
    thief, url = elsewhere
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = f"http://127.0.0.1:{free.getsockname()[1]}/"
    place = {"same path": f"{API}/jobs", "elsewhere": f"{url}/jobs", "dead port": dead}[to]
    backend = vendor.connect()
    backend.payload(order, "warm")
    accepted = Fault.answer(status, after=True, headers={"Location": place})
    vendor.faults.add(Rule(f"{API}/jobs", accepted, "POST", times=1))
    with pytest.raises(SubmissionUncertain, match=r"to 127\.0\.0\.1, which is not followed"):
        backend.submit(order, "key")
    assert len(vendor.requests("POST", "/jobs")) == len(vendor.jobs) == 1
    assert len(backend.find("key", NOW)) == 1
    assert not thief.received


def test_no_question_takes_its_login_elsewhere(
    vendor: Vendor, elsewhere: tuple[Elsewhere, str]
) -> None:
    thief, url = elsewhere
    headers = {"Location": f"{url}/jobs"}
    vendor.faults.add(Rule("/.*jobs.*", Fault.answer(307, headers=headers), "GET", times=None))
    with pytest.raises(VendorError, match="redirect") as caught:
        vendor.connect().find("key", NOW)
    assert CRN not in str(caught.value)
    assert not thief.received
