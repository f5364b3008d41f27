"""The real client against the loopback IBM: what comes back is what the circuit says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from backends.base import BackendError, CompiledTemplate, UnknownBackendError
from backends.ibm.backend import IBMBackend
from backends.ibm.program import IBMOptions, randomizations
from backends.registry import get_backend, get_vendor
from backends.vendor import JobState, Submission, SubmissionRefused, VendorBackend
from calibration.noise import NoiseOptions
from tests.backends.circuits import (
    staircase_circuit,
    staircase_distribution,
)
from tests.vendors.ibm.conftest import ANGLES, Start, Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

DEVICE = "ibm_boston"

SHOTS = 8192
X4 = np.array([[0.3, 1.0, 2.0, 0.5], [2.8, 0.1, 0.7, 1.9]])


def distance(counts: NDArray[np.int64], exact: NDArray[np.float64]) -> float:
    """Largest total variation distance over rows, in units of what shot noise alone gives."""
    shots = counts.sum(axis=1, keepdims=True)
    tvd = np.abs(counts / shots - exact).sum(axis=1) / 2
    expected = np.sqrt(exact * (1 - exact) / shots).sum(axis=1) * np.sqrt(2 / np.pi) / 2
    return float((tvd / expected).max())


def run(vendor: Vendor, backend: IBMBackend, submission: Submission) -> NDArray[np.int64]:
    """Submit, wait, fetch."""
    backend.validate(submission)
    handle = backend.submit(submission, "key")
    vendor.wait()
    assert backend.status(handle).state is JobState.DONE, backend.status(handle).vendor_text
    found = backend.fetch(handle, submission)
    assert not found.row_errors
    assert json.loads(found.raw)["schema_version"] == "v2.0"
    return found.counts


@pytest.mark.parametrize("device", ["ibm_boston", "ibm_sherbrooke"])
@pytest.mark.parametrize("measured", [(0, 1, 2, 3), (2, 0, 3)])
def test_bit_order_cz_and_ecr(start: Start, device: str, measured: tuple[int, ...]) -> None:
    vendor = start(device)
    backend = vendor.connect(device)
    compiled = backend.compile(staircase_circuit(4, measured), seed=1)
    used = {item.operation.name for item in compiled.circuit.data}
    assert ("cz" if device == "ibm_boston" else "ecr") in used
    assert sorted(compiled.physical_qubits) != list(compiled.physical_qubits) or device != (
        "ibm_boston"
    )
    counts = run(vendor, backend, Submission(compiled, X4, SHOTS))
    exact = np.array([staircase_distribution(row, measured) for row in X4])
    assert distance(counts, exact) < 3.0


def rzz_circuit(a: float) -> QuantumCircuit:
    """H, RZZ(a), H on wires 0 and 1 flips both with probability sin^2(a/2); wire 2 is RY(b)."""
    circuit = QuantumCircuit(3, 3)
    circuit.h([2, 1])
    circuit.rzz(a, 2, 1)
    circuit.h([2, 1])
    circuit.ry(Parameter("b"), 0)
    circuit.measure(range(3), range(3))
    return circuit


@pytest.mark.parametrize("a", [0.4, -2.9])
def test_fractional_gates(vendor: Vendor, a: float) -> None:
    backend = vendor.connect(options=IBMOptions(fractional=True))
    compiled = backend.compile(rzz_circuit(a))
    assert "rzz" in {item.operation.name for item in compiled.circuit.data}
    angles = np.array([[2.2], [0.7]])
    flip, one = np.sin(a / 2) ** 2, np.sin(angles[:, 0] / 2) ** 2
    exact = np.zeros((2, 8))
    exact[:, 0b000], exact[:, 0b001] = (1 - flip) * (1 - one), (1 - flip) * one
    exact[:, 0b110], exact[:, 0b111] = flip * (1 - one), flip * one
    assert distance(run(vendor, backend, Submission(compiled, angles, SHOTS)), exact) < 3.0


def test_angles_of_every_row_are_checked(vendor: Vendor) -> None:
    backend = vendor.connect(options=IBMOptions(fractional=True))
    compiled = backend.compile(rzz_circuit(0.4))
    (place,) = (
        [compiled.circuit.find_bit(q).index for q in item.qubits]
        for item in compiled.circuit.get_instructions("rzz")
    )
    free = QuantumCircuit(3, 3)
    free.rzz(2 * Parameter("b"), *place)
    free.measure(range(3), range(3))
    template = replace(compiled, circuit=free)
    backend.validate(Submission(template, np.array([[0.3], [0.7]]), 100))
    outside = Submission(template, np.array([[0.3], [0.8]]), 100)
    with pytest.raises(BackendError, match="angle of rzz"):
        backend.validate(outside)
    with pytest.raises(SubmissionRefused, match="angle of rzz"):
        backend.submit(outside, "never")
    assert not vendor.jobs


@pytest.mark.parametrize(
    "options",
    [
        IBMOptions(twirl_gates=True, twirl_readout=True),
        IBMOptions(decoupling="XY4"),
        IBMOptions(rep_delay_s=5e-5),
    ],
)
def test_options_are_posted_and_keep_the_distribution(vendor: Vendor, options: IBMOptions) -> None:
    backend = vendor.connect(options=options)
    compiled = backend.compile(staircase_circuit(4))
    counts = run(vendor, backend, Submission(compiled, X4, SHOTS))
    exact = np.array([staircase_distribution(row, (0, 1, 2, 3)) for row in X4])
    assert distance(counts, exact) < 3.0
    body = json.loads(vendor.requests("POST", "/jobs")[0].body)
    program = body["params"]["quantum_program"]
    said = program["passthrough_data"]["post_processor"]["options"]
    assert said["twirling"]["strategy"] == "active"
    assert said["twirling"]["enable_gates"] is options.twirl_gates
    assert said["dynamical_decoupling"]["enable"] is (options.decoupling is not None)
    assert body["params"]["options"]["rep_delay"] == options.rep_delay_s
    assert program["items"][0]["item_type"] == ("samplex" if options.twirled else "circuit")


def test_twirled_shots_are_shared_out_evenly() -> None:
    assert [randomizations(n) for n in (4096, 1000, 90)] == [32, 50, 45]
    with pytest.raises(BackendError, match="divisor"):
        randomizations(4093)


def test_noisy_counts_equal_the_simulator(start: Start) -> None:
    vendor = start("ibm_torino", noise=NoiseOptions())
    backend, simulator = vendor.connect("ibm_torino"), get_backend("aer:ibm_torino")
    compiled = backend.compile(staircase_circuit(4))
    counts = run(vendor, backend, Submission(compiled, X4, 20_000))
    expected = simulator.probabilities(simulator.compile(staircase_circuit(4)), X4)
    assert distance(counts, expected) < 3.0
    ideal = np.array([staircase_distribution(row, (0, 1, 2, 3)) for row in X4])
    assert distance(counts, ideal) > 5.0


def test_many_rows_are_one_small_job(vendor: Vendor) -> None:
    backend = vendor.connect()
    compiled = backend.compile(staircase_circuit(6))
    x = np.random.default_rng(0).uniform(0, 3, (100, 6))
    submission = Submission(compiled, x, 256)
    assert backend.split(submission) == (submission,)
    handle = backend.submit(submission, "key")
    vendor.wait()
    (post,) = vendor.requests("POST", "/jobs")
    program = json.loads(post.body)["params"]["quantum_program"]
    assert len(program["items"]) == 1
    assert len(post.body) < 50_000
    counts = backend.fetch(handle, submission).counts
    exact = np.array([staircase_distribution(row, tuple(range(6))) for row in x])
    assert distance(counts, exact) < 4.0


def test_circuit_without_parameters(vendor: Vendor) -> None:
    backend = vendor.connect()
    circuit = QuantumCircuit(2, 2)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    compiled = backend.compile(circuit)
    counts = run(vendor, backend, Submission(compiled, np.empty((3, 0)), 50))
    assert counts.tolist() == [[0, 0, 50, 0]] * 3


def test_payload_is_what_is_posted(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    payload = backend.payload(order, "the-key")
    assert not vendor.requests("POST", "/jobs")
    backend.submit(order, "the-key")
    (post,) = vendor.requests("POST", "/jobs")
    assert post.body == payload
    assert json.loads(payload)["tags"] == ["the-key"]


def test_cost_is_bounded_and_billed_as_estimated(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    estimate = backend.estimate(order)
    handle = backend.submit(order, "key")
    vendor.wait()
    usage = backend.usage(handle)
    assert estimate.qpu_seconds is not None
    assert usage.qpu_seconds == pytest.approx(estimate.qpu_seconds, rel=0.01)
    assert usage.qpu_seconds == vendor.platform.queue.billed_s
    assert usage.usd == pytest.approx(estimate.usd, rel=0.01)
    cost = json.loads(vendor.requests("POST", "/jobs")[0].body)["cost"]
    assert estimate.qpu_seconds < cost < 2 * estimate.qpu_seconds + 15


def test_usage_is_unknown_before_the_end(vendor: Vendor, order: Submission) -> None:
    vendor.platform.queue.hold()
    backend = vendor.connect()
    handle = backend.submit(order, "key")
    assert backend.usage(handle).usd is None
    assert backend.status(handle).state is JobState.QUEUED
    assert backend.cancel(handle).state is JobState.CANCELLED
    assert backend.cancel(handle).state is JobState.CANCELLED
    found = backend.fetch(handle, order)
    assert set(found.row_errors) == {0, 1} and not found.counts.any()
    assert backend.usage(handle).qpu_seconds == 0.0


def test_failed_job_keeps_the_vendors_words(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    body = json.loads(backend.payload(order, "key"))
    body["cost"] = 1
    job = vendor.platform.queue.accept(body)
    vendor.wait()
    (handle,) = backend.find("key", datetime.now(UTC))
    assert handle.vendor_id == job.id
    status = backend.status(handle)
    assert status.state is JobState.FAILED
    assert "1305" in status.vendor_text and "ran too long" in status.vendor_text
    assert backend.fetch(handle, order).row_errors[1] == status.vendor_text


def test_server_fails_what_the_device_cannot_do(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    body = json.loads(backend.payload(order, "key"))
    body["params"]["quantum_program"]["shots"] = 10**9
    job = vendor.platform.queue.accept(body)
    vendor.wait()
    assert (job.status, job.billed_s) == ("Failed", 0.0)


def test_gates_off_their_place_are_refused(vendor: Vendor, compiled: CompiledTemplate) -> None:
    backend = vendor.connect()
    pair = backend.compile(staircase_circuit(2))
    far = replace(pair, physical_qubits=(0, 100))
    with pytest.raises(BackendError, match="native gates"):
        backend.validate(Submission(far, X4[:, :2], 100))
    for shots in (0, 10**6, 1.5):
        with pytest.raises(BackendError, match="shots"):
            backend.validate(Submission(compiled, ANGLES, shots))  # type: ignore[arg-type]
    with pytest.raises(BackendError, match="at least one row"):
        backend.validate(Submission(compiled, np.empty((0, 3)), 100))
    with pytest.raises(BackendError, match="finite"):
        backend.validate(Submission(compiled, ANGLES * np.nan, 100))


def test_split_keeps_rows_in_order(vendor: Vendor, compiled: CompiledTemplate) -> None:
    x = np.random.default_rng(0).normal(size=(301, 3))
    parts = vendor.connect().split(Submission(compiled, x, 100_000))
    assert len(parts) == 4
    assert max(len(p.angles) for p in parts) * 100_000 <= 10_000_000
    assert np.array_equal(np.concatenate([p.angles for p in parts]), x)


def test_batches_only_when_asked(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    backend.submit(order, "a")
    session = backend.open_session("batch", 600)
    backend.submit(order, "b")
    backend.close_session()
    backend.submit(order, "c")
    bodies = [json.loads(post.body) for post in vendor.requests("POST", "/jobs")]
    assert [body.get("session_id") for body in bodies] == [None, session, None]


def test_unknown_device_lists_those_there_are(vendor: Vendor) -> None:
    with pytest.raises(UnknownBackendError, match="ibm_boston"):
        _ = vendor.connect("ibm_bostn").snapshot


def test_offline_device_is_refused_before_anything_is_sent(
    vendor: Vendor, order: Submission
) -> None:
    backend = vendor.connect()
    vendor.platform.offline.add("ibm_boston")
    with pytest.raises(BackendError, match="maintenance"):
        backend.validate(order)
    assert not vendor.requests("POST", "/jobs")


def test_registry_gives_the_protocol(vendor: Vendor) -> None:
    backend = get_vendor("ibm:ibm_boston")
    assert isinstance(backend, VendorBackend)
    assert backend.name == "ibm:ibm_boston"
    assert backend.snapshot is not None and backend.snapshot.n_qubits == 156
