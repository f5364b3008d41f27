"""Faults of the catalogue, each against the client alone."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from backends.vendor import Submission
from tests.vendors.asked import KEY, SPOILT, outcome
from tests.vendors.braket.conftest import Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SPOILT_HERE = SPOILT | {
    "throttle@post,value=\xb2": "right",
    "state@job,value=PARTYING,times=all": "status: VendorUnavailable: .*PARTYING",
    "reason-hostile@job,times=all": "right",
    "shots@results,value=0.5,times=all": "fetch: VendorError: .*100 shots, but holds 50",
    "usage@usage,value=x1000,times=all": "usage: AssertionError: .*but is 200000",
    "usage@usage,value=pending,times=all": "right",
    "usage@usage,value=missing,times=all": "right",
    "usage@usage,value=nan,times=all": "status: VendorUnavailable",
}


@pytest.mark.parametrize("text", SPOILT_HERE, ids=ascii)
def test_a_named_fault_spoils_one_answer(vendor: Vendor, order: Submission, text: str) -> None:
    def truth() -> NDArray[np.int64]:
        return np.stack(next(task for task in vendor.tasks if task.token == KEY).measured)

    assert re.match(
        SPOILT_HERE[text], outcome(vendor.service, vendor, order, text, truth), re.DOTALL
    )
