"""Snapshots exported and imported: nothing lost, raw payload kept, nothing overwritten."""

import importlib.util
import json
from pathlib import Path

import pytest

from calibration.catalog import load_snapshot
from calibration.snapshot import SnapshotError
from calibration.store import export_snapshot, import_snapshot, raw_payload_matches
from tests.calibration.test_braket_reader import iqm

FAKES = Path(str(importlib.util.find_spec("qiskit_ibm_runtime").origin)).parent / "fake_provider"
FEZ = FAKES / "backends" / "fez"


def test_export_opens_again_as_a_device(tmp_path):
    snapshot = load_snapshot("iqm_garnet")
    export_snapshot(snapshot, tmp_path / "deep" / "mine.json")
    assert load_snapshot(tmp_path / "deep" / "mine.json") == snapshot
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["mine.json"]
    with pytest.raises(SnapshotError, match=r"must end in \.json"):
        export_snapshot(snapshot, tmp_path / "mine.txt")


def test_import_keeps_the_raw_payload_byte_for_byte(tmp_path):
    raw = json.dumps(iqm()).encode()
    source = tmp_path / "payload.json"
    source.write_bytes(raw)
    found = import_snapshot(source, tmp_path / "kept", name="iqm_mine")
    assert found.file.name == f"iqm_mine@{found.snapshot.taken:%Y-%m-%d}.json"
    assert load_snapshot(found.file) == found.snapshot
    assert found.raw[0].read_bytes() == raw
    assert raw_payload_matches(found.snapshot, raw)
    assert not raw_payload_matches(found.snapshot, raw + b" ")


def test_ibm_properties_come_with_their_configuration(tmp_path):
    props, conf = FEZ / "props_fez.json", FEZ / "conf_fez.json"
    found = import_snapshot(props, tmp_path, configuration=conf)
    assert len(found.raw) == 2
    assert raw_payload_matches(found.snapshot, *(path.read_bytes() for path in found.raw))
    known = load_snapshot("ibm_fez")
    assert found.snapshot.gates == known.gates
    assert found.snapshot.qubits == known.qubits
    with pytest.raises(SnapshotError, match="must come with a configuration"):
        import_snapshot(props, tmp_path)
    with pytest.raises(SnapshotError, match=r"props_fez\.json with props_fez\.json must be IBM"):
        import_snapshot(props, tmp_path, configuration=props)


def test_importing_twice_is_harmless_but_nothing_is_overwritten(tmp_path):
    export_snapshot(load_snapshot("iqm_garnet"), tmp_path / "a.json")
    first = import_snapshot(tmp_path / "a.json", tmp_path / "kept")
    assert first.raw == ()
    assert import_snapshot(tmp_path / "a.json", tmp_path / "kept") == first
    first.file.write_text("mine")
    with pytest.raises(SnapshotError, match="exists already and holds something else"):
        import_snapshot(tmp_path / "a.json", tmp_path / "kept")
    assert first.file.read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must be JSON"),
        ("[]", "must be a JSON object, but is a list"),
        ('{"schema_version": 1}', "`name`"),
        ('{"schema_version": 99}', "schema_version 1 to"),
        ("{}", "x.json"),
    ],
)
def test_what_is_no_payload_is_refused_and_leaves_nothing(tmp_path, content, message):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(SnapshotError, match=message) as caught:
        import_snapshot(tmp_path / "x.json", tmp_path / "kept")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "a,b", "a b"])
def test_a_name_stays_inside_the_folder(tmp_path, name):
    export_snapshot(load_snapshot("iqm_garnet"), tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text()) | {"name": name}
    (tmp_path / "b.json").write_text(json.dumps(document))
    for source, given in (("a.json", name), ("b.json", None)):
        with pytest.raises(SnapshotError, match="Argument `name` must be letters"):
            import_snapshot(tmp_path / source, tmp_path / "deep" / "kept", name=given)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "b.json"]
