"""The snapshot format: golden file, round trip, refusals, look-ups."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from calibration.snapshot import (
    Correction,
    DeviceSnapshot,
    Gate,
    GateLimit,
    JobLimits,
    Price,
    Qubit,
    SnapshotError,
)
from tests.calibration.factory import TAKEN, line_device

GOLDEN = Path(__file__).parent / "golden" / "snapshot_v1.json"


def full_device() -> DeviceSnapshot:
    """A device in which every field of version 1 is used."""
    base = line_device(3)
    gates = list(base.gates)
    gates[-1] = Gate(name="cz", qubits=(1, 2), error=1.0, duration_s=2e-7, usable=False)
    placed = Qubit(**base.qubits[0].model_dump() | {"xy": (1.0, 2.0)})
    return line_device(
        qubits=(placed, base.qubits[1], Qubit(label=9)),
        gates=(*gates, Gate(name="rzz", qubits=(1, 0), error=0.02, duration_s=1e-7)),
        optional_gates=("rzz",),
        gate_limits=(
            GateLimit(gate="rzz", minimum=0.0, maximum=1.5),
            GateLimit(gate="rx", allowed=(-1.5, 1.5)),
        ),
        job_limits=JobLimits(min_shots=10, max_shots=500, max_circuits=7, max_total_shots=900),
        price=Price(as_of=TAKEN.date(), usd_per_shot=0.001, usd_per_task=0.3, usd_per_second=1.6),
        corrections=(
            Correction(kind="dead gate", qubits=(1, 2), gate="cz", reported=1.0),
            Correction(kind="T1 missing", qubits=(2,)),
        ),
    )


def test_golden_file_still_loads_and_is_written_the_same():
    text = GOLDEN.read_text()
    assert DeviceSnapshot.from_json(text) == full_device()
    assert full_device().to_json() == text


finite = st.floats(allow_nan=False, allow_infinity=False)
unit = st.floats(0, 1)


@given(t1=st.floats(1e-9, 1e3), share=st.floats(1e-6, 2), p10=unit, p01=unit, error=unit)
def test_round_trip(t1, share, p10, p01, error):
    qubit = Qubit(label=0, t1_s=t1, t2_s=share * t1, p10=p10, p01=p01)
    gate = Gate(name="sx", qubits=(0,), error=error)
    device = line_device(qubits=(qubit,), gates=(gate,), couplings=())
    assert DeviceSnapshot.from_json(device.to_json()) == device


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: d.update(schema_version=2), r"schema_version 1 to 1, but has 2"),
        (lambda d: d.pop("schema_version"), "schema_version 1 to 1, but has none"),
        (lambda d: d.update(extra=1), "`extra`"),
        (lambda d: d["qubits"][1].update(p10=1.5), r"`qubits.1.p10`"),
        (lambda d: d["qubits"][1].update(t2_s=1.0), r"`qubits.1`.*longer than twice"),
        (lambda d: d["gates"][0].update(error=-0.1), r"`gates.0.error`"),
        (lambda d: d["gates"][0].update(qubits=[3]), "acts on \\(3,\\), but there are 3 qubits"),
        (lambda d: d.update(couplings=[[1, 0]]), "must be ordered"),
        (lambda d: d.update(taken="2026-01-01T00:00:00"), "`taken`.*timezone"),
        (lambda d: d.update(payload_sha256="x"), "`payload_sha256`"),
        (lambda d: d["qubits"][1].update(label=1), "labels must differ"),
    ],
)
def test_bad_files_are_refused_in_one_line_with_the_place(change, message):
    data = json.loads(full_device().to_json())
    change(data)
    with pytest.raises(SnapshotError, match=message) as caught:
        DeviceSnapshot.from_json(json.dumps(data), where="device.json")
    assert str(caught.value).startswith("device.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"schema_version": 1}', "\x00"])
def test_truncated_files_are_refused(text):
    with pytest.raises(SnapshotError, match=r"^device\.json"):
        DeviceSnapshot.from_json(text, where="device.json")


def test_a_snapshot_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        line_device(2).name = "other"


def test_time_is_kept_in_utc_and_age_counts_from_it():
    local = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    device = line_device(taken=local)
    assert device.taken == TAKEN and device.taken.tzinfo is UTC
    assert device.age(datetime(2026, 1, 3, 3, 4, 5, tzinfo=UTC)) == timedelta(days=1)
    assert device.age() > timedelta(0)


@pytest.mark.parametrize("first", ["ecr", "rzz"])
def test_a_gate_whose_error_is_not_reported_is_not_the_best(first: str):
    errors = {"ecr": 0.01, "rzz": None}
    line = line_device(2, gates=(), couplings=((0, 1),), two_qubit_gates=tuple(errors))
    gates = [Gate(name=name, qubits=(0, 1), error=error) for name, error in errors.items()]
    device = line.model_copy(update={"gates": tuple(gates if first == "ecr" else gates[::-1])})
    assert device.two_qubit_gate(0, 1).name == "ecr"


def test_dead_edges_and_qubits_are_not_usable():
    device = full_device()
    assert device.usable_couplings == ((0, 1),)
    assert device.dead_couplings == ((1, 2),)
    assert device.two_qubit_gate(2, 1) is None
    assert device.gate("cz", (2, 1)) is not None
    assert device.coupling_graph().num_edges() == 1
    dead = Gate(name="sx", qubits=(0,), error=1.0, usable=False)
    gates = tuple(g for g in device.gates if (g.name, g.qubits) != ("sx", (0,)))
    broken = line_device(3, gates=(*gates, dead))
    assert broken.dead_qubits == {0}
    assert broken.usable_couplings == ()


def test_medians():
    device = line_device(4)
    assert device.median_two_qubit_error() == pytest.approx(0.011)
    assert device.median_one_qubit_error() == pytest.approx(2e-3)
    assert device.median_readout_error() == pytest.approx(0.025 + 0.0005 * 1.5)
    assert device.median_qubit(lambda q: q.t1_s) == pytest.approx(110.5e-6)
    assert line_device(1, gates=()).median_two_qubit_error() is None


def test_restricted_renumbers_and_forgets_the_rest():
    device = full_device()
    assert device.usable_couplings == ((0, 1),)  # fills the look-ups that must not be carried along
    part = device.restricted([2, 1])
    assert part.labels == (9, 2)
    assert part.usable_couplings == () and part.dead_couplings == ((0, 1),)
    assert part.gate("cz", (0, 1)).qubits == (1, 0)
    assert {c.qubits for c in part.corrections} == {(1, 0), (0,)}
    assert part.correction_counts() == {"dead gate": 1, "T1 missing": 1}
    with pytest.raises(ValueError, match="distinct numbers below 3"):
        device.restricted([0, 0])


def test_gate_limits():
    ranged, listed = full_device().gate_limits
    assert ranged.permits(1.5) and not ranged.permits(1.6) and not ranged.permits(-0.1)
    assert listed.permits(-1.5) and not listed.permits(0.3)
    assert full_device().limit("rx") == listed and full_device().limit("cz") is None
