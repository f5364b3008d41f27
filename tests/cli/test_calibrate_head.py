"""``qhw calibrate --head``: on a simulator, on paid devices, and what is refused."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from qhw.analysis.compare.result import REHEARSAL, ComparisonResult
from qhw.analysis.head.calibration import HeadCalibration
from tests.cli.interrupted import stopped
from tests.cli.test_jobs_cli import document, qhw, refused

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

IBM = "ibm:ibm_lagos"
Ibm = tuple[IBMPlatform, LoopbackServer]


def asked(model: Path, device: str, *more: object) -> tuple[object, ...]:
    sizes = ("--rows", 4, "--shots", 200)
    return ("calibrate", "--head", "--model", model, "--device", device, *sizes, *more)


def test_a_head_is_stored_and_used(small_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "head.json"
    told = document(*asked(small_model, "engine:ibm_lagos", "--out", file))
    stored = HeadCalibration.from_json(file.read_text())
    assert told["sha256"] == stored.sha256() and told["total_shots"] == 1600
    assert [c["role"] for c in told["circuits"]] == ["encoder", "decoder"]
    compared = ("--model", small_model, "--device", "engine:ibm_lagos", "--head", file)
    sizes = ("--molecules", 3, "--shots", 200, "--out", tmp_path / "runs")
    done = qhw("compare", *compared, *sizes)
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    assert "device, raw, refitted head" in said and "1,600 shots beside those of the rows" in said
    (folder,) = (tmp_path / "runs").iterdir()
    result = ComparisonResult.from_json((folder / "result.json").read_text())
    assert result.head is not None and result.head.sha256 == stored.sha256()
    assert result.molecule_source == "device_readout_head"
    page = (folder / "report.html").read_text()
    assert "refitted to 4 rows of known outcome" in page or "own head stays" in page
    assert "device, corrected, refitted head" in page
    assert (folder / "head.json").read_text() == file.read_text()


def test_ibm_is_paid_once_within_the_budget(ibm: Ibm, small_model: Path, tmp_path: Path) -> None:
    platform, _ = ibm

    def sent() -> int:
        return len(platform.queue.jobs)

    file = tmp_path / "head.json"
    command = asked(small_model, IBM, "--out", file)
    priced = document(*command, "--estimate")
    assert priced["rehearsal"] is True and priced["total_shots"] == 1600
    assert [c["jobs"] for c in priced["circuits"]] == [1, 1] and not file.exists()
    refused(qhw(*command, "--budget", "1usd"), "budget|must hold|would pass")
    assert [sent(), *document("jobs", "list")["jobs"]] == [0]
    done = document(*command, "--budget", "40usd")
    assert sent() == 2 and done["rehearsal"] is True
    assert done["usd"] == pytest.approx(sum(j.billed_s for j in platform.queue.jobs) * 1.6)
    assert done["usd"] == pytest.approx(priced["usd"], rel=1e-3)
    first = file.read_text()
    for circuit in done["circuits"]:  # frozen in the ledger before the post
        told = circuit["prediction"]
        assert told["device"] == "ibm_lagos" and told["rows"] == 4 and not told["note"]
        assert 0 < told["floor"] < told["predicted"] and 0 < told["measured"] < told["uniform"]
        assert told["interval"]["low"] < told["predicted"] < told["interval"]["high"]
    bundle = tmp_path / "run.qhw"
    document("jobs", "export", done["run"], "--out", bundle)
    verified = document("verify", bundle)["predictions"]
    own = {c["role"]: c["prediction"] for c in done["circuits"]}
    assert {p["role"]: p["sha256"] for p in verified} == {r: o["sha256"] for r, o in own.items()}
    assert all(p["measured"] == pytest.approx(own[p["role"]]["measured"]) for p in verified)
    file.unlink()
    again = qhw(*command, "--budget", "40usd")
    assert f"taking up {done['run']}" in again.stderr and REHEARSAL in again.stdout
    assert again.stdout.count("UTC before it was sent: distance to exact") == 2
    assert file.read_text() == first and sent() == 2
    fetched = document("jobs", "fetch", done["run"], "--out", tmp_path / "late")
    assert Path(fetched["file"]).read_text() == first
    # used on the same device: the run's own price, the head's beside it
    used = ("--model", small_model, "--device", IBM, "--molecules", 3, "--shots", 200)
    ran = document("run", *used, "--head", file, "--budget", "40usd", "--out", tmp_path / "runs")
    assert sent() == 4  # encoder and decoder, end to end
    assert ran["head"]["usd"] == done["usd"] and ran["head"]["run"] == done["run"]
    assert ran["head"]["total_shots"] == 1600
    refused(
        qhw("estimate", *used[:2], "--device", "emulator:ibm_lagos", *used[4:], "--head", file),
        "must be of emulator:ibm_lagos",
    )


@pytest.mark.slow
def test_a_killed_client_pays_nothing_twice(ibm: Ibm, small_model: Path, tmp_path: Path) -> None:
    platform, _ = ibm
    file = tmp_path / "head.json"
    command = asked(small_model, IBM, "--out", file, "--budget", "40usd")
    stopped(platform, signal.SIGKILL, *command)
    run = document("jobs", "list")["jobs"][0]["run"]
    platform.queue.release()
    done = document(*command)
    assert done["run"] == run and len(platform.queue.jobs) == 2
    assert json.loads(file.read_text())["run"] == run


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--head", "--qubits", "1,2"), "`--qubits` must be left out of --head"),
        (("--rows", "5"), "`--rows` must be left out of a calibration without --head"),
        (("--budget", "3usd"), "`--budget` must be left out of a calibration without --head"),
        (("--head", "--rows", "2"), "`--rows` must be greater than or equal to 3, but is 2"),
        (("--head", "--circuit", "both"), "`--circuit` must be decoder or encoder, but is 'both'"),
        (("--head", "--model", "qvae-l10"), "cannot have its read-out refitted"),
        (("--head", "--estimate"), "`--estimate` must be given for a device that takes jobs"),
        (("--head", "--again"), "`--again` must be given for a device that takes jobs"),
        (("--head", "--device", "engine:nowhere"), "must be a backend"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(
    tmp_path: Path, more: tuple[str, ...], words: str
) -> None:
    file = tmp_path / "head.json"
    found = qhw("calibrate", "--out", file, *more)
    refused(found, words)
    assert found.stderr.count("\n") == 1 and not file.exists()
