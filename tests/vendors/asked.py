"""What a client comes to when a loopback vendor has a fault of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backends.loopback.catalog import parse
from backends.loopback.faults import FaultPlan
from backends.loopback.messages import Vendor as Service
from backends.vendor import Submission, SubmissionUncertain, VendorBackend, VendorError

KEY = "key-00000000"
SPOILT = {
    "earlier-id@post": "find: AssertionError: not the one",
    "made-up-id@post": "find: AssertionError: not the one",
    "accepted-late@post,value=0.3": "right",
    "hostile-id@post": "submit: SubmissionUncertain",
    "redirect-same@post,value=307": "submit: SubmissionUncertain: .*redirect",
    "redirect-accepted@post,value=308": "submit: SubmissionUncertain: .*redirect",
    "redirect-dead@post,value=307": "submit: SubmissionUncertain: .*redirect",
    "redirect-elsewhere@post,value=302": "submit: SubmissionUncertain: .*redirect",
    "gzip-bomb@post": "submit: SubmissionUncertain",
    "cut-json@post": "submit: SubmissionUncertain",
    "null@post": "submit: SubmissionUncertain",
    "refused-hostile@post,value=400": "submit: SubmissionRefused",
    "other-id@job,times=all": "status: VendorUnavailable: .*asked for",
    "other-job@job,times=all": "status: VendorUnavailable: .*asked for",
    "other-job@results,times=all": "fetch: VendorUnavailable",
    "vanished@job,times=all": "status: Unknown",
    "gzip-bomb@job,times=all": "status: VendorUnavailable",
    "endless@job,times=all": "status: VendorUnavailable: .*more than 64 MiB",
    "throttle@job,value=\xb2,times=all": "status: VendorUnavailable",
    "duplicate-keys@job,times=all": "status: VendorUnavailable: .*twice",
    "date@job,value=0001-01-01T00:00:00+14:00,times=all": "right",
    "date@job,value=9999-12-31T23:59:59-14:00,times=all": "right",
    "bit@results,value=0.7,times=all": "fetch: Vendor",
    "bit@results,value=-1,times=all": "fetch: Vendor",
    "narrow@results,times=all": "fetch: Vendor",
    "rows@results,value=one-less,times=all": "fetch: Vendor",
    "rows@results,value=twice,times=all": "fetch: Vendor",
    "usage@usage,value=-1,times=all": "usage: AssertionError: .*but is -1",
    "find-copies@find,times=all": "find: AssertionError: not the one",
    "find-everything@find,times=all": "right",
    "pages@find,value=same,times=all": "find: VendorUnavailable",
    "pages@find,value=new,times=all": "find: VendorUnavailable",
    "pages@find,value=empty,times=all": "find: VendorUnavailable",
    "date@find,times=all": "find: VendorUnavailable",
}
"""What a fault spoils first with either vendor, and how that is told; other counts, none."""


class Asked(Protocol):
    """A running loopback vendor."""

    @property
    def faults(self) -> FaultPlan: ...

    def connect(self) -> VendorBackend: ...

    def wait(self) -> None: ...


def outcome(
    service: Service,
    vendor: Asked,
    order: Submission,
    text: str,
    truth: Callable[[], NDArray[np.int64]],
) -> str:
    """The first question that a fault spoils, and with which error; ``right`` where none.

    Args:
        service: of the vendor.
        vendor: a stranger's job is the first that it gets.
        order: what is sent.
        text: of the fault.
        truth: counts of the job of our key in the vendor's own book, ``(B, 2**m)``.
    """
    backend = vendor.connect()
    backend.submit(order, "stranger-0000")
    vendor.wait()
    vendor.faults.add(parse(service, text))
    try:
        handle = backend.submit(order, KEY)
    except VendorError as error:
        vendor.faults.clear()
        found = backend.find(KEY, datetime.now(UTC))
        assert len(found) <= isinstance(error, SubmissionUncertain)
        return f"submit: {type(error).__name__}: {error}"
    vendor.wait()
    for question in ("find", "status", "fetch", "usage"):
        try:
            if question == "find":
                found = backend.find(KEY, datetime.now(UTC))
                assert [one.vendor_id for one in found] == [handle.vendor_id], "not the one"
            elif question == "status":
                assert backend.status(handle).state.final, "not final"
            elif question == "fetch":
                answer = backend.fetch(handle, order)
                measured = [row for row in range(2) if row not in answer.row_errors]
                np.testing.assert_array_equal(answer.counts[measured], truth()[measured])
                assert not answer.row_errors, answer.row_errors
            else:
                usage = backend.usage(handle)
                assert not usage.contradiction, usage.contradiction
                assert usage.usd is not None, "not known"
        except (VendorError, AssertionError) as error:
            return f"{question}: {type(error).__name__}: {error}"
    return "right"
