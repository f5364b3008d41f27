"""``emulator:`` of a Braket device: the same protocol, the same payload, no network at all."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backends.base import BackendError, UnknownBackendError
from backends.braket.emulator import BraketEmulator
from backends.loopback.braket_devices import LoopbackDevice
from backends.registry import get_vendor
from backends.vendor import JobState, Submission, VendorBackend
from calibration.noise import NoiseOptions
from tests.backends.circuits import product_circuit, staircase_circuit, staircase_distribution
from tests.vendors.braket.conftest import distance

X3 = np.array([[0.3, 1.0, 2.0], [2.8, 0.1, 0.7]])
PERFECT = NoiseOptions(gates=0.0, idle=0.0, readout=0.0)
KEY = "key-00000000"


@pytest.mark.parametrize(
    "device", ["iqm_garnet", "rigetti_cepheus_1_108q", "ionq_forte_enterprise"]
)
@pytest.mark.parametrize("measured", [(0, 1, 2), (2, 0)])
def test_bit_order_without_noise(device: str, measured: tuple[int, ...]) -> None:
    backend = BraketEmulator(device, noise=PERFECT)
    compiled = backend.compile(staircase_circuit(3, measured))
    found = []
    for part in backend.split(Submission(compiled, X3, 4000)):
        backend.validate(part)
        handle = backend.submit(part, KEY)
        assert backend.status(handle).state is JobState.DONE
        assert backend.find(KEY, datetime.now(UTC))[0].vendor_id == handle.vendor_id
        found.append(backend.fetch(handle, part).counts)
    exact = np.array([staircase_distribution(row, measured) for row in X3])
    assert distance(np.concatenate(found), exact) < 2.5


def test_same_key_same_counts_other_key_others() -> None:
    backend = BraketEmulator("iqm_garnet")
    order = Submission(backend.compile(staircase_circuit(3)), X3, 2000)
    first, again, other = (
        backend.fetch(backend.submit(order, key), order).counts for key in (KEY, KEY, KEY + "1")
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("device", ["iqm_garnet", "ionq_forte_enterprise"])
def test_noise_has_its_closed_form(device: str) -> None:
    """Closed form: a depolarised rotation, then asymmetric readout."""
    from calibration.catalog import load_snapshot

    options = NoiseOptions(gates=5.0, readout=2.0)
    backend = BraketEmulator(device, noise=options)
    order = Submission(backend.compile(product_circuit(1)), np.array([[0.4]]), 5000)
    counts = backend.fetch(backend.submit(order, KEY), order).counts
    snapshot = load_snapshot(device)
    qubit = order.compiled.physical_qubits[0]
    part = snapshot.qubits[qubit]
    assert part.p10 is not None and part.p01 is not None
    gate = snapshot.gate(snapshot.one_qubit_gates[-1], [qubit])
    assert gate is not None and gate.error is not None
    one = np.sin(0.2) ** 2
    pulses = 1 if device == "iqm_garnet" else 2
    # average gate infidelity e of one qubit shrinks the Bloch vector by 1 - 2 e
    one = 0.5 + (one - 0.5) * (1 - 10 * gate.error) ** pulses
    read = one * (1 - 2 * part.p01) + (1 - one) * 2 * part.p10
    assert counts[0, 1] / 5000 == pytest.approx(read, abs=0.02)


def test_captured_properties_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "captured.json"
    file.write_text(json.dumps(LoopbackDevice("iqm_garnet").capabilities()))
    backend = get_vendor(f"emulator:{file}")
    assert isinstance(backend, VendorBackend)
    order = Submission(backend.compile(product_circuit(2)), X3[:, :2], 100)
    backend.validate(order)
    assert backend.fetch(backend.submit(order, KEY), order).counts.sum() == 200
    assert backend.estimate(order).usd == 0.0


def test_payload_is_braket_s() -> None:
    backend = BraketEmulator("iqm_garnet")
    order = Submission(backend.compile(product_circuit(2)), X3[:, :2], 100)
    shown = json.loads(backend.payload(order, KEY))
    assert shown["deviceArn"].endswith("/iqm/Garnet")
    assert "#pragma braket verbatim" in shown["action"]


def test_refusals() -> None:
    backend = BraketEmulator("iqm_garnet")
    order = Submission(backend.compile(product_circuit(15)), np.zeros((1, 15)), 100)
    with pytest.raises(BackendError, match="at most 14 qubits on an emulator"):
        backend.submit(order, KEY)
    with pytest.raises(UnknownBackendError, match="iqm_garnit"):
        get_vendor("emulator:iqm_garnit")


@pytest.mark.parametrize("name", ["braket:iqm_garnet", "emulator:iqm_garnet"])
def test_without_amazons_packages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [m for m in sys.modules if m.startswith("backends.braket")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "braket.device_schema", None)
    monkeypatch.setitem(sys.modules, "braket.ir.openqasm", None)
    with pytest.raises(UnknownBackendError, match=r"pip install 'qhw\[braket\]'"):
        get_vendor(name)
    assert get_vendor("emulator:ibm_boston").name == "emulator:ibm_boston"
