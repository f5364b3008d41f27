"""Paid devices from the command line; the emulator stands for the device."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from qhw.cli.app import app

EMULATOR = "emulator:ibm_lagos"

pytestmark = pytest.mark.usefixtures("own_home")


def qhw(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def document(*arguments: object) -> dict[str, Any]:
    result = qhw(*arguments, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def options(model: Path, task: str = "generate") -> tuple[object, ...]:
    return (
        *("--model", model, "--device", EMULATOR, "--task", task),
        *("--molecules", 3, "--shots", 500),
    )


def refused(result: Result, words: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.rstrip("\n").splitlines()[-1].startswith("error: ")
    assert re.search(words, result.stderr), result.stderr


def test_a_run_of_two_stages_is_taken_up_and_reported(small_model: Path, tmp_path: Path) -> None:
    run = document("submit", *options(small_model, "reconstruct"))["run"]
    first = document("jobs", "list")
    assert [(job["role"], job["run"]) for job in first["jobs"]] == [("encoder", run)]
    out = tmp_path / "runs"
    done = document("jobs", "watch", run, "--out", out)
    assert Path(done["run"]) == out / run
    assert (out / run / "report.html").is_file()
    assert done["device"]["backend"] == EMULATOR
    assert {c["role"] for c in done["circuits"]} == {"encoder", "decoder"}
    shown = document("jobs", "show", run[-6:])
    assert [(job["role"], job["state"]) for job in shown["jobs"]] == [
        ("encoder", "complete"),
        ("decoder", "complete"),
    ]
    assert shown["jobs"][0]["actual_usd"] == 0
    counts = document("jobs", "counts", run, "--out", out)["counts"]
    with np.load(counts[1]["file"], allow_pickle=False) as arrays:
        assert arrays["counts"].sum(axis=1).tolist() == [500, 500, 500]


def test_fetching_again_gives_the_same_result(small_model: Path, tmp_path: Path) -> None:
    run = document("submit", *options(small_model))["run"]
    results = [document("jobs", "fetch", run, "--out", tmp_path / f"runs{n}") for n in range(2)]
    for result in results:
        del result["run"], result["provenance"]
    assert results[0] == results[1]


def test_estimate_and_dry_run_leave_no_trace(small_model: Path, tmp_path: Path) -> None:
    priced = document("estimate", *options(small_model, "reconstruct"))
    assert [stage["role"] for stage in priced["stages"]] == ["encoder", "decoder"]
    assert priced["usd"] == 0 and priced["rehearsal"] is False
    dry = document("submit", *options(small_model), "--dry-run", "--out", tmp_path / "runs")
    assert [Path(payload).read_bytes() for payload in dry["payloads"]] == [b""]  # posts nothing
    assert document("jobs", "list")["jobs"] == []


def test_run_is_compare_on_a_simulator(small_model: Path, tmp_path: Path) -> None:
    given = ("--model", small_model, "--device", "exact", "--molecules", 2, "--shots", 100)
    done = document("run", *given, "--out", tmp_path / "runs")
    assert done["device"]["backend"] == "exact"
    assert document("jobs", "list")["jobs"] == []


def test_run_waits_and_reports(small_model: Path, tmp_path: Path) -> None:
    done = document("run", *options(small_model), "--out", tmp_path / "runs")
    assert done["circuits"][0]["cost_basis"].startswith("actual")
    assert len(document("jobs", "list")["jobs"]) == 1
    result = qhw("jobs", "reconcile")
    assert result.exit_code == 0
    assert "nothing to do" in result.stdout


def test_what_is_refused_is_refused_before_anything(small_model: Path, tmp_path: Path) -> None:
    for extra, words in {
        ("--budget", "20"): "no currency",
        ("--budget", "20gbp"): "'gbp'",
        ("--device", "aer:ibm_lagos"): "must be a backend that takes jobs",
        ("--device", "emulator:ibm_nighthaw"): "ibm_nighthaw' \\((?!.*ibm_nighthawk)",
        ("--device", "emulator:ibm_nighthawk"): "ibm_nighthawk is made up: ",
        ("--shots", "0"): "shots",
    }.items():
        refused(qhw("submit", *options(small_model), *extra), words)
    assert document("jobs", "list")["jobs"] == []


def test_unknown_runs(tmp_path: Path) -> None:
    for command in ("show", "watch", "fetch", "cancel", "counts"):
        refused(qhw("jobs", command, "nothing"), "must name a run, but for 'nothing' none")


def test_an_unusable_ledger_or_configuration_is_one_line(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong.toml").write_text('[budget]\nper_day = "5eur"\n')
    monkeypatch.setenv("QHW_CONFIG", str(tmp_path / "wrong.toml"))
    refused(qhw("submit", *options(small_model)), "'eur'")
    monkeypatch.delenv("QHW_CONFIG")
    monkeypatch.setenv("QHW_LEDGER_URL", "mysql://x")
    refused(qhw("jobs", "list"), "URL must be such as")


def test_only_what_nothing_else_ends_is_given_up(small_model: Path, tmp_path: Path) -> None:
    charge = ("--charge", "1usd", "--why", "x")
    refused(qhw("jobs", "give-up", "7", *charge), "must be the number of a job, but none is 7")
    document("run", *options(small_model), "--out", tmp_path / "runs")
    (job,) = document("jobs", "list")["jobs"]
    number = str(job["job"])
    refused(qhw("jobs", "give-up", number, *charge), "its charge is known")
    refused(qhw("jobs", "give-up", number, "--charge", "1", "--why", "x"), "no currency")
