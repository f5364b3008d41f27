"""``qhw expect`` on paid devices: real clients, loopback vendors, one ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.loopback.braket import BraketService
from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API, IBMPlatform
from backends.loopback.server import LoopbackServer
from qhw.analysis.compare.result import REHEARSAL
from qhw.analysis.expect.result import ExpectResult
from tests.cli.interrupted import interrupted
from tests.cli.test_jobs_cli import document, qhw, refused

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

QASM = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[3];
ry(0.7) q[0];
cx q[0],q[1];
rx(0.3) q[2];
"""
OBSERVABLES = ("IZZ", "2*YII - 0.5*ZII + XXX")
TRUTH = (1.0, -2 * np.sin(0.3) - 0.5 * np.cos(0.3))
PIPELINE = "readout(share=0.1)+zne(1,3)"
Ibm = tuple[IBMPlatform, LoopbackServer]


@pytest.fixture
def circuit(tmp_path: Path) -> Path:
    path = tmp_path / "c.qasm"
    path.write_text(QASM)
    return path


def asked(circuit: Path, device: str, *more: object, shots: int = 3000) -> tuple[object, ...]:
    words = [word for text in OBSERVABLES for word in ("--observable", text)]
    return ("expect", circuit, *words, "--device", device, "--shots", shots, *more)


def check_values(found: dict[str, Any]) -> None:
    """A perfect device: the values are off by shot noise alone, and the exact ones are exact."""
    for row, truth in zip(found["observables"], TRUTH, strict=True):
        assert row["exact"] == pytest.approx(truth, abs=1e-9)
        assert row["uniform"] == 0
        # zne(1,3) of readout-corrected counts: at 0 the bias of a correction for no errors
        assert abs(row["value"] - truth) < 0.05 + 4 * row["standard_error"]
        assert row["standard_error"] >= row["shot_floor"]


def test_ibm_is_paid_once_however_often_it_is_asked(
    ibm: Ibm, circuit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, server = ibm
    server.faults.add(Rule(f"{API}/jobs", Fault.answer(504, after=True), "POST"))
    command = asked(circuit, "ibm:ibm_lagos", "--mitigation", PIPELINE, "--budget", "60usd")
    priced = document(*command[:-2], "--estimate")
    assert platform.queue.jobs == () and document("jobs", "list")["jobs"] == []
    done = document(*command, "--out", tmp_path / "runs")
    # all bases and folds in one job, the calibration's circuits in another
    assert len(platform.queue.jobs) == priced["jobs"] == 2
    assert done["cost"]["usd"] == pytest.approx(platform.queue.billed_s * 1.6)
    assert priced["usd"] == pytest.approx(done["cost"]["usd"], rel=1e-4)  # IBM's clock is rounded
    assert priced["rehearsal"] is done["rehearsal"] is True
    assert done["cost"]["basis"].startswith("nothing was charged, the simulated vendor's record")
    assert done["mitigation"] == priced["mitigation"] == PIPELINE
    assert priced["bases"] == done["bases"] and len(done["bases"]) == 3
    assert 2900 < done["total_shots"] == priced["total_shots"] <= 3000
    assert done["snapshot"].startswith("ibm_lagos@") and done["snapshot_age_days"] > 0
    check_values(done)

    folder = Path(done.pop("folder"))
    kept = ExpectResult.from_json((folder / "result.json").read_text())
    assert json.loads(kept.to_json()) == done
    assert (folder / "circuit.qpy").exists() and (folder / "snapshot.json").exists()
    with np.load(folder / "counts.npz", allow_pickle=False) as arrays:
        assert sum(arrays[name].sum() for name in arrays) == done["total_shots"]
    again = qhw(*command, "--json")
    assert f"taking up {done['run']}" in again.stderr
    assert json.loads(again.stdout) == {**done, "folder": None}
    assert len(platform.queue.jobs) == 2

    # everything is in the ledger: neither the file nor the vendor is needed any more
    circuit.unlink()
    for name in platform.environment(server.url):
        monkeypatch.delenv(name)
    fetched = document("jobs", "fetch", done["run"], "--out", tmp_path / "late")
    assert {**fetched, "folder": None} == {**done, "folder": None}
    assert Path(fetched["folder"]) == tmp_path / "late" / done["run"]
    shown = " ".join(qhw("jobs", "watch", done["run"], "--out", tmp_path / "late").stdout.split())
    assert REHEARSAL in shown and "would have cost $" in shown and "days old when measured" in shown


@pytest.mark.slow
def test_an_interrupted_run_is_taken_up_by_the_same_line(ibm: Ibm, circuit: Path) -> None:
    platform, _ = ibm
    command = asked(circuit, "ibm:ibm_lagos", "--mitigation", "none", "--budget", "30usd")
    stopped = interrupted(platform, *command)
    run = document("jobs", "list")["jobs"][0]["run"]
    assert stopped.index("estimate: ") < stopped.index("interrupted, but")
    assert f"`qhw jobs watch {run}` waits for it" in stopped
    assert document("jobs", "fetch", run)["finished"] is False
    platform.queue.release()
    assert platform.queue.wait_idle(60.0)
    done = document(*command)
    assert done["run"] == run and len(platform.queue.jobs) == 1
    check_values(done)


@pytest.mark.slow
def test_a_cancelled_run_is_over(ibm: Ibm, circuit: Path) -> None:
    platform, _ = ibm
    command = asked(circuit, "ibm:ibm_lagos", "--mitigation", "none", "--budget", "60usd")
    interrupted(platform, *command)
    run = document("jobs", "list")["jobs"][0]["run"]
    assert document("jobs", "cancel", run)["jobs"][0]["state"] == "cancelled"
    refused(qhw("jobs", "fetch", run), f"Run {run}: .* has none: cancelled")
    platform.queue.release()
    assert document(*command)["run"] != run
    assert len(platform.queue.jobs) == 2


def test_braket_within_the_budget(braket: BraketService, circuit: Path, tmp_path: Path) -> None:
    command = asked(circuit, "braket:iqm_garnet", "--mitigation", PIPELINE)
    refused(qhw(*command), "`--budget` must be given .* but no cap is set")
    refused(qhw(*command, "--budget", "1usd"), "would pass the cap of the run")
    assert braket.queue.tasks == () and document("jobs", "list")["jobs"] == []
    priced = document(*command, "--estimate")
    assert priced["usd"] == pytest.approx(2 * 0.3 + priced["total_shots"] * 0.00145)
    said = qhw(*command, "--estimate").stdout
    assert "charges nothing" in said and "the most it may cost" in said
    done = document(*command, "--budget", "9usd")
    assert len(braket.queue.tasks) == 2
    assert done["cost"]["usd"] == pytest.approx(braket.queue.billed_usd)
    assert "(the first of 2 jobs)" in done["cost"]["basis"]
    check_values(done)
    # what a vendor's words say of it is in the ledger as of any run
    shown = document("jobs", "show", done["run"])
    assert shown["command"].startswith("qhw expect ") and "--budget 9usd" in shown["command"]
    assert shown["settings"] == done["settings"]


def test_circuits_that_fail(braket: BraketService, circuit: Path, tmp_path: Path) -> None:
    command = asked(circuit, "braket:iqm_garnet", "--mitigation", "none", "--budget", "9usd")
    # one of the many rows of the first basis: its others count
    braket.queue.behaviour.failing_rows = frozenset({1})
    some = document(*command)
    (job,) = document("jobs", "list")["jobs"]
    assert (job["state"], job["rows"]) == ("partial", some["total_shots"] // job["shots"])
    check_values(some)
    # all of them: no value, and nothing is sent anew by itself
    braket.queue.behaviour.failing_rows = frozenset(range(100))
    words = "expectation/basis=..., circuit 0, has none: executable 0 could not be run"
    assert some["run"] == document(*command)["run"]
    failed = qhw(*command, "--again")
    refused(failed, words)
    assert "`qhw expect ... --again` sends all of it anew" in failed.stderr
    refused(qhw(*command), words)
    refused(qhw(*command, "--seed", 1), words)  # other settings are another run
    assert len(braket.queue.tasks) == 3
    run = document("jobs", "list")["jobs"][0]["run"]
    assert document("jobs", "counts", run, "--out", tmp_path)["counts"][0]["row_errors"]


def test_the_emulator_is_free_and_leaves_files_alone(
    circuit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    done = document(*asked(circuit, "emulator:iqm_garnet", "--mitigation", "readout"))
    assert (done["cost"]["usd"], done["rehearsal"]) == (0, False)
    for row, truth in zip(done["observables"], TRUTH, strict=True):
        assert abs(row["value"] - truth) < 0.1 + 4 * row["standard_error"]
    moment = datetime.fromisoformat(done["measured"])
    taken = datetime.fromisoformat(done["snapshot_taken"])
    assert moment <= datetime.now(UTC)
    age = (moment - taken).total_seconds() / 86400
    assert done["snapshot_age_days"] == pytest.approx(age, abs=0.01)
    assert sorted(p for p in tmp_path.iterdir() if p.name not in ("data", "config")) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mitigation", "structure"], "structure must be used for a distribution"),
        (["--mitigation", "magic"], "must have techniques among"),
        (["--observable", "ZZ"], "3 measured wires"),
        (["--budget", "20"], "no currency"),
        (["--device", "braket:nowhere"], "nowhere"),
        (["--device", "braket:ionq_forte_enterprise", "--shots", "99"], "from 100 to"),
        (["--mitigation", "dd"], "dd"),
        (["--out", "/dev/null/x"], "`--out` must be a folder that can be written"),
    ],
)
def test_bad_input_is_one_line_and_nothing_sent(
    braket: BraketService, circuit: Path, arguments: list[str], said: str
) -> None:
    answer = qhw(*asked(circuit, "braket:iqm_garnet", "--budget", "9usd"), *arguments)
    assert answer.exit_code == 2 and answer.stdout == ""
    assert said in answer.stderr and answer.stderr.count("\n") == 1, answer.stderr
    assert braket.queue.tasks == () and document("jobs", "list")["jobs"] == []


def test_what_the_device_refuses_is_not_sent(braket: BraketService, circuit: Path) -> None:
    # IonQ takes one circuit a task, of 100 to 5000 shots
    ionq = "braket:ionq_forte_enterprise"
    words = "must be a whole number from 100 to 5000"
    refused(qhw(*asked(circuit, ionq, "--budget", "999usd", shots=400)), words)
    many = document(*asked(circuit, ionq, "--mitigation", "none", "--estimate", shots=20_000))
    assert many["jobs"] == many["circuits"] == 3 + 2 + 1  # of about 12,000, 5,400 and 2,700 shots
    nothing = ("expect", circuit, "--observable", "2*III", "--device", "braket:iqm_garnet")
    refused(qhw(*nothing, "--budget", "9usd"), "must have something to measure")
    assert braket.queue.tasks == ()
