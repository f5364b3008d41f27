"""Faults of the catalogue, each against the client alone."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from backends.vendor import Submission
from tests.vendors.asked import KEY, SPOILT, outcome
from tests.vendors.ibm.conftest import Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SPOILT_HERE = SPOILT | {
    "throttle@post,value=\xb2": "submit: SubmissionRefused",
    "state@job,value=PARTYING,times=all": "status: AssertionError: not final",
    "reason-hostile@job,times=all": "fetch: AssertionError",
    "shots@results,value=0.5,times=all": "fetch: VendorError: .*2 rows of 100 shots",
    "usage@usage,value=x1000,times=all": "right",
    "usage@usage,value=pending,times=all": "usage: AssertionError: not known",
    "usage@usage,value=missing,times=all": "usage: AssertionError: not known",
    "usage@usage,value=nan,times=all": "usage: AssertionError: .*nan",
}


@pytest.mark.parametrize("text", SPOILT_HERE, ids=ascii)
def test_a_named_fault_spoils_one_answer(vendor: Vendor, order: Submission, text: str) -> None:
    def truth() -> NDArray[np.int64]:
        return np.concatenate(next(job for job in vendor.jobs if KEY in job.tags).measured)

    assert re.match(
        SPOILT_HERE[text], outcome(vendor.platform, vendor, order, text, truth), re.DOTALL
    )
