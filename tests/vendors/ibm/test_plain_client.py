"""IBM's own public client against the loopback: what the server must answer, what we avoid."""

from __future__ import annotations

import time

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.executor_sampler import Sampler

from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API
from backends.vendor import Submission, SubmissionUncertain
from tests.vendors.ibm.conftest import Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

DEVICE = "ibm_boston"


def bell_like(service: QiskitRuntimeService) -> tuple[Sampler, QuantumCircuit]:
    backend = service.backend("ibm_boston")
    circuit = QuantumCircuit(2, 2)
    circuit.ry(0.8, 1)
    circuit.cx(1, 0)
    circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    return Sampler(mode=backend), transpile(circuit, backend, seed_transpiler=0)


def test_whole_path_of_ibms_sampler(vendor: Vendor) -> None:
    service = QiskitRuntimeService()
    assert service.least_busy().name == "ibm_boston"
    sampler, circuit = bell_like(service)
    job = sampler.run([circuit], shots=4000)
    counts = job.result()[0].data.c.get_counts()
    p = np.sin(0.4) ** 2
    # bit 1 flips with p, bit 0 is its opposite
    assert set(counts) == {"01", "10"}
    assert abs(counts["10"] / 4000 - p) < 4 * np.sqrt(p * (1 - p) / 4000)
    assert str(job.status()) == "DONE"
    assert job.usage() == vendor.platform.queue.billed_s
    assert [j.job_id() for j in service.jobs(limit=5)] == [job.job_id()]


def test_ibms_client_orders_twice_and_ours_once(vendor: Vendor, order: Submission) -> None:
    sampler, circuit = bell_like(QiskitRuntimeService())
    vendor.faults.add(Rule(f"{API}/jobs", Fault.answer(504, after=True), "POST"))
    sampler.run([circuit], shots=100)
    assert len(vendor.jobs) == 2

    backend = vendor.connect()
    vendor.faults.add(Rule(f"{API}/jobs", Fault.answer(504, after=True), "POST"))
    with pytest.raises(SubmissionUncertain):
        backend.submit(order, "key")
    assert len(vendor.jobs) == 3


def test_thousand_rows_in_a_minute(vendor: Vendor) -> None:
    from tests.backends.circuits import staircase_circuit

    backend = vendor.connect()
    compiled = backend.compile(staircase_circuit(7))
    x = np.random.default_rng(0).uniform(0, 3, (1000, 7))
    started = time.process_time(), time.monotonic()
    parts = backend.split(Submission(compiled, x, 4096))
    handles = [backend.submit(part, f"key-{i}") for i, part in enumerate(parts)]
    vendor.platform.queue.wait_idle(600.0)
    waited = time.monotonic()
    found = [backend.fetch(h, part).counts for h, part in zip(handles, parts, strict=True)]
    assert np.concatenate(found).shape == (1000, 128)
    assert time.monotonic() - waited < 30.0
    assert time.process_time() - started[0] < 60.0  # the vendor's own work included
