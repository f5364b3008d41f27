"""Names, files and listings of snapshots; drift between two dates."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from calibration.catalog import list_snapshots, load_snapshot, snapshot_names
from calibration.drift import Change, drift
from calibration.layout import best_path
from calibration.snapshot import Gate, Qubit, SnapshotError
from tests.calibration.factory import line_device


def test_bare_name_is_the_newest_date():
    assert load_snapshot("iqm_garnet") == load_snapshot("iqm_garnet@2026-05-05")
    assert load_snapshot("iqm_garnet@2025-07-06").taken < load_snapshot("iqm_garnet").taken
    assert load_snapshot("fake_fez") == load_snapshot("ibm_fez")


def test_every_listed_reference_opens_and_describes_itself():
    rows = {row.reference: row for row in list_snapshots()}
    assert set(rows) <= set(snapshot_names())
    garnet = rows["iqm_garnet@2026-05-05"]
    assert (garnet.n_qubits, garnet.usable_couplings, garnet.usd_per_shot) == (20, 30, 0.00145)
    assert garnet.two_qubit_error == pytest.approx(0.00413, rel=1e-2)
    assert garnet.age(datetime(2026, 5, 6, tzinfo=UTC)) < timedelta(days=1)
    assert rows["ibm_kyoto"].two_qubit_error is None
    for name in ("iqm_emerald@2025-11-06", "rigetti_cepheus_1_108q@2026-05-05"):
        assert best_path(load_snapshot(name), 7).success > 0.5


@pytest.mark.parametrize("name", ["iqm_garnt", "iqm_garnet@1999-01-01"])
def test_unknown_name_is_answered_with_the_closest(name):
    with pytest.raises(
        SnapshotError, match=r"closest: iqm_garnet.*; \d\d others: `qhw devices` lists"
    ) as caught:
        load_snapshot(name)
    assert repr(name) in str(caught.value) and len(str(caught.value)) < 250


def test_files_of_our_format_open_and_others_are_refused_by_name(tmp_path):
    good = tmp_path / "mine.json"
    good.write_text(line_device(2).to_json())
    assert load_snapshot(str(good)) == line_device(2) == load_snapshot(good)
    for content, message in [
        ("{", "must be JSON"),
        (json.dumps({"a": 1}), "`braketSchemaHeader` is missing"),
        (json.dumps({"schema_version": 99}), "schema_version 1 to 1, but has 99"),
    ]:
        good.write_text(content)
        with pytest.raises(SnapshotError, match=message) as caught:
            load_snapshot(good)
        assert str(good) in str(caught.value)
    good.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SnapshotError, match="cannot be read"):
        load_snapshot(good)
    with pytest.raises(SnapshotError, match="cannot be read"):
        load_snapshot(tmp_path / "none.json")


def test_drift_matches_qubits_by_label():
    before = line_device(3)
    taken = before.taken + timedelta(days=2)
    slower = Qubit(label=2, t1_s=before.qubits[1].t1_s / 2, p10=0.5, p01=0.1)
    gates = (
        Gate(name="cz", qubits=(1, 0), error=1.0, usable=False),
        Gate(name="cz", qubits=(0, 2), error=0.022),
    )
    after = line_device(
        qubits=(slower, Qubit(label=1), Qubit(label=3)),
        gates=gates,
        couplings=((0, 1), (0, 2)),
        taken=taken,
    )
    found = drift(before, after)
    assert found.elapsed == timedelta(days=2)
    one, two, _ = found.qubits
    assert (two.label, two.t1_s.ratio) == (2, pytest.approx(0.5))
    assert two.p10.difference == pytest.approx(0.487)
    assert one.t1_s.ratio is None and one.one_qubit_error == Change(2e-3, None)
    assert [c.labels for c in found.couplings] == [(1, 2), (2, 3)]
    assert found.couplings[0].died and not found.couplings[1].died
    assert found.couplings[1].error.ratio == pytest.approx(2.0)
    assert found.median_two_qubit_ratio() == pytest.approx(2.0)
    assert drift(after, before).couplings[0].revived
    assert found.median_t1_ratio() == pytest.approx(0.5)


def test_drift_of_a_lost_qubit_and_of_another_device():
    found = drift(line_device(3), line_device(2))
    assert (found.vanished, found.appeared) == ((3,), ())
    with pytest.raises(ValueError, match="must be a snapshot of test_line, but is of other"):
        drift(line_device(2), line_device(2, name="other"))


def test_drift_of_the_shipped_garnet():
    found = drift(load_snapshot("iqm_garnet@2025-07-06"), load_snapshot("iqm_garnet"))
    assert found.elapsed.days == 302
    assert len(found.qubits) == 20 and len(found.couplings) == 30
    assert found.median_two_qubit_ratio() < 1
