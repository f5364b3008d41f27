from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from backends.base import CompiledTemplate
from backends.bounded_http import Patience
from backends.braket.backend import BraketBackend
from backends.braket.client import BraketClient
from backends.braket.devices import arn_of, region_of_arn
from backends.loopback.braket import BraketService
from backends.loopback.braket_tasks import Task
from backends.loopback.faults import Fault, FaultKind, FaultPlan
from backends.loopback.server import LoopbackServer, Request
from backends.native.compile import compile_template
from backends.vendor import JobCounts, JobState, Submission
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from tests.backends.circuits import product_circuit

PATIENCE = Patience(connect_s=15.0, silence_s=15.0, request_s=15.0, question_s=1.2, pause_s=0.05)
"""Gives a busy machine time to answer, but repeats a question for a moment only."""
HASTY = Patience(connect_s=15.0, silence_s=1.0, request_s=1.5, question_s=2.0, pause_s=0.05)
"""For faults that are made of waiting."""
ANGLES = np.array([[0.3, 1.0, 2.0], [2.8, 0.1, 0.7]])


@dataclass
class Vendor:
    """A running loopback Braket."""

    service: BraketService
    server: LoopbackServer

    @property
    def faults(self) -> FaultPlan:
        return self.server.faults

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.service.queue.tasks

    def orders(self) -> list[Request]:
        """Every CreateQuantumTask that arrived."""
        return [r for r in self.server.received if (r.method, r.path) == ("POST", "/quantum-task")]

    def connect(
        self, device: str = "iqm_garnet", patience: Patience = PATIENCE, **options: Any
    ) -> BraketBackend:
        client = BraketClient(region_of_arn(arn_of(device)), patience)
        return BraketBackend(device, client=client, **options)

    def wait(self) -> None:
        assert self.service.queue.wait_idle(60.0)

    def run(
        self, backend: BraketBackend, submission: Submission, key: str = "key-00000000"
    ) -> JobCounts:
        """Validate, submit, wait, fetch one task."""
        backend.validate(submission)
        handle = backend.submit(submission, key)
        self.wait()
        status = backend.status(handle)
        assert status.state is JobState.DONE, status.vendor_text
        return backend.fetch(handle, submission)


def patience_for(fault: Fault) -> Patience:
    """As short as the fault needs."""
    return HASTY if fault.kind in (FaultKind.HANG, FaultKind.DRIP) else PATIENCE


def lasting(patience: Patience = PATIENCE) -> Patience:
    """Asks again for as long as it takes: for faults that pass."""
    return replace(patience, question_s=60.0)


Start = Callable[..., Vendor]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts loopback vendors; the environment leads to the last one."""
    running: list[Vendor] = []

    def go(*devices: str, noise: NoiseOptions | None = None, **options: Any) -> Vendor:
        service = BraketService(devices or ("iqm_garnet",), noise=noise, **options)
        vendor = Vendor(service, LoopbackServer(service).start())
        running.append(vendor)
        for name, value in service.environment(vendor.server.url).items():
            monkeypatch.setenv(name, value)
        return vendor

    yield go
    for vendor in running:
        vendor.service.queue.stop()
        vendor.server.stop()


@pytest.fixture
def vendor(start: Start) -> Vendor:
    """A perfect iqm_garnet."""
    return start()


@pytest.fixture(scope="session")
def compiled() -> CompiledTemplate:
    """Three qubits, an angle each, on iqm_garnet."""
    return compile_template(product_circuit(3), load_snapshot("iqm_garnet"))


@pytest.fixture
def order(compiled: CompiledTemplate) -> Submission:
    """Two rows of 100 shots."""
    return Submission(compiled, ANGLES, 100)


def distance(counts: NDArray[np.int64], exact: NDArray[np.float64]) -> float:
    """Largest total variation distance over rows, in units of what shot noise alone gives."""
    shots = counts.sum(axis=1, keepdims=True)
    tvd = np.abs(counts / shots - exact).sum(axis=1) / 2
    expected = np.sqrt(exact * (1 - exact) / shots).sum(axis=1) * np.sqrt(2 / np.pi) / 2
    return float((tvd / expected).max())
