"""Dynamic circuits through the real client: the loopback IBM runs them, shot by shot."""

from __future__ import annotations

import numpy as np
import pytest

from backends.base import BackendError
from backends.ibm.program import IBMOptions
from backends.vendor import JobState, Submission
from qhw.circuits.workload import Workload
from tests.dynamic.circuits import CIRCUITS
from tests.vendors.ibm.conftest import Start

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SHOTS = 2000


def test_distributions(start: Start) -> None:
    vendor = start("ibm_lagos")
    backend = vendor.connect("ibm_lagos")
    for name, (circuit, expected) in CIRCUITS.items():
        compiled = backend.compile(Workload.of(circuit).circuit, seed=1)
        order = Submission(compiled, np.empty((1, 0)), SHOTS)
        backend.validate(order)
        assert backend.estimate(order).qpu_seconds > 0
        handle = backend.submit(order, name)
        vendor.wait()
        status = backend.status(handle)
        assert status.state is JobState.DONE, (name, status.vendor_text)
        counts = backend.fetch(handle, order).counts[0]
        right = np.zeros(len(counts))
        for outcome, p in expected.items():
            right[outcome] = p
        assert np.abs(counts / SHOTS - right).max() < 0.06, name
        assert not counts[right == 0].any(), name


@pytest.mark.parametrize("options", [IBMOptions(twirl_gates=True), IBMOptions(decoupling="XX")])
def test_twirling_and_decoupling_are_refused(start: Start, options: IBMOptions) -> None:
    vendor = start("ibm_lagos")
    backend = vendor.connect("ibm_lagos", options=options)
    circuit, _ = CIRCUITS["teleportation"]
    order = Submission(backend.compile(Workload.of(circuit).circuit), np.empty((1, 0)), 1024)
    with pytest.raises(BackendError, match="no twirling and no decoupling for a dynamic circuit"):
        backend.validate(order)
