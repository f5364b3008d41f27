"""What a device would refuse is refused first, in one clear line, with nothing sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit

from backends.base import BackendError, UnknownBackendError
from backends.braket.checks import check_native
from backends.braket.devices import ARNS, Window, arn_of, name_of, read_device, region_of_arn
from backends.loopback.braket_devices import LoopbackDevice
from backends.loopback.faults import Fault, Rule
from backends.native.rows import native_rows
from backends.prices import PriceError
from backends.vendor import Submission, VendorError
from calibration.catalog import load_snapshot
from calibration.snapshot import DeviceSnapshot
from tests.backends.circuits import product_circuit, staircase_circuit
from tests.calibration.test_braket_reader import aqt
from tests.vendors.braket.conftest import ANGLES, Start, Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

WEEKDAY_MORNINGS = [
    {"executionDay": "Weekdays", "windowStartHour": "08:00:00", "windowEndHour": "11:59:59"}
]
SATURDAY = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def test_closed_window(start: Start, order: Submission) -> None:
    vendor = start(windows=WEEKDAY_MORNINGS)
    closed = vendor.connect(clock=lambda: SATURDAY)
    with pytest.raises(BackendError, match="opens Monday 2026-11-23 08:00 UTC"):
        closed.validate(order)
    vendor.connect(clock=lambda: SATURDAY, queue_when_closed=True).validate(order)
    vendor.connect(clock=lambda: MONDAY).validate(order)
    assert not vendor.orders()


def test_offline_device_is_noticed_half_a_minute_later(vendor: Vendor, order: Submission) -> None:
    now = [MONDAY]
    backend = vendor.connect(clock=lambda: now[0])
    backend.validate(order)
    vendor.service.devices["iqm_garnet"].status = "OFFLINE"
    now[0] += timedelta(seconds=31)
    with pytest.raises(BackendError, match="iqm_garnet is OFFLINE"):
        backend.validate(order)


def test_limits(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    compiled = order.compiled
    for shots in (0, 20_001, 1.5, True):
        with pytest.raises(BackendError, match="`shots` must be a whole number from 1 to 20000"):
            backend.validate(Submission(compiled, ANGLES, shots))  # type: ignore[arg-type]
    with pytest.raises(BackendError, match="at most 10 rows a task of 20000 shots"):
        backend.validate(Submission(compiled, np.zeros((11, 3)), 20_000))
    with pytest.raises(BackendError, match="at most 100 rows"):
        backend.validate(Submission(compiled, np.zeros((101, 3)), 10))
    with pytest.raises(BackendError, match="at least one row"):
        backend.validate(Submission(compiled, np.zeros((0, 3)), 10))
    with pytest.raises(BackendError, match="finite"):
        backend.validate(Submission(compiled, np.full((1, 3), np.nan), 10))
    with pytest.raises(BackendError, match="`debias` must be off on iqm_garnet"):
        vendor.connect(debias=True).validate(order)
    with pytest.raises(BackendError, match="`circuit` must fit iqm_garnet"):
        backend.compile(product_circuit(21))
    assert not vendor.orders()


def test_ionq_limits(start: Start) -> None:
    vendor = start("ionq_forte_enterprise")
    backend = vendor.connect("ionq_forte_enterprise", debias=True)
    compiled = backend.compile(product_circuit(2))
    with pytest.raises(BackendError, match="at least 2500 with debiasing"):
        backend.validate(Submission(compiled, ANGLES[:1, :2], 2499))
    with pytest.raises(BackendError, match="at most 1 rows"):
        backend.validate(Submission(compiled, ANGLES[:, :2], 2500))
    with pytest.raises(BackendError, match="from 100 to 5000"):
        backend.validate(Submission(compiled, ANGLES[:1, :2], 99))


@pytest.mark.parametrize("key", ["short", "with space", "a" * 65, "ümlaut-key", ""])
def test_keys_that_are_no_client_tokens(vendor: Vendor, order: Submission, key: str) -> None:
    with pytest.raises(BackendError, match="`key` must be"):
        vendor.connect().submit(order, key)
    assert not vendor.orders()


def test_coupling_that_died_since_compilation(vendor: Vendor) -> None:
    backend = vendor.connect()
    compiled = backend.compile(staircase_circuit(2))
    submission = Submission(compiled, ANGLES[:, :2], 100)
    backend.validate(submission)
    a, b = compiled.physical_qubits[:2]
    snapshot = load_snapshot("iqm_garnet")
    gates = tuple(
        g.model_copy(update={"usable": False}) if set(g.qubits) == {a, b} else g
        for g in snapshot.gates
    )
    fields = {name: getattr(snapshot, name) for name in type(snapshot).model_fields}
    dead = DeviceSnapshot(**(fields | {"gates": gates}))
    labels = (
        f"{snapshot.labels[a]}, {snapshot.labels[b]}|{snapshot.labels[b]}, {snapshot.labels[a]}"
    )
    with pytest.raises(BackendError, match=rf"no usable cz on qubits \[({labels})\] now"):
        check_native(native_rows(compiled, ANGLES[:, :2]), dead, compiled.physical_qubits)


def test_rigetti_takes_quarter_turns_only() -> None:
    snapshot = load_snapshot("rigetti_cepheus_1_108q")
    circuit = QuantumCircuit(1)
    circuit.rx(np.pi / 2, 0)
    check_native([circuit], snapshot, (0,))
    circuit.rx(0.3, 0)
    with pytest.raises(BackendError, match=r"does not take rx by 0\.3 rad"):
        check_native([circuit], snapshot, (0,))


def test_names_and_regions() -> None:
    with pytest.raises(UnknownBackendError, match="iqm_garnet"):
        arn_of("iqm_garnat")
    assert arn_of(ARNS["sv1"]) == ARNS["sv1"]
    assert region_of_arn(ARNS["iqm_garnet"]) == "eu-north-1"
    assert region_of_arn(ARNS["sv1"]) == "us-east-1"
    assert name_of(ARNS["iqm_garnet"]) == name_of("iqm_garnet") == "iqm_garnet"
    assert name_of("arn:aws:braket:eu-north-1::device/qpu/iqm/New") == "New"


def test_simulators_are_asked_in_one_region(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task accepted in one region would not be found by its key in another."""
    vendor = start("sv1")
    for region in ("us-west-2", "eu-west-2"):
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        vendor.connect("sv1").device()
    signed = [r.headers["authorization"].split("/")[2] for r in vendor.server.received]
    assert signed == ["us-east-1", "us-east-1"]


def test_templates_of_other_devices(start: Start, order: Submission) -> None:
    vendor = start("iqm_emerald", "sv1")
    with pytest.raises(BackendError, match="compiled for iqm_emerald, but is for iqm_garnet"):
        vendor.connect("iqm_emerald").submit(order, "key-00000000")
    plain = vendor.connect("sv1").compile(product_circuit(2))
    with pytest.raises(BackendError, match="but is for a simulator"):
        vendor.connect("iqm_emerald").submit(Submission(plain, ANGLES[:1, :2], 100), "key-00000000")
    assert not vendor.orders()


def aqt_answer() -> bytes:
    """What GetDevice would say of AQT's device, of which no capture is shipped."""
    told = aqt()
    told["service"] |= {"deviceCost": {"price": 0.0235, "unit": "shot"}, "shotsRange": [1, 2000]}
    told["paradigm"]["qubitCount"] = 2
    answer = {
        "deviceArn": ARNS["aqt_ibex_q1"],
        "deviceName": "Ibex-Q1",
        "providerName": "AQT",
        "deviceType": "QPU",
        "deviceStatus": "ONLINE",
        "deviceCapabilities": json.dumps(told),
    }
    return json.dumps(answer).encode()


def test_a_device_without_a_price_is_refused_until_the_user_gives_one(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AQT's fee of a task is in no document; Amazon publishes the shot's only."""
    monkeypatch.delenv("QHW_PRICES", raising=False)
    headers = {"Content-Type": "application/json"}
    vendor.faults.add(
        Rule(r"/device/.*Ibex.*", Fault.answer(200, headers=headers, body=aqt_answer()), times=None)
    )
    backend = vendor.connect("aqt_ibex_q1")
    order = Submission(backend.compile(product_circuit(2)), ANGLES[:1, :2], 100)
    with pytest.raises(PriceError, match=r"braket:aqt_ibex_q1 has none.*QHW_PRICES") as refusal:
        backend.estimate(order)
    said = str(refusal.value)
    assert "\n" not in said
    form = said[said.index("{") : said.rindex("}") + 1]
    own = form.replace("YYYY-MM-DD", "2026-11-21").replace("..., ", "0.3, ", 1)
    (tmp_path / "own.json").write_text(own.replace("..., ", "9.0, ", 1))
    monkeypatch.setenv("QHW_PRICES", str(tmp_path / "own.json"))
    assert backend.estimate(order).usd == pytest.approx(0.3 + 100 * 0.0235)  # the shot is Amazon's
    assert not vendor.orders()


def test_simulations_are_priced_by_their_size(start: Start) -> None:
    """No limit of time can be given, so what may take long is not taken for three seconds."""
    vendor = start("sv1", "dm1")
    small, wide = product_circuit(7), staircase_circuit(16)
    prices = {}
    for name in ("sv1", "dm1"):
        backend = vendor.connect(name)
        for circuit in (small, wide):
            n = circuit.num_qubits
            order = Submission(backend.compile(circuit), np.zeros((2, n)), 1000)
            prices[name, n] = backend.estimate(order).usd
    assert prices["sv1", 7] == prices["dm1", 7] == pytest.approx(2 * 3 * 0.00125)
    assert prices["sv1", 16] == prices["sv1", 7]
    # at least a gate of 4**16 amplitudes on each of 16 qubits
    assert prices["dm1", 16] > 2 * 16 * 4**16 * 25e-9 * 0.00125
    with pytest.raises(BackendError, match="at most 17 qubits on dm1"):
        backend = vendor.connect("dm1")
        compiled = backend.compile(product_circuit(18))
        backend.validate(Submission(compiled, np.zeros((1, 18)), 100))


def test_unusable_description_of_a_device() -> None:
    answer = LoopbackDevice("iqm_garnet").description()
    told = json.loads(answer["deviceCapabilities"])
    del told["service"]["shotsRange"]
    broken = answer | {"deviceCapabilities": json.dumps(told)}
    with pytest.raises(VendorError, match=r"`service\.shotsRange` is missing"):
        read_device("iqm_garnet", broken, MONDAY)
    with pytest.raises(VendorError, match="must be JSON"):
        read_device("iqm_garnet", answer | {"deviceCapabilities": "{"}, MONDAY)


@given(
    day=st.sampled_from(["Everyday", "Weekdays", "Weekend", "Tuesday"]),
    start=st.integers(0, 86399),
    end=st.integers(0, 86399),
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),
)
def test_windows_against_a_timeline(day: str, start: int, end: int, moment: datetime) -> None:
    """Independent: lay every opening of the last two days out on a line."""
    moment = moment.replace(tzinfo=UTC, microsecond=0)
    days = {
        "Everyday": {0, 1, 2, 3, 4, 5, 6},
        "Weekdays": {0, 1, 2, 3, 4},
        "Weekend": {5, 6},
        "Tuesday": {1},
    }[day]
    clock = [time(s // 3600, s // 60 % 60, s % 60) for s in (start, end)]
    window = Window(frozenset(days), *clock)
    inside = False
    for back in (0, 1):
        midnight = moment.replace(hour=0, minute=0, second=0) - timedelta(days=back)
        if midnight.weekday() in days:
            opens = midnight + timedelta(seconds=start)
            shuts = midnight + timedelta(seconds=end, days=1 if end < start else 0)
            inside |= opens <= moment <= shuts
    assert window.contains(moment) == inside


def test_next_opening() -> None:
    answer = LoopbackDevice("iqm_garnet", WEEKDAY_MORNINGS).description()
    device = read_device("iqm_garnet", answer, MONDAY)
    assert device.next_opening(SATURDAY) == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert device.next_opening(MONDAY) == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert device.is_open(MONDAY) and not device.is_open(SATURDAY)
    assert device.queue == {"QUANTUM_TASKS_QUEUE Normal": "0"}
