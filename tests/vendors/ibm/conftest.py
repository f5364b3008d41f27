from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.bounded_http import Patience
from backends.ibm.backend import IBMBackend
from backends.ibm.client import IBMClient
from backends.ibm.program import IBMOptions
from backends.loopback.faults import Fault, FaultKind, FaultPlan
from backends.loopback.ibm import API, IBMPlatform
from backends.loopback.ibm_jobs import Job
from backends.loopback.server import LoopbackServer, Request
from backends.vendor import Submission
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from tests.backends.circuits import product_circuit

PATIENCE = Patience(connect_s=15.0, silence_s=15.0, request_s=15.0, question_s=0.7, pause_s=0.05)
"""Gives a busy machine time to answer, but repeats a question for a moment only."""
HASTY = Patience(connect_s=15.0, silence_s=1.0, request_s=1.5, question_s=2.0, pause_s=0.05)
"""For faults that are made of waiting."""
ANGLES = np.array([[0.3, 1.0, 2.0], [2.8, 0.1, 0.7]])


@dataclass
class Vendor:
    """A running loopback IBM."""

    platform: IBMPlatform
    server: LoopbackServer

    @property
    def faults(self) -> FaultPlan:
        return self.server.faults

    @property
    def jobs(self) -> tuple[Job, ...]:
        return self.platform.queue.jobs

    def requests(self, method: str, path: str) -> list[Request]:
        """Requests to one path of the API."""
        return [r for r in self.server.received if (r.method, r.path) == (method, API + path)]

    def connect(
        self,
        device: str | None = None,
        options: IBMOptions | None = None,
        patience: Patience = PATIENCE,
    ) -> IBMBackend:
        name = device or next(iter(self.platform.devices))
        return IBMBackend(name, client=IBMClient(patience=patience), options=options)

    def wait(self) -> None:
        assert self.platform.queue.wait_idle(60.0)


def patience_for(fault: Fault) -> Patience:
    """As short as the fault needs."""
    if "Retry-After" in fault.headers:
        return replace(PATIENCE, question_s=2.5)
    return HASTY if fault.kind in (FaultKind.HANG, FaultKind.DRIP) else PATIENCE


def lasting(patience: Patience = PATIENCE) -> Patience:
    """Asks again for as long as it takes: for faults that pass."""
    return replace(patience, question_s=60.0)


Start = Callable[..., Vendor]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts loopback vendors; the environment leads to the last one."""
    running: list[Vendor] = []

    def go(*devices: str, noise: NoiseOptions | None = None, seed: int = 0) -> Vendor:
        platform = IBMPlatform(devices or ("ibm_boston",), noise=noise, seed=seed)
        vendor = Vendor(platform, LoopbackServer(platform).start())
        running.append(vendor)
        for name, value in platform.environment(vendor.server.url).items():
            monkeypatch.setenv(name, value)
        return vendor

    yield go
    for vendor in running:
        vendor.platform.stop()
        vendor.server.stop()


@pytest.fixture(scope="module")
def device(request: pytest.FixtureRequest) -> str:
    """The module's ``DEVICE``; a small one, which is read in no time, where it names none."""
    return str(getattr(request.module, "DEVICE", "ibm_lagos"))


@pytest.fixture
def vendor(start: Start, device: str) -> Vendor:
    """A perfect device."""
    return start(device)


@pytest.fixture(scope="module")
def compiled(device: str) -> CompiledTemplate:
    """Three qubits, an angle each."""
    return AerBackend(load_snapshot(device), scheduled=False).compile(product_circuit(3))


@pytest.fixture
def order(compiled: CompiledTemplate) -> Submission:
    """Two rows of 100 shots."""
    return Submission(compiled, ANGLES, 100)
