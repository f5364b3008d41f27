"""``qhw depth-report``, ``qhw snapshot`` and ``qhw drift`` through the real command line."""

import json
import re

import pytest
from qiskit import qpy
from typer.testing import CliRunner

from qhw.cli.app import app

QASM = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[3]; creg c[3];
h q[0]; cx q[0],q[1]; cx q[1],q[2];
measure q -> c;
"""


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setenv("QHW_CACHE", str(tmp_path / "cache"))

    def invoke(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    return invoke


@pytest.fixture
def ghz(tmp_path):
    path = tmp_path / "ghz.qasm"
    path.write_text(QASM)
    return path


def depth(run, tmp_path, *words):
    common = ("--levels", "1,3", "--seeds", "2", "--processes", "1", "--out", tmp_path / "runs")
    return run("depth-report", *words, *common)


def test_depth_report_writes_its_folder_and_prints_the_best(run, tmp_path, ghz):
    bad = tmp_path / "bad.qasm"
    bad.write_text("OPENQASM 2.0; oops")
    found = depth(run, tmp_path, ghz, bad, "--devices", "iqm_garnet,nope")
    assert found.exit_code == 0, found.output
    (folder,) = (tmp_path / "runs").iterdir()
    assert {"report.html", "result.json", "rows.csv"} <= {p.name for p in folder.iterdir()}
    assert "iqm_garnet" in found.stdout
    assert "bad.qasm must be OpenQASM 2" in found.stdout
    assert list((tmp_path / "cache" / "compiled").rglob("*.json"))


def test_depth_report_json_is_one_document(run, tmp_path, ghz):
    found = depth(run, tmp_path, ghz, "--devices", "iqm_garnet", "--json", "--no-cache")
    document = json.loads(found.stdout)
    assert [row["level"] for row in document["rows"]] == [1, 3]
    assert not (tmp_path / "cache").exists()
    for row in document["rows"]:  # IQM publishes no gate times: nobody knows, 0 would be a lie
        assert row["best"]["duration_s"] is None
        assert row["figures"]["duration_s"] is None
    (folder,) = (tmp_path / "runs").iterdir()
    assert "<b>unknown</b>" in (folder / "report.html").read_text()


def test_model_circuits_are_reported(run, tmp_path, small_model):
    words = ("--model", small_model, "--only", "decoder, brickwork", "--devices", "iqm_garnet")
    document = json.loads(depth(run, tmp_path, *words, "--json").stdout)
    (facts,) = document["circuits"]
    assert facts["baseline"] > 0
    assert document["rows"][0]["best"]["two_qubit_gates"] >= 22


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "must name a circuit"),
        (("{ghz}", "--levels", "high"), "must be numbers from 0 to 3"),
        (("{ghz}", "--levels", "7"), "must be among (0, 1, 2, 3)"),
        (("{ghz}", "--devices", "nope"), "Nothing could be compiled: no device"),
        (("{ghz}", "--by", "dollars-for-error"), "`--by` must come with an"),
        (("{ghz}", "--observable", "Z0"), "must come with an"),
        (("{ghz}", "--compiler", "nobody"), "`--compiler` must be among qhw"),
        (("{ghz}", "--mitigation", "zme(1,3)"), "techniques among those there are"),
        (("{ghz}", "--only", "absent"), "must be part of a circuit's name"),
        (("missing.qasm", "--devices", "iqm_garnet"), "missing.qasm cannot be read"),
        (("--model", "nothing-here"), "nothing-here"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(run, tmp_path, ghz, words, message):
    filled = [word.format(ghz=ghz) for word in words]
    found = run("depth-report", *filled, "--processes", "1", "--out", tmp_path / "runs")
    assert found.exit_code == 2
    errors = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (tmp_path / "runs").exists()


def test_a_cache_that_cannot_be_written_is_said_before_work(run, tmp_path, ghz, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("QHW_CACHE", str(tmp_path / "file"))
    result = depth(run, tmp_path, ghz, "--devices", "iqm_garnet")
    assert result.exit_code == 2
    assert re.fullmatch(r"error: The cache folder .*QHW_CACHE names another.*\n", result.stderr)
    assert not (tmp_path / "runs").exists()


def test_snapshot_show_export_import(run, tmp_path):
    shown = run("snapshot", "show", "ibm_fez")
    assert "dead gate: 112" in shown.stdout
    facts = json.loads(run("snapshot", "show", "iqm_garnet", "--json").stdout)
    assert (facts["qubits"], facts["price_as_of"]) == (20, "2026-05-05")
    file = tmp_path / "out.json"
    assert run("snapshot", "export", "iqm_garnet", "--out", file).exit_code == 0
    kept = run("snapshot", "import", file, "--out", tmp_path / "kept", "--json")
    assert json.loads(kept.stdout)["payload_sha256"] == facts["payload_sha256"]
    full = run("snapshot", "import", file, "--out", file)
    assert full.exit_code == 2
    assert "`--out` must be a folder that can be written" in full.stderr
    missing = run("snapshot", "import", tmp_path / "none.json", "--out", tmp_path / "kept")
    assert missing.exit_code == 2
    assert "none.json cannot be read" in missing.stderr


def test_drift_of_two_days_and_its_refusals(run, tmp_path, ghz):
    days = ("iqm_garnet@2025-07-06", "iqm_garnet")
    found = run("drift", *days, "--circuit", ghz, "--out", tmp_path / "runs", "--json")
    assert found.exit_code == 0, found.output
    (pair,) = json.loads(found.stdout)["pairs"]
    assert pair["device"] == "iqm_garnet"
    (effect,) = pair["circuits"]
    assert 0 < effect["kept"] <= effect["after"] + 1e-12
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "report.html").exists()
    assert run("drift", "iqm_garnet").exit_code == 2
    other = run("drift", "iqm_garnet", "ibm_fez", "--out", tmp_path / "other")
    assert other.exit_code == 2
    assert "must be a snapshot of iqm_garnet" in other.stderr


def test_delays_count_in_length_and_rate_and_need_a_clock_where_in_its_periods(run, tmp_path):
    lines = 'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit[1] c; x q[0];'
    for name, length in (("long", "400us"), ("periods", "1000dt"), ("short", "0us")):
        text = f"{lines} delay[{length}] q[0]; c[0] = measure q[0];"
        (tmp_path / f"{name}.qasm").write_text(text)
    files = sorted(tmp_path.glob("*.qasm"))
    found = depth(run, tmp_path, *files, "--devices", "ibm_fez,iqm_garnet")
    assert found.exit_code == 0, found.output
    (folder,) = (tmp_path / "runs").iterdir()
    rows = json.loads((folder / "result.json").read_text())["rows"]
    best = {(r["circuit"], r["device"].split("@")[0]): r for r in rows if r["level"] == 3}
    fez = [best[name, "ibm_fez"] for name in ("short", "long", "periods")]
    lengths = [row["best"]["duration_s"] for row in fez]
    assert lengths[1] - lengths[0] == pytest.approx(400e-6)
    assert lengths[2] - lengths[0] == pytest.approx(4e-6)
    assert fez[1]["shots_per_second"] < 2500 < fez[2]["shots_per_second"]
    assert fez[1]["best"]["success"] < 0.8 < fez[2]["best"]["success"]
    assert best["long", "iqm_garnet"]["best"]["duration_s"] == pytest.approx(400e-6)
    assert "iqm_garnet, which names no clock" in found.stdout
    (stored,) = qpy.load((folder / "circuits" / "long.qpy").open("rb"))
    (delay,) = stored.get_instructions("delay")
    assert delay.operation.duration * stored.metadata["dt_s"] == pytest.approx(400e-6)
