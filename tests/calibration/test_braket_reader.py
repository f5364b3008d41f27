"""Braket payloads: small invented ones, and real captured ones where they are at hand."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest

from calibration.catalog import load_snapshot
from calibration.readers.braket import braket_snapshot, read_braket
from calibration.snapshot import DeviceSnapshot, SnapshotError

CAPTURED = Path(os.environ.get("QHW_BRAKET_DATA", "../shared/data/braket"))


def fidelity(kind: str, value: float) -> dict[str, Any]:
    return {"fidelityType": {"name": kind}, "fidelity": value}


def document(vendor: str, gates: list[str], graph: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "braketSchemaHeader": {
            "name": f"braket.device_schema.{vendor}.{vendor}_device_capabilities",
            "version": "1",
        },
        "service": {
            "shotsRange": [1, 2000],
            "deviceCost": {"price": 0.5, "unit": "minute"},
            "updatedAt": "2026-01-01T01:00:00+01:00",
        },
        "action": {"braket.ir.openqasm.program_set": {"maximumExecutables": 10}},
        "paradigm": {
            "nativeGateSet": gates,
            "connectivity": {"fullyConnected": False, "connectivityGraph": graph},
        },
    }


def iqm() -> dict[str, Any]:
    """Three qubits counted from 1; coupling 2-3 has no figures."""
    doc = document("iqm", ["cz", "prx", "barrier"], {"1": ["2"], "2": ["3"]})
    one = {
        "T1": {"value": 40, "unit": "us"},
        "T2": {"value": 100e-6, "unit": "S"},
        "oneQubitFidelity": [
            fidelity("SIMULTANEOUS_RANDOMIZED_BENCHMARKING", 0.99),
            fidelity("RANDOMIZED_BENCHMARKING", 0.999),
            fidelity("READOUT_ERROR_0_TO_1", 0.01),
            fidelity("READOUT_ERROR_1_TO_0", 0.03),
        ],
    }
    pair = {"twoQubitGateFidelity": [fidelity("X", 0.98) | {"gateName": "CZ"}]}
    doc["standardized"] = {
        "oneQubitProperties": {q: copy.deepcopy(one) for q in ("1", "2", "3")},
        "twoQubitProperties": {"2-1": pair},
    }
    return doc


def aqt() -> dict[str, Any]:
    doc = document("aqt", ["prx", "xx", "rz"], {"0": ["1"], "1": ["0"]})
    doc["paradigm"]["connectivity"]["fullyConnected"] = True
    doc["provider"] = {
        "properties": {
            "single_qubit_gate_fidelity": {"0": {"value": 99.9}, "1": {"value": 99.8}},
            "mean_two_qubit_gate_fidelity": {"value": 98.0},
            "spam_fidelity_lower_bound": 99.0,
            "t2_coherence_time_s": {"value": 0.5},
            "t1_s": {"value": 1.1},
            "readout_time_micros": 1500,
            "single_qubit_gate_duration_micros": 15,
            "two_qubit_gate_duration_micros": 200,
        }
    }
    return doc


def read(doc: dict[str, Any]) -> DeviceSnapshot:
    return braket_snapshot(json.dumps(doc), file="device.json")


def test_iqm_figures_of_each_qubit():
    device = read(iqm())
    assert (device.vendor, device.labels) == ("iqm", (1, 2, 3))
    assert device.one_qubit_gates == ("r",) and device.two_qubit_gates == ("cz",)
    assert str(device.taken) == "2026-01-01 00:00:00+00:00"
    qubit = device.qubits[0]
    assert (qubit.t1_s, qubit.t2_s) == (pytest.approx(40e-6), pytest.approx(80e-6))
    assert (qubit.p10, qubit.p01) == (0.01, 0.03)
    assert device.gate("r", [2]).error == pytest.approx(1e-3)
    assert device.gate("cz", [0, 1]).error == pytest.approx(0.02)
    assert device.gate("cz", [1, 2]).error == pytest.approx(0.02)  # missing: the median
    assert device.price.usd_per_second == pytest.approx(0.5 / 60)
    assert (device.job_limits.max_shots, device.job_limits.max_circuits) == (2000, 10)
    assert device.correction_counts() == {
        "gate duration missing": 5,
        "T2 > 2 T1": 3,
        "gate error missing": 1,
    }


def test_missing_errors_attract_no_layout():
    """As 0 they would make the coupling and the readout of which nothing is known the best ones."""
    doc = iqm()
    del doc["standardized"]["oneQubitProperties"]["3"]["oneQubitFidelity"][1:]
    device = read(doc)
    assert (device.qubits[2].p10, device.qubits[2].p01) == (0.01, 0.03)
    notes = {(c.kind, c.qubits): c.used for c in device.corrections}
    assert notes["gate error missing", (1, 2)] == pytest.approx(0.02)
    assert notes["readout error missing", (2,)] == pytest.approx(0.02)
    doc["standardized"]["twoQubitProperties"]["2-1"]["twoQubitGateFidelity"] = []
    assert read(doc).gate("cz", [0, 1]).error is None  # none is known


def test_aqt_figures_of_the_whole_device():
    device = read(aqt())
    assert device.virtual_gates == ("rz",) and device.two_qubit_gates == ("rxx",)
    assert device.gate("r", [1]).error == pytest.approx(2e-3)
    assert device.gate("r", [1]).duration_s == pytest.approx(15e-6)
    assert device.gate("rxx", [0, 1]).error == pytest.approx(0.02)
    assert device.gate("rz", [0]).duration_s == 0
    assert device.qubits[0].readout_s == pytest.approx(1.5e-3)
    assert device.qubits[1].p01 == pytest.approx(0.01)
    assert device.correction_counts() == {"only device-wide figures reported": 1}


def test_a_document_encoded_twice_reads_the_same():
    device = braket_snapshot(json.dumps(json.dumps(iqm())), file="device.json")
    ignored = {"payload_sha256"}
    assert device.model_dump(exclude=ignored) == read(iqm()).model_dump(exclude=ignored)


def test_a_missing_time_zone_is_noted():
    doc = iqm()
    doc["service"]["updatedAt"] = "2026-01-01T01:00:00"
    assert read(doc).correction_counts()["time zone missing, UTC assumed"] == 1


def change(*path: str, to: Any = None) -> Any:
    def apply(doc: dict[str, Any]) -> None:
        for key in path[:-1]:
            doc = doc[key]
        if to is None:
            del doc[path[-1]]
        else:
            doc[path[-1]] = to

    return apply


HEADER = ("braketSchemaHeader", "name")
GRAPH = ("paradigm", "connectivity", "connectivityGraph")
ONE = ("standardized", "oneQubitProperties", "2")


@pytest.mark.parametrize(
    "damage, message",
    [
        (change(*HEADER, to="braket.device_schema.oqc.oqc_device_capabilities"), "iqm, rigetti"),
        (change(*HEADER), "`braketSchemaHeader.name` is missing"),
        (change("paradigm", "nativeGateSet", to=["cz", "foo"]), r"`paradigm.nativeGateSet.1`.*foo"),
        (change(*GRAPH, to={"a": ["2"]}), "connectivityGraph.a` must be a qubit number"),
        (change(*GRAPH), "connectivityGraph` is missing"),
        (change(*ONE), "`standardized.oneQubitProperties.2` is missing"),
        (
            change(*ONE, "T1", "unit", to="year"),
            r"`standardized.*2.T1.unit` must be a unit of time",
        ),
        (change(*ONE, "T1", "value", to="x"), "T1.value` must be a number, but is 'x'"),
        (change(*ONE, "oneQubitFidelity", to={"a": 1}), "must be a list"),
        (change("service", "updatedAt", to="yesterday"), "`service.updatedAt` must be a date"),
        (change("service", "deviceCost", "unit", to="kiss"), "`service.deviceCost.unit`.*shot"),
        (change("service", "shotsRange", to=[1]), "`service.shotsRange.1` is missing"),
    ],
)
def test_damage_is_reported_in_one_line_with_file_and_place(damage, message):
    doc = iqm()
    damage(doc)
    with pytest.raises(SnapshotError, match=message) as caught:
        read(doc)
    assert str(caught.value).startswith("device.json") and "\n" not in str(caught.value)


def test_every_truncation_is_refused(tmp_path):
    text = json.dumps(iqm())
    for cut in range(0, len(text), 97):
        with pytest.raises(SnapshotError, match=r"^device\.json must be JSON"):
            braket_snapshot(text[:cut], file="device.json")
    with pytest.raises(SnapshotError, match="cannot be read: No such file"):
        read_braket(tmp_path / "none.json")


@pytest.mark.parametrize("key", list(aqt()["provider"]["properties"]))
def test_every_missing_figure_is_named(key):
    doc = aqt()
    del doc["provider"]["properties"][key]
    with pytest.raises(SnapshotError, match=f"`provider.properties.{key}` is missing"):
        read(doc)


@pytest.mark.parametrize(
    "file, shipped, qubits, couplings",
    [
        ("iqm_garnet_device_capabilities.json", "iqm_garnet@2026-05-05", 20, 30),
        ("garnet_device_properties_20250706.json", "iqm_garnet@2025-07-06", 20, 30),
        ("emerald_properties_251106.json", "iqm_emerald", 54, 83),
        ("rigetti_device_capabilities.json", "rigetti_cepheus_1_108q", 107, 193),
        ("ionq_forte_enterprise_device_capabilities.json", "ionq_forte_enterprise", 36, 630),
    ],
)
def test_shipped_snapshots_are_what_the_captured_payloads_say(file, shipped, qubits, couplings):
    if not (CAPTURED / file).exists():
        pytest.skip(f"captured payload {file} not at hand (set QHW_BRAKET_DATA)")
    device, ours = read_braket(CAPTURED / file), load_snapshot(shipped)
    assert (device.n_qubits, len(device.usable_couplings)) == (qubits, couplings)
    ignored = {"name", "source"}
    assert device.model_dump(exclude=ignored) == ours.model_dump(exclude=ignored)
