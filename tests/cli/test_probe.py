"""``--probe``: what a job's own smaller circuits say of the noise, on simulators and in jobs."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from backends.loopback.braket import BraketService
from calibration.catalog import load_snapshot
from qhw.analysis.compare.predicted import Prediction
from qhw.analysis.compare.result import ComparisonResult
from qhw.analysis.expect.result import ExpectResult
from qhw.jobs.ledger import Ledger
from qhw.jobs.predictions import get_prediction
from tests.cli.interrupted import stopped
from tests.cli.own_circuits import write_files
from tests.cli.test_own_circuits import call, document, recorded

pytestmark = pytest.mark.usefixtures("own_home")
MINE = ("mine.qasm", "--angles", "angles.csv", "--names", "label", "--mitigation", "none")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_probes_find_the_noise_that_a_device_has(folder: Path) -> None:
    """A device with three times the noise that its calibration reports."""
    line = ("compare", *MINE, "--device", "engine:ibm_lagos+noise=3", "--shots", "20k")
    found = document(*line, "--probe")
    run = Path(found["run"])
    result = ComparisonResult.from_json((run / "result.json").read_text())
    (told,) = result.probes
    assert len(told.noise.circuits) == 2
    assert told.noise.factor == pytest.approx(3, rel=0.15)
    assert abs(told.noise.factor - 3) < told.noise.high - told.noise.low
    before, again = told.predicted, told.again
    assert abs(again.predicted - again.measured) < abs(before.predicted - before.measured) / 3
    assert again.interval.low < again.measured < again.interval.high and again.results == 56
    page = (run / "report.html").read_text()
    assert 'id="probes"' in page and "fitted-circuit.json" in page
    assert "--probe" in result.provenance.command
    fitted = load_snapshot(run / "fitted-circuit.json")
    assert fitted.name == "ibm_lagos_fitted"
    shown = call("snapshot", "show", run / "fitted-circuit.json")
    assert "fitted to counts" in shown
    without = document(*line)  # the counts of the circuit are the same
    assert (without["probes"], without["sections"]) == ([], found["sections"])


@pytest.mark.slow
def test_probes_are_priced_sent_with_the_job_and_paid_once(folder: Path) -> None:
    line = (*MINE, "--device", "emulator:ibm_lagos", "--shots", "1000", "--probe")
    (quoted,) = document("estimate", *line)["stages"]
    assert (quoted["probes"], quoted["total_shots"]) == (2, 6000)  # four rows and two probes
    sent = document("submit", *line)
    assert sorted(job["role"] for job in sent["jobs"]) == [
        "circuit",
        "circuit/probe=0",
        "circuit/probe=1",
    ]
    again = document("run", *line)
    assert Path(again["run"]).name == sent["run"] and recorded() == [sent["run"]]
    assert again["probes"][0]["noise"]["factor"] == pytest.approx(1, abs=0.5)
    other = document("submit", *(word for word in line if word != "--probe"))
    assert other["run"] != sent["run"]  # without probes it is another run
    call("jobs", "export", sent["run"], "--out", "b.zip")
    assert "verified" in call("verify", "b.zip")


def test_what_cannot_be_probed_is_one_line(folder: Path) -> None:
    (folder / "counts.json").write_text("{}")
    told = call("compare", *MINE, "--counts", "counts.json", "--probe", code=2)
    assert "`--probe` must be left out with --counts" in told
    told = call("compare", *MINE, "--device", "exact", "--probe", "--shots", "100", code=2)
    assert "`--probe` must be left out of a device without noise" in told and told.count("\n") <= 4


def test_expectation_values_are_predicted_before_they_are_sent(folder: Path) -> None:
    line = (
        *("expect", "near.qasm", "far.qasm", "--observable", "ZZZ", "--observable", "IIZ"),
        *("--device", "emulator:ibm_lagos", "--shots", "2000", "--mitigation", "none", "--probe"),
    )
    found = document(*line, "--out", "runs")
    folder_of = Path(found.pop("folder"))
    result = ExpectResult.from_json((folder_of / "result.json").read_text())
    told = result.prediction
    with Ledger.open() as ledger, ledger.read() as connection:
        frozen = get_prediction(connection, result.run, "expectation")
    values = Prediction.from_bytes(frozen).values
    assert [(v.row, v.observable) for v in values] == [
        (row, text) for row in (0, 1) for text in ("ZZZ", "IIZ")
    ]
    assert told.made < result.measured and told.results == 108
    for judged, measured in zip(told.values, result.observables, strict=True):
        assert judged.measured == pytest.approx(measured.value)  # raw, without mitigation
        assert judged.exact == pytest.approx(measured.exact)
        assert abs(judged.predicted) < abs(judged.exact)
        assert judged.low < judged.predicted < judged.high
        assert judged.inside is (judged.low <= judged.measured <= judged.high)
    assert sum(v.inside for v in told.values) >= 3
    assert result.probe.noise.factor == pytest.approx(1, abs=0.6)
    assert result.probe.again.results == 56
    page = (folder_of / "report.html").read_text()
    assert 'id="prediction"' in page and 'id="probes"' in page
    assert load_snapshot(folder_of / "fitted-expectation.json").name == "ibm_lagos_fitted"
    again = document(*line, "--out", "runs")
    assert again["prediction"] == found["prediction"]
    call("jobs", "export", result.run, "--out", "b.zip")
    assert "values of observables" in call("verify", "b.zip")


@pytest.mark.slow
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("command", ["run", "expect"])
def test_killed_with_probes_and_taken_up(braket: BraketService, folder: Path, command: str) -> None:
    observed = ("--observable", "ZZZ") if command == "expect" else ()
    line = (
        *(command, folder / "mine.qasm", "--angles", folder / "angles.csv", "--names", "label"),
        *("--device", "braket:iqm_garnet", "--shots", 1000, "--mitigation", "none"),
        *("--budget", "90usd", "--probe", *observed),
    )
    code, _, _ = stopped(braket, signal.SIGKILL, *line)
    assert code == -signal.SIGKILL
    braket.queue.release()
    found = document(*line)
    sent = braket.queue.accepted
    jobs = json.loads(call("jobs", "show", recorded()[0], "--json"))["jobs"]
    assert sum(job["rows"] for job in jobs) == 6  # four rows and two probes, each once
    noise = found["probe"]["noise"] if command == "expect" else found["probes"][0]["noise"]
    assert len(noise["circuits"]) == 2
    assert document(*line).keys() == found.keys() and braket.queue.accepted == sent
