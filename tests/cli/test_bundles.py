"""A prediction frozen before a job is sent; a bundle that shows it, and refuses to be altered."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from qhw.analysis.compare.predicted import Prediction
from qhw.jobs.archive import ArchiveError, read_archive, write_archive
from qhw.jobs.bundle import MANIFEST
from qhw.jobs.desk import attempts_of
from qhw.jobs.ledger import Ledger
from qhw.jobs.predictions import predictions_of
from qhw.jobs.queries import jobs_of
from qhw.paid.verified import BundleError, verify
from tests.cli.own_circuits import truth, write_files
from tests.cli.test_own_circuits import call, document

SHOTS = 4000


class Exported(NamedTuple):
    """A run on an emulated device, its result and its bundle."""

    result: dict[str, Any]
    raw: bytes
    sha256: str
    folder: Path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    folder = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QHW_DATA", str(folder / "data"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        patch.delenv("QHW_LEDGER_URL", raising=False)
        write_files(folder)
        result = document(
            *("run", folder / "mine.qasm", "--angles", folder / "angles.csv", "--names", "label"),
            *("--device", "emulator:ibm_boston", "--shots", SHOTS, "--mitigation", "none"),
            *("--out", folder / "runs"),
        )
        name = Path(result["run"]).name
        paths = [folder / "one.zip", folder / "two.zip"]
        told = [document("jobs", "export", name, "--out", path) for path in paths]
        assert paths[0].read_bytes() == paths[1].read_bytes()
        yield Exported(result, paths[0].read_bytes(), told[0]["sha256"], folder)


def manifest_of(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_archive(raw)[MANIFEST])
    return found


def checked(raw: bytes, folder: Path, sha256: str | None = None) -> None:
    path = folder / "checked.zip"
    path.write_bytes(raw)
    verify(path, sha256)


def test_predicted_before_it_was_sent(exported: Exported) -> None:
    with Ledger.open(f"sqlite:///{exported.folder / 'data' / 'ledger.db'}") as ledger:
        name = Path(exported.result["run"]).name
        with ledger.read() as connection:
            ((frozen, written),) = predictions_of(connection, name).values()
            attempts = [
                a for job in jobs_of(connection, name) for a in attempts_of(connection, job.id)
            ]
    assert attempts and all(written <= a.created and a.payload_sha256 for a in attempts)
    told = Prediction.from_bytes(frozen)
    np.testing.assert_allclose(told.exact, truth(), atol=1e-9)
    (facts,) = exported.result["predictions"]
    assert facts["sha256"] == hashlib.sha256(frozen).hexdigest()
    # the emulator has the noise that was predicted: any other order of bits or rows is far off
    with np.load(Path(exported.result["run"]) / "counts.npz", allow_pickle=False) as arrays:
        counts = arrays["circuit_counts"]
    expected = SHOTS * np.array(told.predicted)
    chi2 = ((counts - expected) ** 2 / np.maximum(expected, 1)).sum()
    assert chi2 < 75  # 28 degrees of freedom
    assert facts["measured"] == pytest.approx(facts["predicted"], abs=0.02)
    page = (Path(exported.result["run"]) / "report.html").read_text()
    assert "Predicted before it was sent" in page and ">predicted</th>" in page


def test_a_bundle_verifies_without_a_ledger(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QHW_LEDGER_URL", "nonsense://")
    path = exported.folder / "one.zip"
    found = document("verify", path, "--hash", exported.sha256)
    (facts,), (before,) = found["predictions"], exported.result["predictions"]
    assert {**facts, "measured": None} == {**before, "measured": None}
    assert facts["measured"] == pytest.approx(before["measured"])
    assert "hash over all" in call("verify", path)
    wrong = call("verify", path, "--hash", "0" * 64, code=2)
    assert "must have hash 000" in wrong and len(wrong.splitlines()) == 1


def test_any_byte_altered_fails_and_names_the_part(exported: Exported, tmp_path: Path) -> None:
    raw = exported.raw
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        starts = [info.header_offset for info in archive.infolist()]
        end = archive.start_dir
    rng = np.random.default_rng(0)
    places = {*(start + k for start in starts for k in (0, 4, 10, 14, 28, 31)), end, len(raw) - 1}
    places |= set(rng.integers(len(raw), size=60).tolist())
    for place in sorted(places):
        altered = bytearray(raw)
        altered[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(BundleError, match=r"part '?[a-z]+[/.]|the archive's index"):
            checked(bytes(altered), tmp_path)
    for cut in (raw[:-1], raw + b"\n", b"x" + raw, b""):
        with pytest.raises(BundleError):
            checked(cut, tmp_path)


def rewritten(raw: bytes, name: str, content: bytes) -> bytes:
    """A forger's: the part and its hash in the manifest are changed, the archive is whole."""
    parts = read_archive(raw)
    before = hashlib.sha256(parts[name]).hexdigest()
    parts[name] = content
    told = parts[MANIFEST].replace(before.encode(), hashlib.sha256(content).hexdigest().encode())
    head, _, tail = told.rpartition(b'"sha256": "')
    blank = head + b'"sha256": ""\n}\n'
    own = hashlib.sha256(blank).hexdigest()
    parts[MANIFEST] = head + b'"sha256": "' + own.encode() + tail[64:]
    return write_archive(parts)


def test_a_forger_needs_another_hash(exported: Exported, tmp_path: Path) -> None:
    name = next(n for n in manifest_of(exported.raw)["parts"] if n.startswith("counts/"))
    table = np.load(io.BytesIO(read_archive(exported.raw)[name]))
    table[0, [0, 1]] = table[0, [1, 0]]
    packed = io.BytesIO()
    np.save(packed, table)
    forged = rewritten(exported.raw, name, packed.getvalue())
    checked(forged, tmp_path)  # whole in itself
    with pytest.raises(BundleError, match="the whole: must have hash"):
        checked(forged, tmp_path, exported.sha256)
    table[0, 0] += 1
    packed = io.BytesIO()
    np.save(packed, table)
    with pytest.raises(BundleError, match=rf"part {name}: row 0 must add up to {SHOTS}"):
        checked(rewritten(exported.raw, name, packed.getvalue()), tmp_path)
    header = io.BytesIO()
    written: Any = np.lib.format
    written.write_array_header_1_0(
        header, {"descr": "<i8", "fortran_order": False, "shape": (2**40, 2**20)}
    )
    with pytest.raises(BundleError, match=rf"part {name}: must hold .* bytes"):
        checked(rewritten(exported.raw, name, header.getvalue()), tmp_path)


def hostile(**entries: Any) -> bytes:
    """A zip of one odd entry beside a plain one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("manifest.json", b"{}")
        info = zipfile.ZipInfo(entries.get("name", "odd"), (1980, 1, 1, 0, 0, 0))
        info.external_attr = entries.get("mode", stat.S_IFREG | 0o644) << 16
        info.compress_type = entries.get("method", zipfile.ZIP_STORED)
        archive.writestr(info, entries.get("content", b"x"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"name": "../escape"}, "lead nowhere else"),
        ({"name": "/etc/passwd"}, "lead nowhere else"),
        ({"name": "a/../../b"}, "lead nowhere else"),
        ({"name": "a\\b"}, "lead nowhere else"),
        (
            {"mode": stat.S_IFLNK | 0o777, "content": b"/etc/passwd"},
            "must be a file, but is a link",
        ),
        ({"method": zipfile.ZIP_DEFLATED, "content": bytes(10**7)}, "must be stored"),
    ],
)
def test_odd_archives_are_refused(entries: dict[str, Any], said: str) -> None:
    with pytest.raises(ArchiveError, match=said):
        read_archive(hostile(**entries))


def test_parts_that_overlap_are_refused() -> None:
    """The bomb without compression: many entries that all show the same bytes."""
    raw = bytearray(write_archive({"a": bytes(5000), "b": b"x"}))
    with zipfile.ZipFile(io.BytesIO(bytes(raw))) as archive:
        start = archive.start_dir
    second = raw.index(b"PK\x01\x02", start + 1)
    raw[second + 20 : second + 28] = (5000).to_bytes(4, "little") * 2
    raw[second + 42 : second + 46] = (0).to_bytes(4, "little")
    with pytest.raises(ArchiveError):
        read_archive(bytes(raw))


def test_a_file_that_is_no_bundle_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04nothing")
    for path in (tmp_path / "no.zip", tmp_path / "missing.zip", tmp_path):
        said = call("verify", path, code=2)
        assert len(said.splitlines()) == 1 and str(path) in said
