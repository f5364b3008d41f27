"""IBM's snapshots: every one opens; values equal what qiskit-ibm-runtime itself reports."""

from __future__ import annotations

import json

import pytest
from qiskit_ibm_runtime.fake_provider import FakeBoston, FakeProviderForBackendV2

from calibration.readers.cleaning import Cleaner
from calibration.readers.ibm import (
    available_ibm,
    ibm_snapshot,
    made_up_ibm,
    read_ibm_backend,
    read_ibm_fake,
)
from calibration.snapshot import DeviceSnapshot, SnapshotError


def test_all_shipped_snapshots_open_and_round_trip():
    names = available_ibm()
    assert len(names) == len(FakeProviderForBackendV2().backends())
    devices = [read_ibm_fake(name) for name in names]
    assert [d.name for d in devices] == list(names)
    for device in devices[::7]:
        assert DeviceSnapshot.from_json(device.to_json()) == device


def test_devices_that_are_no_machines_say_so():
    assert made_up_ibm() == {"ibm_fractional", "ibm_nighthawk"}
    copied, lima = read_ibm_fake("ibm_fractional"), read_ibm_fake("ibm_lima")
    assert copied.qubits == lima.qubits and copied.taken == lima.taken  # whose figures it has
    for name in ("ibm_lima", "ibm_berlin", "ibm_auckland", "ibm_yorktown"):
        assert read_ibm_fake(name).made_up is None
    again = DeviceSnapshot.from_json(copied.to_json())
    assert again.made_up is not None and "fake_fractional" in again.made_up


# medians and dead directed edges of reference/ibm.md section 1
@pytest.mark.parametrize(
    "name, qubits, processor, date, error, dead",
    [
        ("ibm_boston", 156, "Heron r3", "2026-04-17", 0.00127, 2),
        ("ibm_fez", 156, "Heron r2", "2025-02-26", 0.00382, 14),
        ("ibm_torino", 133, "Heron r1", "2025-02-26", 0.00408, 22),
        ("ibm_berlin", 120, "Nighthawk r1", "2026-04-17", 0.00211, 12),
        ("ibm_sherbrooke", 127, "Eagle r3", "2025-02-26", 0.00750, 9),
        ("ibm_kyoto", 127, "Eagle r3", "2024-02-28", None, 144),
    ],
)
def test_known_devices(name, qubits, processor, date, error, dead):
    device = read_ibm_fake(name)
    assert (device.n_qubits, device.processor) == (qubits, processor)
    assert str(device.taken.date()) == date
    native = [g for g in device.gates if g.name in device.two_qubit_gates]
    assert sum(not g.usable for g in native) == dead
    median = device.median_two_qubit_error()
    assert median == (None if error is None else pytest.approx(error, rel=0.02))


def test_values_are_those_of_the_backends_own_target():
    backend, device = FakeBoston(), read_ibm_fake("fake_boston")
    assert device.name == "ibm_boston" and device.vendor == "ibm"
    target = backend.target
    for q in (0, 77, 155):
        assert device.qubits[q].t1_s == pytest.approx(target.qubit_properties[q].t1)
        assert device.gate("sx", [q]).error == target["sx"][q,].error
        assert device.gate("sx", [q]).duration_s == pytest.approx(target["sx"][q,].duration)
        assert device.qubits[q].readout_s == pytest.approx(target["measure"][q,].duration)
    for pair in ((0, 1), (3, 16)):
        assert device.gate("cz", pair).error == target["cz"][pair].error
    assert device.dt_s == backend.dt
    assert device.job_limits.max_shots == 100_000
    assert device.optional_gates == ("rx", "rzz")
    # asymmetric readout survives
    assert (device.qubits[0].p10, device.qubits[0].p01) == (0.00244140625, 0.005859375)


def test_live_backend_and_file_give_the_same_calibration():
    live, file = read_ibm_backend(FakeBoston()), read_ibm_fake("boston")
    ignored = {"source", "payload_sha256"}
    assert live.model_dump(exclude=ignored) == file.model_dump(exclude=ignored)


def test_unphysical_values_are_corrected_and_counted():
    device = read_ibm_fake("boston")
    assert device.correction_counts() == {"dead gate": 10, "T2 > 2 T1": 3}
    for fixed in (c for c in device.corrections if c.kind == "T2 > 2 T1"):
        qubit = device.qubits[fixed.qubits[0]]
        assert fixed.reported > fixed.used == qubit.t2_s == 2 * qubit.t1_s
    assert device.dead_qubits == {146}
    assert read_ibm_fake("cairo").correction_counts()["coupling without a gate"] == 2
    assert read_ibm_fake("kingston").correction_counts()["T1 missing"] == 1


def test_unknown_name_is_answered_with_the_closest():
    with pytest.raises(SnapshotError, match=r"'ibm_bostn' \(closest: ibm_boston.*; \d\d others"):
        read_ibm_fake("ibm_bostn")


def one_qubit_payload() -> tuple[dict, dict]:
    def value(name: str, number: float, unit: str = "") -> dict:
        return {"name": name, "value": number, "unit": unit}

    qubit = [
        value("T1", 100, "us"),
        value("T2", 300, "µs"),
        value("prob_meas1_prep0", -0.1),
        value("prob_meas0_prep1", 0.02),
        value("readout_length", 700, "ns"),
    ]
    sx = {"gate": "sx", "qubits": [0], "parameters": [value("gate_error", 1.0)]}
    conf = {"basis_gates": ["rz", "sx"], "coupling_map": None, "n_qubits": 1, "dt": 0.5}
    return conf, {"qubits": [qubit], "gates": [sx], "last_update_date": "2026-01-01T00:00:00Z"}


def read(conf: dict, props: dict) -> DeviceSnapshot:
    return ibm_snapshot(conf, props, name="ibm_test", source="props.json", sha256="0" * 64)


def test_every_kind_of_correction():
    device = read(*one_qubit_payload())
    assert device.qubits[0].t2_s == pytest.approx(200e-6)
    assert (device.qubits[0].p10, device.qubits[0].p01) == (0.0, 0.02)
    assert device.dt_s == 0.5e-9
    assert device.correction_counts() == {
        "T2 > 2 T1": 1,
        "readout probability out of range": 1,
        "gate duration missing": 1,
        "dead gate": 1,
    }


def test_an_error_that_no_depolarising_channel_has_is_noted():
    conf, props = one_qubit_payload()
    sx = props["gates"][0]
    for error, noted in ((0.66, 0), (0.67, 1)):  # 2/3 is the most of one qubit
        sx["parameters"] = [{"name": "gate_error", "value": error}]
        device = read(conf, props)
        assert device.correction_counts().get("gate error above what is simulated", 0) == noted
        assert device.gate("sx", [0]).error == error
    (note,) = (c for c in device.corrections if c.gate == "sx" and "above" in c.kind)
    assert note.reported == 0.67
    cleaner = Cleaner()
    for error in (0.8, 0.81):
        cleaner.gate("cz", (0, 1), error, 1e-7)
    assert [c.reported for c in cleaner.corrections] == [0.81]


def test_missing_errors_are_the_medians_of_those_known():
    conf, props = one_qubit_payload()
    (qubit,), (sx,) = props["qubits"], props["gates"]
    props["qubits"] = [qubit, [e for e in qubit if "meas" not in e["name"]], qubit]
    errors = (0.001, float("nan"), 0.003)
    props["gates"] = [
        sx | {"qubits": [q], "parameters": [{"name": "gate_error", "value": error}]}
        for q, error in enumerate(errors)
    ]
    device = read(conf, props)
    assert device.gate("sx", [1]).error == pytest.approx(0.002)
    assert (device.qubits[1].p10, device.qubits[1].p01) == (0.0, 0.02)
    used = {c.kind: c.used for c in device.corrections if "error missing" in c.kind}
    assert used == {
        "gate error missing": pytest.approx(0.002),
        "readout error missing": pytest.approx(0.01),
    }


@pytest.mark.parametrize(
    "breaks, message",
    [
        (lambda c, p: c.pop("basis_gates"), "props.json: 'basis_gates' is missing"),
        (lambda c, p: p.pop("last_update_date"), "props.json: 'last_update_date' is missing"),
        (lambda c, p: p.update(last_update_date="2026-01-01T00:00:00"), "props.json: .*timezone"),
        (
            lambda c, p: p.update(qubits=[[{"name": "T1"}]]),
            "json: `qubits.0.T1.value` is missing",
        ),
        (lambda c, p: p.update(gates=None), "props.json: "),
        (
            lambda c, p: p["qubits"][0][0].update(unit="min"),
            "T1.unit` must be a unit of .* 'min'",
        ),
        (lambda c, p: p["qubits"][0][4].pop("unit"), "readout_length.unit` must be a unit of time"),
        (lambda c, p: c.update(coupling_map=[[0, 5]]), "props.json: .*coupling"),
    ],
)
def test_malformed_payloads_are_refused_in_one_line(breaks, message):
    conf, props = json.loads(json.dumps(one_qubit_payload()))
    breaks(conf, props)
    with pytest.raises(SnapshotError, match=message) as caught:
        read(conf, props)
    assert "\n" not in str(caught.value)
