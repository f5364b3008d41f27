"""Mitigation pipelines through the loopback vendors: every fold, twirl and shot over the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.loopback import ibm_execute
from backends.loopback.braket import BraketService
from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API, IBMPlatform
from backends.loopback.server import LoopbackServer
from calibration.readout import QubitReadout, ReadoutCalibration
from tests.cli.test_jobs_cli import document, qhw, refused

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

Given = Callable[..., tuple[object, ...]]
PIPELINE = "twirl(2)+readout+zne(1,3)"
LABELS = [f"decoder/zne={scale}/twirl={i}" for scale in (1, 3) for i in (0, 1)]


@pytest.fixture
def given(small_model: Path, tmp_path: Path) -> Given:
    def options(device: str, pipeline: str = PIPELINE, shots: int = 400) -> tuple[object, ...]:
        return (
            *("--model", small_model, "--device", device, "--task", "generate"),
            *("--molecules", 2, "--shots", shots),
            *("--mitigation", pipeline, "--budget", "99usd", "--out", tmp_path / "runs"),
        )

    return options


def check_result(done: dict[str, Any]) -> int:
    """What every run with :data:`PIPELINE` says of itself; gives the circuit's two-qubit gates."""
    (circuit,) = done["circuits"]
    facts = circuit["mitigation"]
    assert facts["pipeline"] == done["settings"]["mitigation"] == PIPELINE
    assert (facts["templates"], facts["executions"], facts["total_shots"]) == (4, 8, 800)
    # three shots of four at the device's own noise; raw counts are those
    assert facts["shot_multiplier"] == pytest.approx(4 / 3)
    assert (facts["raw_shots"], facts["raw_extra_shots"]) == (300, 0)
    assert facts["fits"]["zne"]["coefficients"] == pytest.approx([1.5, -0.5])
    assert facts["effective_shots"] < 200
    sources = [row["source"] for row in done["sections"][0]["metrics"][0]["rows"]]
    assert sources[:3] == ["device_raw", "device_mitigated", "shots_only"]
    assert done["verdict"]["skill"]["source"] == "device_mitigated"
    gates: int = circuit["two_qubit_gates"]
    return gates


def check_folder(folder: Path) -> None:
    """Every intermediate is there, and the counts are those of the shots."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"Mitigation: {PIPELINE}" in page and "device, mitigated" in page
    told = json.loads((folder / "mitigation" / "decoder.json").read_text())
    assert [batch["label"] for batch in told["batches"]] == LABELS
    with np.load(folder / "mitigation" / "decoder-counts.npz", allow_pickle=False) as arrays:
        for batch in told["batches"]:
            assert (arrays[batch["label"]].sum(axis=1) == batch["shots"]).all()
            file = folder / "mitigation" / batch["file"]
            assert file.exists() and file.with_suffix(".qasm").exists()
        values, found = arrays["quasi_probabilities"], arrays["probabilities"]
    assert values.sum(axis=1) == pytest.approx(1)
    assert (found >= 0).all() and found.sum(axis=1) == pytest.approx(1)


def test_braket_runs_every_fold(braket: BraketService, given: Given) -> None:
    priced = document("estimate", *given("braket:iqm_garnet")[:-4])
    done = document("run", *given("braket:iqm_garnet"))
    gates = check_result(done)
    check_folder(Path(done["run"]))
    # a task holds what has equal shots: one a scale
    assert [int(task.body["shots"]) for task in braket.queue.tasks] == [4 * 150, 4 * 50]
    sent = [[p["source"] for p in programs_of(task)] for task in braket.queue.tasks]
    count = sorted(len(re.findall(r"^cz ", text, re.M)) for texts in sent for text in texts)
    assert count == [gates] * 4 + [3 * gates] * 4
    assert len({text for texts in sent for text in texts}) == 8
    assert done["circuits"][0]["usd"] == pytest.approx(braket.queue.billed_usd)
    assert priced["usd"] == pytest.approx(braket.queue.billed_usd)
    (stage,) = priced["stages"]
    assert stage["mitigation"]["shot_multiplier"] == pytest.approx(4 / 3)
    assert stage["mitigation"]["usd_without"] == pytest.approx(0.3 + 2 * 400 * 0.00145)
    assert (stage["circuits"], stage["total_shots"]) == (8, 800)


def programs_of(task: Any) -> list[dict[str, Any]]:
    programs: list[dict[str, Any]] = json.loads(task.body["action"])["programs"]
    return programs


@pytest.mark.slow
def test_ibm_runs_every_fold_and_is_taken_up_again(
    ibm: tuple[IBMPlatform, LoopbackServer], given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, _ = ibm
    platform.queue.hold()
    options = given("ibm:ibm_lagos")
    run = document("submit", *options)["run"]
    # all is sent before anything is done
    jobs = document("jobs", "show", run)["jobs"]
    assert {job["state"] for job in jobs} == {"queued"}
    assert [job["rows"] for job in jobs] == [4, 4]
    assert sorted(platform.queue.jobs[0].tags) == [jobs[0]["key"]]
    platform.queue.release()
    assert platform.queue.wait_idle(60.0)
    done = document("jobs", "watch", run, *options[-2:])
    gates = check_result(done)
    check_folder(Path(done["run"]))
    found = []
    for job in platform.queue.jobs:
        program = ibm_execute.decode(job.body["params"], seed=0, default_rep_delay_s=0.0)
        found += [work.circuit.num_nonlocal_gates() for work in program.works]
    assert sorted(found) == [gates] * 2 + [3 * gates] * 2
    again = document("jobs", "fetch", run, *options[-2:])
    same = ("circuits", "sections", "molecules", "verdict")
    assert {k: done[k] for k in same} == {k: again[k] for k in same}


@pytest.mark.slow
def test_a_lost_answer_makes_no_second_job(
    ibm: tuple[IBMPlatform, LoopbackServer], given: Given
) -> None:
    platform, server = ibm
    server.faults.add(Rule(f"{API}/jobs", Fault.answer(504, after=True), "POST"))
    done = document("run", *given("ibm:ibm_lagos"))
    check_result(done)
    assert len(platform.queue.jobs) == 2
    assert done["circuits"][0]["usd"] == pytest.approx(platform.queue.billed_s * 1.6)


@pytest.mark.slow
def test_raw_counts_with_all_shots_are_asked_for(braket: BraketService, given: Given) -> None:
    done = document("run", *given("braket:iqm_garnet", "zne(1,3)"), "--with-raw")
    facts = done["circuits"][0]["mitigation"]
    assert (facts["total_shots"], facts["raw_shots"], facts["raw_extra_shots"]) == (800, 400, 800)
    assert sum(int(task.body["shots"]) for task in braket.queue.tasks) == 1600
    assert "--with-raw" in done["provenance"]["command"]
    words = "--with-raw.*whose counts are raw"
    refused(qhw("run", *given("braket:iqm_garnet", "readout"), "--with-raw"), words)


@pytest.mark.parametrize(
    ("pipeline", "shots", "words"),
    [
        ("magic", 400, "'magic' .all: .*readout"),
        ("zne(0.5,3)", 400, "from 1 to"),
        ("zne(1,3)+readout", 400, "circuit outwards"),
        ("twirl(8)+readout+zne(1,3)", 1, "at least one"),
        ("readout(share=0.05)", 10, "must pay for"),
        ("zne(1.5,3)", 400, "`--with-raw`.*raw numbers would be missing"),
    ],
)
def test_bad_pipelines_send_nothing(
    braket: BraketService, given: Given, pipeline: str, shots: int, words: str
) -> None:
    for command in ("run", "submit"):
        refused(qhw(command, *given("braket:iqm_garnet", pipeline, shots)), words)
    assert braket.queue.tasks == ()
    assert document("jobs", "list")["jobs"] == []


def test_calibrations_that_do_not_fit_send_nothing(
    braket: BraketService, given: Given, tmp_path: Path
) -> None:
    file = tmp_path / "calibration.json"
    cases = {
        "must be of braket:iqm_garnet, but .* is of aer:ibm_fez": ("aer:ibm_fez", range(20), 1),
        "must cover the measured qubits": ("braket:iqm_garnet", range(2), 1),
        "must be at most 24 h old, but is 25.0 h old": ("braket:iqm_garnet", range(20), 25),
    }
    for words, (device, qubits, hours) in cases.items():
        file.write_text(calibration(device, qubits, hours).to_json())
        for pipeline in ("readout", "readout+zne(1,3)"):
            arguments = (*given("braket:iqm_garnet", pipeline), "--calibration", file)
            refused(qhw("submit", *arguments), words)
    refused(
        qhw("submit", *given("braket:iqm_garnet", "zne(1,3)"), "--calibration", file),
        "must be left out of mitigation zne",
    )
    assert braket.queue.tasks == ()


def calibration(device: str, qubits: range, hours: float) -> ReadoutCalibration:
    taken = datetime.now(UTC) - timedelta(hours=hours)
    known = tuple(
        QubitReadout(qubit=q, p10=0.01, p10_error=0.001, p01=0.02, p01_error=0.001) for q in qubits
    )
    return ReadoutCalibration(
        device=device, taken=taken, shots=1000, states=8, qubits=known, pairs=()
    )


def test_the_budget_holds_for_all_circuits_together(braket: BraketService, given: Given) -> None:
    arguments = list(given("braket:iqm_garnet"))
    # enough for either of the two tasks
    arguments[arguments.index("99usd")] = "1.7usd"
    refused(qhw("submit", *arguments), "1.76 usd would pass the cap")
    assert braket.queue.tasks == ()


def test_a_dry_run_writes_every_payload(braket: BraketService, given: Given) -> None:
    dry = document("submit", *given("braket:iqm_garnet"), "--dry-run")
    assert len(dry["payloads"]) == dry["stages"][0]["jobs"] == 2
    assert braket.queue.tasks == ()
    said = qhw("estimate", *given("braket:iqm_garnet")[:-4]).stdout
    assert "4 circuits in place of one, 1.33 times the shots" in said


@pytest.mark.slow
def test_a_row_that_fails_in_one_variant_leaves_them_all(
    braket: BraketService, given: Given
) -> None:
    # of the six executables of a task, three to a variant, the second variant's middle one
    braket.queue.behaviour.failing_rows = frozenset({4})
    arguments = list(given("braket:iqm_garnet"))
    arguments[arguments.index("--molecules") + 1] = 3
    done = document("run", *arguments)
    assert [(row["index"], row["text"]) for row in done["missing"]] == [
        (1, "executable 4 could not be run")
    ]
    assert [record["index"] for record in done["molecules"]] == [0, 2]
    folder = Path(done["run"])
    with np.load(folder / "mitigation" / "decoder-counts.npz", allow_pickle=False) as arrays:
        assert {len(arrays[label]) for label in LABELS} == {2}
        assert (arrays["raw_counts"].sum(axis=1) == 300).all()


def test_counts_of_every_variant_are_written(braket: BraketService, given: Given) -> None:
    options = given("braket:iqm_garnet", "zne(1,3)")
    run = document("submit", *options)["run"]
    assert braket.queue.wait_idle(30.0)
    document("jobs", "fetch", run, *options[-2:])
    files = [item["file"] for item in document("jobs", "counts", run, *options[-2:])["counts"]]
    assert [Path(file).name for file in files] == [
        f"{run}-decoder-zne={scale}-counts.npz" for scale in (1, 3)
    ]
