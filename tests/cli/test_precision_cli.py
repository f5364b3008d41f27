"""``--precision`` on the command line: planned, priced, refused, paid once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from backends.loopback.braket import BraketService
from tests.cli.test_jobs_cli import document, qhw

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

QASM = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
ry(1.0) q[0];
cx q[0],q[1];
"""
DEVICE = "braket:iqm_garnet"


def refused(*words: object) -> str:
    """The one line of an error."""
    result = qhw(*words)
    assert result.exit_code == 2 and result.stdout == "", result.output
    line = result.stderr.rstrip("\n").splitlines()[-1]
    assert line.startswith("error: ")
    return line


@pytest.fixture
def circuit(tmp_path: Path) -> Path:
    path = tmp_path / "c.qasm"
    path.write_text(QASM)
    return path


def test_a_comparison_takes_the_shots_that_were_planned(circuit: Path, tmp_path: Path) -> None:
    found = document(
        "compare", circuit, "--device", "exact", "--precision", "0.03", "--out", tmp_path
    )
    # two outcomes, p = sin(1/2)^2: TVD sqrt(2 p (1 - p) / (pi N))
    assert found["settings"]["precision"] == "0.03"
    assert found["settings"]["shots"] == pytest.approx(0.708 / (2 * 3.1416 * 0.03**2), rel=0.07)
    assert "--precision 0.03" in found["provenance"]["command"]
    assert "--shots" not in found["provenance"]["command"]
    page = (Path(found["run"]) / "report.html").read_text()
    assert "planned for precision 0.03" in page


def test_values_take_the_shots_that_were_planned(circuit: Path, tmp_path: Path) -> None:
    words = ("expect", circuit, "--observable", "2*ZI", "--device", "exact", "--mitigation", "none")
    done = qhw(*words, "--precision", "0.02", "--json", "--out", tmp_path)
    found = json.loads(done.stdout)
    assert found["settings"]["shots"] == pytest.approx(4 * 0.708 / 0.02**2, rel=0.05)
    assert found["observables"][0]["standard_error"] <= 0.0205
    assert "precision 0.02 (standard error of the worst observable)" in done.stderr
    assert "--precision 0.02" in found["command"] and "--shots" not in found["command"]
    assert "planned for precision 0.02" in (Path(found["folder"]) / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--precision", "0.1", "--shots", "9"), "left out where `shots` are given"),
        (("--precision", "0"), "above 0 and below 1"),
        (("--precision", "nan"), "above 0 and below 1"),
        (("--precision", "1e-9"), "or more here, which the most shots of a row, 10,000,000"),
        (("--precision", "0.1rad"), "above 0 and below 1"),
    ],
)
def test_what_is_no_precision_is_refused_in_one_line(
    circuit: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    line = refused("compare", circuit, "--device", "exact", *words, "--out", tmp_path)
    assert said in line


def test_an_absurd_precision_of_values_is_refused(circuit: Path) -> None:
    words = ("expect", circuit, "--observable", "2*ZI", "--device", "exact", "--precision")
    assert "must be below 2, which the value without any" in refused(*words, "2.5")
    assert "left out where `shots`" in refused(*words, "0.1", "--shots", "5")


@pytest.mark.slow
def test_a_budget_says_which_precision_it_allows(
    braket: BraketService, circuit: Path, tmp_path: Path
) -> None:
    words = (circuit, "--device", DEVICE, "--mitigation", "readout", "--precision", "0.02")
    priced = document("estimate", *words)
    plan = priced["precision"]
    assert plan["asked"] == 0.02 and plan["expected"] <= 0.02
    assert priced["stages"][0]["shots"] == plan["shots"]
    line = refused("run", *words, "--budget", "0.6usd", "--out", tmp_path)
    told = re.search(r"allows a precision of ([0-9.]+) \(([0-9,]+) shots\); nothing was sent", line)
    assert told is not None and float(told[1]) > 0.02
    # as many shots as the budget pays for, and not many fewer
    shots = int(told[2].replace(",", ""))
    per_shot = (priced["usd"] - 0.3) / plan["shots"]
    assert 0.94 * 0.6 <= 0.3 + per_shot * shots <= 0.6
    offered = ("run", *words[:-1], told[1], "--budget", "0.6usd", "--out", tmp_path / "offered")
    assert qhw(*offered).exit_code == 0  # what is offered can be had
    assert len(braket.queue.tasks) == 1
    assert "allows no precision" in refused("run", *words, "--budget", "0.1usd", "--out", tmp_path)
    done = qhw("run", *words, "--budget", "9usd", "--json", "--out", tmp_path)
    assert json.loads(done.stdout)["settings"]["shots"] == plan["shots"]
    told_before = done.stderr.index("precision 0.02"), done.stderr.index("budgets must hold")
    assert max(told_before) < done.stderr.index("submitted as")
    assert len(braket.queue.tasks) == 2
    # the same line again is the same run, and nothing is planned or paid for it
    again = qhw("run", *words, "--budget", "9usd", "--json", "--out", tmp_path)
    assert "nothing is sent twice" in again.stderr and "planning" not in again.stderr
    assert len(braket.queue.tasks) == 2


def test_values_on_a_paid_device_are_planned_and_paid_once(
    braket: BraketService, circuit: Path
) -> None:
    words = ("expect", circuit, "--observable", "ZI", "--device", DEVICE, "--mitigation", "none")
    words = (*words, "--precision", "0.03")
    priced = document(*words, "--estimate")
    assert priced["precision"]["of"] == "observable" and priced["usd"] > 0.3
    assert "allows a precision of" in refused(*words, "--budget", "0.5usd")
    assert braket.queue.tasks == ()
    found = document(*words, "--budget", "9usd")
    assert found["settings"]["shots"] == priced["precision"]["shots"]
    document(*words, "--budget", "9usd")
    assert len(braket.queue.tasks) == 1
