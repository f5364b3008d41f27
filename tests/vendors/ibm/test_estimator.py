"""IBM's own mitigation of expectation values: the real client's program against the loopback."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp, Statevector

from backends.aer import AerBackend
from backends.base import BackendError
from backends.ibm.client import IBMClient
from backends.ibm.estimator import IBMEstimator, IBMMitigation
from backends.vendor import JobState, Submission, VendorBackend
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.mitigation.base import MitigationError
from qhw.mitigation.vendor_side import ask_ibm, rehearse_ibm
from tests.vendors.ibm.conftest import PATIENCE, Start

ANGLES = np.array([[0.9, -0.4], [2.1, 1.3]])
ENERGY = SparsePauliOp.from_list([("XXI", 1.0), ("IYY", 0.5), ("ZIX", -0.7), ("III", 2.0)])
FIELD = SparsePauliOp.from_list([("ZII", 0.6), ("IXI", -0.8)])
QUIET = NoiseOptions(gates=0, idle=0, depolarising=0, readout=0)


def chain() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.ry(Parameter("a"), 0)
    circuit.rx(Parameter("b"), 1)
    circuit.ry(0.7, 2)
    circuit.cz(0, 1)
    circuit.ry(0.4, 1)
    circuit.cz(1, 2)
    circuit.rz(0.6, 2)
    circuit.rz(-0.9, 0)
    return circuit


def exact() -> np.ndarray:
    states = [Statevector(chain().assign_parameters(row.tolist())) for row in ANGLES]
    return np.array([[s.expectation_value(o).real for o in (ENERGY, FIELD)] for s in states])


@pytest.mark.parametrize(
    "mitigation",
    [IBMMitigation(readout=False), IBMMitigation(), IBMMitigation(True, True, (1, 3, 5))],
)
def test_a_quiet_device_gives_the_exact_values(mitigation: IBMMitigation) -> None:
    found = rehearse_ibm(
        load_snapshot("ibm_fez"), chain(), ANGLES, [ENERGY, FIELD],
        mitigation=mitigation, shots=60_000, seed=2, noise=QUIET,
    )  # fmt: skip
    spread = {0: 0.03, 3: 0.15}[len(mitigation.scales)]
    assert np.abs(found.values - exact()).max() < spread
    assert 0.98 * 120_000 < found.total_shots <= 120_000
    assert found.pipeline == "none" and found.vendor == str(mitigation)
    assert found.groups == ()


def test_it_removes_readout_errors_and_a_seed_repeats_it() -> None:
    noise = NoiseOptions(gates=0, idle=0, depolarising=0, readout=4)
    raw, trex, again = (
        rehearse_ibm(
            load_snapshot("ibm_fez"), chain(), ANGLES, [ENERGY, FIELD],
            mitigation=IBMMitigation(readout), shots=100_000, seed=4, noise=noise,
        )
        for readout in (False, True, True)
    )  # fmt: skip
    assert np.abs(trex.values - exact()).max() < np.abs(raw.values - exact()).max() / 2
    assert np.array_equal(trex.values, again.values)


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_through_the_real_client(start: Start) -> None:
    vendor = start("ibm_lagos")
    device = IBMEstimator("ibm_lagos", client=IBMClient(patience=PATIENCE))
    assert isinstance(device, VendorBackend)
    asked = ask_ibm(
        device, chain(), ANGLES, [ENERGY, FIELD],
        mitigation=IBMMitigation(True, False, (1, 3, 5)), shots=60_000, seed=0,
    )  # fmt: skip
    device.validate(asked.submission)
    price = device.estimate(asked.submission)
    assert price.qpu_seconds is not None and price.usd > 0
    assert price.most_usd is not None and price.most_usd > price.usd
    assert device.payload(asked.submission, "key")
    handle = device.submit(asked.submission, "key")
    assert [h.vendor_id for h in device.find("key", handle.created)] == [handle.vendor_id]
    vendor.wait()
    status = device.status(handle)
    assert status.state is JobState.DONE, status.vendor_text
    found = asked.read(device, handle)
    assert len(vendor.jobs) == 1
    assert np.abs(found.values - exact()).max() < 0.2
    assert found.vendor == "IBM Estimator: TREX + ZNE(1,3,5,linear)"
    sent = vendor.jobs[0].body["params"]["quantum_program"]
    shots = sum(int(np.prod(item["shape"])) * sent["shots"] for item in sent["items"])
    assert found.total_shots == shots <= 120_000
    with pytest.raises(BackendError, match="no counts"):
        device.fetch(handle, asked.submission)
    plain = Submission(asked.submission.compiled, asked.submission.angles, 100)
    with pytest.raises(BackendError, match="EstimatorSubmission"):
        device.payload(plain, "key")


def test_bad_requests_are_one_clear_line() -> None:
    with pytest.raises(BackendError, match="3 or more"):
        IBMMitigation(scales=(1, 3))
    with pytest.raises(BackendError, match="linear or exponential"):
        IBMMitigation(extrapolator="cubic")  # type: ignore[arg-type]
    device = AerBackend(load_snapshot("ibm_fez"), scheduled=False)
    with pytest.raises(MitigationError, match="identity"):
        ask_ibm(device, chain(), ANGLES, "III", mitigation=IBMMitigation(), shots=900, seed=0)
    with pytest.raises(BackendError, match="at least one"):
        ask_ibm(device, chain(), ANGLES, ENERGY, mitigation=IBMMitigation(), shots=9, seed=0)
