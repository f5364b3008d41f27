from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from calibration.catalog import load_snapshot
from calibration.readout import ReadoutCalibration
from qhw.cli.calibrate import calibrate_command
from qhw.cli.errors import HouseGroup

app = typer.Typer(cls=HouseGroup)
app.command("calibrate")(calibrate_command)
app.callback()(lambda: None)


def test_calibration_is_stored_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "readout.json"
    asked = ["calibrate", "--device", "engine:ibm_fez", "--out", str(file), "--shots", "5000"]
    shown = CliRunner().invoke(app, [*asked, "--qubits", "3,4"])
    assert shown.exit_code == 0, shown.output
    stored = ReadoutCalibration.from_json(file.read_text())
    assert [q.qubit for q in stored.qubits] == [3, 4]
    error = load_snapshot("ibm_fez").qubits[3].p10
    assert error is not None
    assert abs(stored.qubits[0].p10 - error) < 0.01
    assert f"{stored.qubits[0].p10:.4f}" in shown.output
    as_json = CliRunner().invoke(app, [*asked, "--json"])
    document = json.loads(as_json.stdout)
    assert len(document["qubits"]) == 7  # those the shipped decoder reads


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--qubits", "3,x"], "must be whole numbers with commas between"),
        (["--qubits", "3,3"], "must be 1 to 10 distinct qubits"),
        (["--qubits", "3", "--shots", "0"], "'--shots': must be"),
        (["--qubits", "999"], "999"),
        (["--device", "engine:nowhere"], "Option `--device` must be a backend"),
        (["--model", "nowhere"], "neither a shipped checkpoint"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(
    tmp_path: Path, extra: list[str], words: str
) -> None:
    file = tmp_path / "readout.json"
    found = CliRunner().invoke(app, ["calibrate", "--out", str(file), *extra])
    assert found.exit_code == 2
    assert words in found.stderr and found.stderr.count("\n") == 1
    assert not file.exists()
