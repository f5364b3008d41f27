"""``--bind``: values of a circuit file's parameters, wherever a circuit file goes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from qhw.analysis.expect.values import prepare
from qhw.circuits.workload import Workload
from qhw.cli.app import app

TEXT = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] a;
input float[64] b;
qubit[2] q;
bit[2] c;
ry(a) q[0];
ry(b) q[1];
c = measure q;
"""


@pytest.fixture
def circuit(tmp_path: Path) -> Path:
    path = tmp_path / "two.qasm"
    path.write_text(TEXT)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_values_of_words_and_files_make_one_row(circuit: Path, tmp_path: Path) -> None:
    values = tmp_path / "values.json"
    values.write_text('{"a": 0.9, "b": 0.2}')
    asked = ["expect", circuit, "--observable", "Z0", "--observable", "Z1", "--device", "exact"]
    given = ["--bind", values, "--bind", "a=0.5", "--mitigation", "none", "--shots", 100]
    answer = run(*asked, *given, "--json")
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)["observables"]
    assert [o["exact"] for o in found] == pytest.approx([math.cos(0.5), math.cos(0.2)])


def test_angles_are_of_what_is_left_free(circuit: Path) -> None:
    work = Workload.of(circuit, {"b": [0.1, 0.2, 0.3]}, bind={"a": 0.5})
    assert work.parameter_names == ("b",)
    assert work.angles.tolist() == [[0.1], [0.2], [0.3]]
    assert work.fingerprint() != Workload.of(circuit, {"b": [0.1]}, bind={"a": 0.6}).fingerprint()


def test_other_values_are_another_run(circuit: Path) -> None:
    """A paid run is told from another by its settings."""
    options = {"device": "exact", "mitigation": "none", "shots": 100, "seed": 0}
    one, two = (
        prepare(circuit, None, "ZZ", bind={"a": a, "b": 1.0}, **options)[0] for a in (0.1, 0.2)
    )
    assert one.circuit_sha256 != two.circuit_sha256


REFUSED = {
    "a column of a bound parameter": (["--bind", "a=1", "--angles", "rows.csv"], "also has a"),
    "a value is missing": (["--bind", "a=1"], "must be given for 1 free parameters (b)"),
    "no such parameter": (["--bind", "z=1"], "has no free parameter 'z'"),
}


@pytest.mark.parametrize("command", ["compare", "estimate", "submit", "run", "noise-study"])
@pytest.mark.parametrize("given", REFUSED)
def test_refused_in_one_line(
    circuit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, given: str
) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n0.3,1\n0.4,2\n")
    monkeypatch.chdir(tmp_path)
    words, said = REFUSED[given]
    where = ["--devices", "ibm_lagos"] if command == "noise-study" else []
    where += ["--device", "emulator:ibm_lagos"] if command in ("estimate", "submit", "run") else []
    answer = run(command, circuit, *where, *words)
    assert answer.exit_code == 2
    assert answer.output.count("\n") == 1
    assert said in answer.output


@pytest.mark.parametrize("command", ["compare", "noise-study", "calibrate"])
def test_left_out_without_a_file(command: str, tmp_path: Path) -> None:
    words = {"noise-study": [tmp_path / "study.yaml"], "calibrate": ["--out", tmp_path / "r.json"]}
    answer = run(command, *words.get(command, []), "--bind", "a=1")
    assert answer.exit_code == 2
    assert "`--bind` must be left out without a circuit file, but is a=1" in answer.output


def test_values_go_to_the_circuits_of_a_report_that_have_them(
    circuit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fixed, other = tmp_path / "fixed.qasm", tmp_path / "other.qasm"
    fixed.write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; h q[0];')
    other.write_text(
        "input int n; qubit[1] q; for int i in [1:n] { h q[0]; } bit b = measure q[0];"
    )
    sizes = ("--devices", "ibm_lagos", "--levels", "0", "--seeds", "1", "--processes", "1")
    asked = ["depth-report", circuit, fixed, other, *sizes, "--bind", "a=1", "--bind", "n=2"]
    answer = run(*asked, "--json")
    assert answer.exit_code == 0, answer.output
    rows = json.loads(answer.stdout)["rows"]
    assert {row["circuit"] for row in rows} == {circuit.stem, "fixed", "other"}
    assert all(row["reason"] is None for row in rows)
    answer = run(*asked, "--bind", "z=1")
    assert answer.exit_code == 2 and "no circuit has 'z'" in answer.output
