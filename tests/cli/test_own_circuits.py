"""A person's own circuits in the commands that once took a model alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import qhw
from calibration.readout import ReadoutCalibration
from qhw.analysis.compare.result import ComparisonResult
from qhw.analysis.depth.jobs import Compiled
from qhw.circuits.workload import Workload
from qhw.cli.app import app
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import latest_runs
from tests.cli.own_circuits import LABELS, outcome, template, truth, write_files

pytestmark = pytest.mark.usefixtures("own_home")


def call(*words: object, code: int = 0) -> str:
    found = CliRunner().invoke(app, [str(word) for word in words])
    assert found.exit_code == code, found.output
    return found.stdout if code == 0 else found.stderr


def document(*words: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call(*words, "--json"))
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


FORMS = {
    "csv": ("mine.qasm", "--angles", "angles.csv", "--names", "label"),
    "npz": ("mine.qpy", "--angles", "angles.npz"),
    "alone": ("near.qasm", "bond.qasm", "far.qasm", "broken.qasm"),
}


@pytest.mark.parametrize("form", FORMS)
def test_compare_reports_rows_by_name_beside_exact(form: str, folder: Path) -> None:
    found = document("compare", *FORMS[form], "--device", "engine:iqm_garnet", "--shots", "20k")
    run = Path(found["run"])
    result = ComparisonResult.from_json((run / "result.json").read_text())
    assert [row.name for row in result.named_rows] == list(LABELS)
    with np.load(run / "counts.npz", allow_pickle=False) as arrays:
        np.testing.assert_allclose(arrays["circuit_exact"], truth(), atol=1e-9)
        measured = arrays["circuit_readout_corrected"]
    assert (np.abs(measured - truth()).sum(axis=1) / 2 < 0.08).all()
    page = (run / "report.html").read_text()
    assert all(f"{row}. {label}" in page for row, label in enumerate(LABELS))
    with (run / "outcomes.csv").open() as file:
        lines = {(line["name"], line["outcome"]): line for line in csv.DictReader(file)}
    for row, label in enumerate(LABELS):
        for k, exact in enumerate(truth()[row]):
            if line := lines.get((label, outcome(k))):
                assert float(line["exact"]) == pytest.approx(exact, abs=1e-9)
                assert float(line["raw"]) == int(line["count"]) / 20_000
    assert sum(int(line["count"]) for line in lines.values()) == 80_000
    likeliest = truth().argmax(axis=1)
    assert all(f">{outcome(k)}<" in page for k in likeliest)
    command = result.provenance.command.split()
    assert command[:2] == ["qhw", "compare"] and set(FORMS[form]) <= set(command)
    again = document(*command[1:])
    assert again["sections"] == found["sections"]


def test_the_command_line_and_python_give_the_same_numbers(folder: Path) -> None:
    pipeline = "twirl(2)+readout"
    words = ("--device", "engine:ibm_fez", "--shots", "4k", "--mitigation", pipeline, "--seed", "3")
    said = document("compare", *FORMS["csv"], *words)
    work = qhw.Workload.of("mine.qasm", "angles.csv", names="label")
    found = qhw.measure(work, None, "engine:ibm_fez", shots=4000, mitigation=pipeline, seed=3)
    told = json.loads(found.to_json())
    assert said["sections"] == told["sections"] and said["settings"] == told["settings"]
    assert found.to_dataframe()["name"].unique().tolist() == list(LABELS)


def test_expect_of_rows_and_its_page(folder: Path) -> None:
    words = ("--observable", "Z0", "--observable", "IZZ", "--device", "exact", "--out", "runs")
    found = document("expect", *FORMS["csv"], "--mitigation", "none", *words)
    signs = {
        "Z0": 1 - 2 * (np.arange(8) & 1),
        "IZZ": [1 - 2 * ((k ^ k >> 1) & 1) for k in range(8)],
    }
    for value in found["observables"]:
        place = LABELS.index(value["row_name"])
        assert value["row"] == place
        assert value["exact"] == pytest.approx(truth()[place] @ signs[value["observable"]])
    page = (Path(found["folder"]) / "report.html").read_text()
    assert all(label in page for label in LABELS)
    alone = document("expect", *FORMS["alone"], "--mitigation", "none", *words)
    exact = [row["exact"] for row in alone["observables"]]
    np.testing.assert_allclose(exact, [row["exact"] for row in found["observables"]], atol=1e-9)


@pytest.mark.parametrize("how", ["run", "submit"])
def test_the_same_line_pays_once(how: str, folder: Path) -> None:
    words = (*FORMS["csv"], "--device", "emulator:iqm_garnet", "--shots", "2000")
    price = document("estimate", *words)
    (stage,) = price["stages"]
    assert (stage["role"], stage["circuits"], stage["total_shots"]) == ("circuit", 4, 8000)
    for _ in range(2):
        call(how, *words)
    call("run", *words, "--out", "other", "--seed", "0")  # the other command, the same run
    (named,) = recorded()
    (report,) = sorted(Path("other").iterdir())
    assert report.name.startswith(named)
    Path("mine.qasm").rename("renamed.qasm")  # what runs is the same, whatever it is called
    call("submit", "renamed.qasm", *words[1:])
    Path("renamed.qasm").rename("mine.qasm")
    assert recorded() == [named]
    fetched = document("jobs", "fetch", named)
    assert [row["name"] for row in fetched["row_names"]] == list(LABELS)
    call("submit", *words, "--again")
    call("submit", "mine.qasm", "--angles", "angles.csv", "--names", "label", *words[5:-1], 3000)
    assert len(recorded()) == 3
    dry = document("submit", *words, "--dry-run", "--out", "dry")
    assert dry["usd"] == 0 and all(Path(path).exists() for path in dry["payloads"])
    assert len(recorded()) == 3


def recorded() -> list[str]:
    with Ledger.open() as ledger, ledger.read() as connection:
        return [record.id for record in latest_runs(connection, 99)]


def test_bench_and_advice(folder: Path) -> None:
    words = (*FORMS["npz"], "--pipelines", "readout;zne(1,3)", "--device", "engine:iqm_garnet")
    found = document("mitigate", "bench", *words, "--shots", "4k", "--repeats", "2")
    assert found["settings"] | {"model": "mine", "task": "circuit", "rows": 4} == found["settings"]
    (device,) = found["devices"]
    exact = truth()
    others = (exact.sum(axis=0) - exact) / 3
    assert device["uniform"] == pytest.approx(np.abs(exact - 1 / 8).sum(axis=1).mean() / 2)
    assert device["prior_mean"] == pytest.approx(np.abs(exact - others).sum(axis=1).mean() / 2)
    assert "rows" in (Path(found["run"]) / "report.html").read_text()
    advice = document("mitigate", "advise", *words, "--shots", "4k")
    assert (advice["model"], advice["rows"]) == ("mine", 4)
    assert advice["uniform"] == pytest.approx(device["uniform"])


def test_calibration_is_of_the_qubits_that_a_comparison_reads(folder: Path) -> None:
    words = ("--device", "engine:ibm_fez", "--seed", "5")
    document("calibrate", "mine.qpy", *words, "--out", "readout.json", "--shots", "50k")
    stored = ReadoutCalibration.from_json(Path("readout.json").read_text())
    told = ("--calibration", "readout.json", "--shots", "20k")
    found = document("compare", *FORMS["npz"], *words, *told)
    (facts,) = found["circuits"]
    assert {q.qubit for q in stored.qubits} <= set(facts["qubits"])
    called = qhw.calibrate(template(), "engine:ibm_fez", shots=50_000, seed=5)
    assert called.qubits == stored.qubits


def test_depth_report_of_rows_has_their_baselines(folder: Path) -> None:
    words = ("--devices", "iqm_garnet", "--levels", "3", "--seeds", "1", "--processes", "1")
    found = document("depth-report", *FORMS["csv"], *words, "--no-cache")
    (row,) = found["rows"]
    assert row["circuit"] == "mine" and row["best"]["two_qubit_gates"] >= 2
    work = Workload.of("mine.qasm", "angles.csv", names="label")
    (same,) = qhw.depth_report(
        work, "iqm_garnet", levels=[3], seeds=1, processes=1, cache=False
    ).report.rows
    assert same.best == Compiled.model_validate(row["best"])
