"""Runs in which some circuits fail at the vendor: the rest is compared, and the report says so."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import get_run
from tests.cli.test_jobs_cli import document, qhw, refused

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

ROWS = 4
EVIL = 'laser <b onclick="x">lost</b> lock at \x1b[31m03:12 & gave up'
"""A vendor's words that must reach the reader; what would steer a terminal is marked."""

Given = Callable[..., tuple[object, ...]]


@pytest.fixture
def given(small_model: Path, tmp_path: Path) -> Given:
    def options(device: str, task: str = "generate", shots: int = 200) -> tuple[object, ...]:
        return (
            *("--model", small_model, "--device", device, "--task", task, "--budget", "999usd"),
            *("--molecules", ROWS, "--shots", shots, "--out", tmp_path / "runs"),
        )

    return options


def later_micro(run: str) -> int:
    with Ledger.open() as ledger, ledger.read() as connection:
        return get_run(connection, run).later_micro


def missing(result: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(row["index"], row["role"], row["text"]) for row in result["missing"]]


def test_braket_executables_that_fail_leave_both_stages(
    braket: BraketService, given: Given
) -> None:
    braket.queue.behaviour.failing_rows = frozenset({1})
    arguments = given("braket:iqm_garnet", "reconstruct")
    done = document("run", *arguments)
    # row 1 has no mu-hat; of the decoder's rows 0, 2, 3 the second fails
    words = "executable 1 could not be run"
    assert missing(done) == [(1, "encoder", words), (2, "decoder", words)]
    assert [(c["circuits"], c["failed"]) for c in done["circuits"]] == [(4, 1), (3, 1)]
    assert [record["index"] for record in done["molecules"]] == [0, 3]
    names = [record["name"] for record in done["molecules"]]
    assert len({*names, *(row["name"] for row in done["missing"])}) == ROWS
    values = {s["key"]: len(s["metrics"][0]["rows"][0]["values"]) for s in done["sections"]}
    assert values["encoder"] == values["direction"] == 3
    assert {values[key] for key in values.keys() - {"encoder", "direction"}} == {2}
    assert [int(task.body["shots"]) for task in braket.queue.tasks] == [800, 600]
    folder = Path(done["run"])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"1. {done['missing'][0]['name']}" in page
    assert "2 of 4 molecules" in page and words in page
    assert "Counts from a simulation of the vendor" in page and "measured by" not in page
    with np.load(folder / "counts.npz", allow_pickle=False) as arrays:
        assert arrays["encoder_rows"].tolist() == [0, 2, 3]
        assert arrays["decoder_rows"].tolist() == [0, 3]
        assert len(arrays["mu_hat"]) == 3 and len(arrays["latents"]) == 2
        assert (arrays["decoder_counts"].sum(axis=1) == 200).all()


@pytest.mark.slow
def test_taking_a_run_up_again_pays_nothing_twice(braket: BraketService, given: Given) -> None:
    braket.queue.behaviour.failing_rows = frozenset({0})
    arguments = given("braket:iqm_garnet", "reconstruct")
    run = document("submit", *arguments)["run"]
    out = arguments[-2:]
    results = []
    while len(results) < 3:
        assert braket.queue.wait_idle(30.0)
        done = document("jobs", "fetch", run, *out)
        if "missing" in done:
            results.append({k: done[k] for k in done.keys() - {"run", "provenance"}})
        assert len(braket.queue.tasks) == len(document("jobs", "show", run)["jobs"]) <= 2
    assert results[0] == results[1] == results[2]
    assert len(braket.queue.tasks) == 2
    assert sum(c["usd"] for c in results[0]["circuits"]) == pytest.approx(braket.queue.billed_usd)
    assert braket.queue.billed_usd == pytest.approx(2 * 0.3 + (3 + 2) * 200 * 0.00145)


@pytest.mark.slow
def test_braket_tasks_that_fail_keep_the_vendors_words(braket: BraketService, given: Given) -> None:
    braket.queue.behaviour.failing_tasks = EVIL
    braket.queue.behaviour.failing_numbers = frozenset({0, 1})
    result = qhw("run", *given("braket:ionq_forte_enterprise"))
    assert result.exit_code == 0, result.output
    assert "2 of 4 latents" in result.stdout
    assert "decoder failed, rows 0-1: " in result.stdout
    assert 'laser <b onclick="x">lost</b> lock at' in result.stdout
    assert "\x1b" not in result.stdout
    run = document("jobs", "list")["jobs"][0]["run"]
    done = document("jobs", "fetch", run, "--out", given("")[-1])
    assert [row[:2] for row in missing(done)] == [(0, "decoder"), (1, "decoder")]
    kept = EVIL.replace("\x1b", "\ufffd")
    assert all(kept in row["text"] for row in done["missing"])
    page = (Path(done["run"]) / "report.html").read_text(encoding="utf-8")
    assert "<b onclick" not in page
    assert "laser &lt;b onclick=" in page
    assert "lock at" in html.unescape(page)
    shown = document("jobs", "show", run)["jobs"]
    assert [list(job["row_errors"]) for job in shown] == [["0"], ["1"], [], []]
    assert all(kept in job["row_errors"][str(n)] for n, job in enumerate(shown[:2]))
    text = qhw("jobs", "show", run).stdout
    assert "decoder rows 1 failed: " in text


@pytest.mark.slow
def test_an_ibm_job_that_fails_hides_no_other(
    ibm: tuple[IBMPlatform, LoopbackServer], given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    # IBM's jobs work as a whole or not at all: two jobs of two rows each
    monkeypatch.setattr("backends.ibm.program.MAX_EXECUTIONS", 400)
    platform, _ = ibm
    platform.queue.failing[1] = "Internal error. [9999] calibration was lost"
    arguments = given("ibm:ibm_lagos", "reconstruct")
    run = document("submit", *arguments)["run"]
    reserved = later_micro(run)
    assert reserved > 0
    assert platform.queue.wait_idle(30.0)
    document("jobs", "reconcile")
    assert later_micro(run) == reserved  # the decoder will still be sent, for two rows
    done = document("jobs", "watch", run, *arguments[-2:])
    assert [row[:2] for row in missing(done)] == [(2, "encoder"), (3, "encoder")]
    assert all("calibration was lost" in row["text"] for row in done["missing"])
    assert [(c["circuits"], c["failed"]) for c in done["circuits"]] == [(4, 2), (2, 0)]
    assert len(platform.queue.jobs) == 3
    assert later_micro(run) == 0


@pytest.mark.parametrize("left", [0, 1])
def test_too_few_rows_left_is_one_clear_line(
    braket: BraketService, given: Given, left: int
) -> None:
    braket.queue.behaviour.failing_rows = frozenset(range(ROWS - left))
    arguments = given("braket:iqm_garnet", "reconstruct")
    result = qhw("run", *arguments)
    refused(result, f"gave them for {left} of 4: executable 0 could not be run")
    run = document("jobs", "list")["jobs"][0]["run"]
    assert f"Run {run}: " in result.stderr
    assert not list(Path(str(arguments[-1])).glob("*"))
    assert len(braket.queue.tasks) == 1
    assert later_micro(run) == 0
    (counts,) = document("jobs", "counts", run, *arguments[-2:])["counts"]
    assert len(counts["row_errors"]) == ROWS - left


def test_a_cancelled_run_is_not_gone_on_with(braket: BraketService, given: Given) -> None:
    arguments = given("braket:iqm_garnet", "reconstruct")
    run = document("submit", *arguments)["run"]
    assert braket.queue.wait_idle(30.0)  # too late to cancel: the encoder's counts are there
    (job,) = document("jobs", "cancel", run)["jobs"]
    assert job["state"] == "complete"
    refused(qhw("jobs", "fetch", run, *arguments[-2:]), "was cancelled: nothing further")
    assert len(braket.queue.tasks) == 1
