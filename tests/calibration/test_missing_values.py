"""Values that vendors leave out, and nonsense: masked and noted, or one line; never perfect."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibration.noise import DeviceNoise
from calibration.readers.ibm import ibm_snapshot
from calibration.snapshot import DeviceSnapshot, SnapshotError
from calibration.store import import_snapshot
from tests.calibration.test_braket_reader import aqt, document, fidelity, iqm
from tests.calibration.test_braket_reader import read as read_braket


def value(name: str, number: Any, unit: str = "") -> dict[str, Any]:
    return {"name": name, "value": number, "unit": unit}


def ibm(*readout: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and properties of two qubits; the first is read as given."""
    times = [value("T1", 100, "us"), value("T2", 80, "us"), value("readout_length", 700, "ns")]
    full = [value("prob_meas1_prep0", 0.01), value("prob_meas0_prep1", 0.04)]
    gates = [
        {"gate": "sx", "qubits": [q], "parameters": [value("gate_error", 1e-3 * (q + 1))]}
        for q in (0, 1)
    ]
    pair = [value("gate_error", 0.01), value("gate_length", 300, "ns")]
    gates.append({"gate": "cz", "qubits": [0, 1], "parameters": pair})
    for gate in gates[:2]:
        gate["parameters"].append(value("gate_length", 30, "ns"))
    conf = {"basis_gates": ["rz", "sx", "cz"], "coupling_map": [[0, 1]], "n_qubits": 2, "dt": 0.5}
    props = {
        "backend_name": "ibm_test",
        "qubits": [times + list(readout), copy.deepcopy(times) + full],
        "gates": gates,
        "last_update_date": "2026-01-01T00:00:00Z",
    }
    return conf, props


def read_ibm(conf: dict[str, Any], props: dict[str, Any]) -> DeviceSnapshot:
    return ibm_snapshot(conf, props, name="ibm_test", source="props.json", sha256="0" * 64)


NAN, INF = float("nan"), float("inf")
AVERAGE = "readout directions not reported"
DERIVED = "readout direction from the average"
ALONE = "one readout direction missing"
AGAINST = "readout average contradicts its directions"
READOUTS = [
    ((None, None, 0.03), (0.03, 0.03), AVERAGE),
    ((NAN, None, 0.03), (0.03, 0.03), AVERAGE),
    ((0.01, None, 0.03), (0.01, 0.05), DERIVED),
    ((None, 0.05, 0.03), (0.01, 0.05), DERIVED),
    ((None, 0.06, 0.03), (0.0, 0.06), DERIVED),  # the average says that it is none
    ((0.01, None, None), (0.01, 0.01), ALONE),
    ((None, 0.05, INF), (0.05, 0.05), ALONE),
    ((None, 0.09, 0.03), (0.03, 0.09), AGAINST),  # -0.03 would be needed
    ((0.01, 0.05, 0.09), (0.01, 0.05), AGAINST),
    ((0.01, 0.05, 0.03), (0.01, 0.05), None),
    ((0.01, 0.05, None), (0.01, 0.05), None),
    ((None, None, None), (0.01, 0.04), "readout error missing"),  # the other qubit's
]


@pytest.mark.parametrize("null", [False, True], ids=["left out", "null"])
@pytest.mark.parametrize(("reported", "used", "kind"), READOUTS)
def test_ibm_readout_of_which_a_part_is_missing(reported, used, kind, null):
    names = ("prob_meas1_prep0", "prob_meas0_prep1", "readout_error")
    entries = [value(n, v) for n, v in zip(names, reported, strict=True) if null or v is not None]
    device = read_ibm(*ibm(*entries))
    assert (device.qubits[0].p10, device.qubits[0].p01) == pytest.approx(used)
    assert device.qubits[1].p01 == 0.04
    assert device.correction_counts() == ({} if kind is None else {kind: 1})
    # simulated as it stands: element [read, true]
    assert DeviceNoise(device).confusion(0)[0, 1] == pytest.approx(used[1])


@pytest.mark.parametrize("null", [False, True], ids=["left out", "null"])
@pytest.mark.parametrize(("reported", "used", "kind"), READOUTS[:-1])
def test_braket_readout_of_which_a_part_is_missing(reported, used, kind, null):
    doc = iqm()
    mean = None if reported[2] is None else 1 - reported[2]
    names = ("READOUT_ERROR_0_TO_1", "READOUT_ERROR_1_TO_0", "READOUT")
    figures = doc["standardized"]["oneQubitProperties"]["1"]["oneQubitFidelity"]
    figures[2:] = [
        fidelity(n, v)
        for n, v in zip(names, (*reported[:2], mean), strict=True)
        if null or v is not None
    ]
    device = read_braket(doc)
    assert (device.qubits[0].p10, device.qubits[0].p01) == pytest.approx(used)
    found = {k: n for k, n in device.correction_counts().items() if "readout" in k}
    assert found == ({} if kind is None else {kind: 1})


@pytest.mark.parametrize("nothing", [None, NAN, INF, 10**400], ids=["null", "nan", "inf", "long"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("T1", "T1 missing"),
        ("T2", "T2 missing"),
        ("readout_length", "readout duration missing"),
        ("gate_error", "gate error missing"),
        ("gate_length", "gate duration missing"),
    ],
)
def test_null_and_what_is_not_finite_are_masked_alike(name, kind, nothing):
    conf, props = ibm(value("readout_error", 0.03))
    for entry in props["qubits"][0] + props["gates"][0]["parameters"]:
        if entry["name"] == name:
            entry["value"] = nothing
    device = read_ibm(conf, props)
    assert device.correction_counts() == {AVERAGE: 1, kind: 1}
    assert device.gate("sx", [0]).error == (2e-3 if name == "gate_error" else 1e-3)
    assert (device.qubits[0].t1_s is None) == (name == "T1")


@pytest.mark.parametrize("nothing", [None, NAN, INF], ids=str)
def test_braket_masks_null_as_ibm_does(nothing):
    doc = iqm()
    one = doc["standardized"]["oneQubitProperties"]["1"]
    one["T1"]["value"] = nothing
    one["oneQubitFidelity"][1]["fidelity"] = nothing
    doc["standardized"]["twoQubitProperties"]["2-1"]["twoQubitGateFidelity"][0]["fidelity"] = (
        nothing
    )
    device = read_braket(doc)
    counts = device.correction_counts()
    assert device.qubits[0].t1_s is None and counts["T1 missing"] == 1
    assert device.gate("r", [0]).error == pytest.approx(0.01)  # the simultaneous one is known
    assert counts["gate error missing"] == 2
    whole = aqt()
    figures = whole["provider"]["properties"]
    figures["t1_s"]["value"] = figures["readout_time_micros"] = nothing
    figures["single_qubit_gate_fidelity"]["0"]["value"] = nothing
    device = read_braket(whole)
    assert (device.qubits[0].t1_s, device.qubits[0].readout_s) == (None, None)
    assert device.gate("r", [0]).error == pytest.approx(2e-3)  # the other qubit's
    (note,) = (c for c in device.corrections if c.kind == "gate error missing")
    assert note.used == pytest.approx(2e-3)


@pytest.mark.parametrize("nonsense", ["abc", "0.1", [0.1], {"a": 1}, True], ids=str)
@pytest.mark.parametrize("name", ["T1", "readout_error", "prob_meas0_prep1"])
def test_what_is_no_number_is_one_line_with_file_qubit_and_field(tmp_path, name, nonsense):
    entries = [value("readout_error", 0.03), value("prob_meas0_prep1", 0.03)]
    conf, props = ibm(*entries)
    next(e for e in props["qubits"][0] if e["name"] == name)["value"] = nonsense
    files = tmp_path / "props.json", tmp_path / "conf.json"
    files[0].write_text(json.dumps(props))
    files[1].write_text(json.dumps(conf))
    with pytest.raises(SnapshotError, match=rf"`qubits\.0\.{name}\.value` must be a num") as caught:
        import_snapshot(files[0], tmp_path / "out", configuration=files[1])
    assert str(files[0]) in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_braket_names_qubit_and_field_of_what_is_no_number():
    doc = iqm()
    one = doc["standardized"]["oneQubitProperties"]["1"]
    one["oneQubitFidelity"][2]["fidelity"] = "abc"
    place = (
        r"oneQubitProperties\.1\.oneQubitFidelity\.READOUT_ERROR_0_TO_1\.fidelity` must be a num"
    )
    with pytest.raises(SnapshotError, match=rf"^device\.json: `.*{place}"):
        read_braket(doc)


@pytest.mark.parametrize("lifetime", [0, -5.0, 5e-324])
def test_lifetimes_that_are_none_are_masked(lifetime):
    conf, props = ibm(value("readout_error", 0.03))
    props["qubits"][0][0]["value"] = lifetime
    device = read_ibm(conf, props)
    assert device.qubits[0].t1_s is None
    assert device.correction_counts()["T1 not positive"] == 1


def ionq() -> dict[str, Any]:
    doc = document("ionq", ["GPI", "GPI2", "ZZ"], {"0": ["1"], "1": ["0"]})
    doc["paradigm"]["connectivity"]["fullyConnected"] = True
    doc["provider"] = {
        "fidelity": {"1Q": {"mean": 0.9998}, "2Q": {"mean": 0.99}, "spam": {"mean": 0.995}},
        "timing": {"T1": 100.0, "T2": 1.0, "1Q": 1e-4, "2Q": 6e-4, "readout": 3e-4, "reset": 2e-5},
    }
    return doc


@pytest.mark.parametrize("readout", [None, -1e-3])
def test_figures_of_a_whole_device_that_make_no_sense_are_masked(readout):
    doc = ionq()
    doc["provider"]["timing"]["readout"] = readout
    device = read_braket(doc)
    assert device.qubits[0].readout_s is None
    assert device.correction_counts()["readout duration missing"] == 2
    doc["provider"]["fidelity"]["spam"]["mean"] = None  # of it no qubit knows more
    with pytest.raises(SnapshotError, match=r"`provider\.fidelity\.spam\.mean` is missing"):
        read_braket(doc)


def rigetti() -> dict[str, Any]:
    doc = iqm()
    doc["braketSchemaHeader"]["name"] = "braket.device_schema.rigetti.rigetti_device_capabilities"
    doc["paradigm"]["nativeGateSet"] = ["rx", "rz", "cz"]
    return doc


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


NONSENSE = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 0.5, 1.5, -0.5, 1e300, 5e-324, 10**400, -(10**400), NAN, INF, -INF]),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00", "us", "cz", "T1"]),
    st.sampled_from([[], {}, [[]], [None], [[0, 0]], [[0, 9]], {"name": "T1"}, {"value": None}]),
)


@st.composite
def mutations(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A payload of any vendor with one to three places replaced or left out."""
    kind = draw(st.sampled_from(["ibm", "iqm", "rigetti", "ionq", "aqt"]))
    conf, payload = None, None
    if kind == "ibm":
        conf, payload = ibm(value("readout_error", 0.03), value("prob_meas0_prep1", 0.04))
        documents = [payload, conf]
    else:
        payload = {"iqm": iqm, "rigetti": rigetti, "ionq": ionq, "aqt": aqt}[kind]()
        documents = [payload]
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.sampled_from(documents))
        *path, last = draw(st.sampled_from(places(where)[1:]))
        for key in path:
            where = where[key]
        if draw(st.booleans()) and isinstance(where, dict):
            del where[last]
        else:
            where[last] = copy.deepcopy(draw(NONSENSE))  # a later one may change it
    return payload, conf


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mutations())
def test_any_payload_gives_a_snapshot_or_one_line(tmp_path: Path, mutated: Any) -> None:
    payload, conf = mutated
    files = tmp_path / "payload.json", tmp_path / "conf.json"
    files[0].write_text(json.dumps(payload))
    if conf is not None:
        files[1].write_text(json.dumps(conf))
    for file in tmp_path.glob("out/*"):
        file.unlink()
    try:
        found = import_snapshot(
            files[0], tmp_path / "out", configuration=files[1] if conf else None
        )
    except SnapshotError as error:
        assert str(files[0]) in str(error) or "Argument `name`" in str(error)
        assert "\n" not in str(error) and len(str(error)) < 1000
        return
    device = found.snapshot
    assert DeviceSnapshot.from_json(device.to_json()) == device
    for qubit in device.qubits:  # what is known of none is noted
        assert qubit.p10 is not None or "readout error missing" in device.correction_counts()
        assert qubit.t1_s is None or math.isfinite(1 / qubit.t1_s)


def test_a_document_too_deep_to_read_is_one_line(tmp_path):
    file = tmp_path / "deep.json"
    file.write_text("[" * 200_000)
    with pytest.raises(SnapshotError, match="must be JSON") as caught:
        import_snapshot(file, tmp_path / "out")
    assert "\n" not in str(caught.value)
