"""Faults of the catalogue, each against the client alone."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from backends.vendor import Submission
from tests.vendors.asked import KEY, outcome
from tests.vendors.braket.conftest import Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

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
    "throttle@post,value=\N{SUPERSCRIPT TWO}": "right",
    "refused-hostile@post,value=400": "submit: SubmissionRefused",
    "other-id@job,times=all": "status: VendorUnavailable: .*asked for",
    "other-job@job,times=all": "status: VendorUnavailable: .*asked for",
    "other-job@results,times=all": "fetch: VendorUnavailable",
    "vanished@job,times=all": "status: Unknown",
    "gzip-bomb@job,times=all": "status: VendorUnavailable",
    "endless@job,times=all": "status: VendorUnavailable: .*more than 64 MiB",
    "throttle@job,value=\N{SUPERSCRIPT TWO},times=all": "status: VendorUnavailable",
    "duplicate-keys@job,times=all": "status: VendorUnavailable: .*twice",
    "state@job,value=PARTYING,times=all": "status: VendorUnavailable: .*PARTYING",
    "reason-hostile@job,times=all": "right",
    "date@job,value=0001-01-01T00:00:00+14:00,times=all": "right",
    "date@job,value=9999-12-31T23:59:59-14:00,times=all": "right",
    "shots@results,value=0.5,times=all": "fetch: VendorError: .*100 shots, but holds 50",
    "bit@results,value=0.7,times=all": "fetch: Vendor",
    "bit@results,value=-1,times=all": "fetch: Vendor",
    "narrow@results,times=all": "fetch: Vendor",
    "rows@results,value=one-less,times=all": "fetch: Vendor",
    "rows@results,value=twice,times=all": "fetch: Vendor",
    "usage@usage,value=-1,times=all": "usage: AssertionError: .*but is -1",
    "usage@usage,value=x1000,times=all": "usage: AssertionError: .*but is 200000",
    "usage@usage,value=pending,times=all": "right",
    "usage@usage,value=missing,times=all": "right",
    "usage@usage,value=nan,times=all": "status: VendorUnavailable",
    "find-copies@find,times=all": "find: AssertionError: not the one",
    "find-everything@find,times=all": "right",
    "pages@find,value=same,times=all": "find: VendorUnavailable",
    "pages@find,value=new,times=all": "find: VendorUnavailable",
    "pages@find,value=empty,times=all": "find: VendorUnavailable",
    "date@find,times=all": "find: VendorUnavailable",
}
"""What each fault spoils first, and how that is told; other counts than the vendor's, none."""


@pytest.mark.parametrize("text", SPOILT, ids=ascii)
def test_a_named_fault_spoils_one_answer(vendor: Vendor, order: Submission, text: str) -> None:
    def truth() -> NDArray[np.int64]:
        return np.stack(next(task for task in vendor.tasks if task.token == KEY).measured)

    assert re.match(SPOILT[text], outcome(vendor.service, vendor, order, text, truth), re.DOTALL)
