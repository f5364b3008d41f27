"""``qhw expect``: a circuit file's expectation values beside the exact ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qiskit import qpy
from typer.testing import CliRunner

from qhw.analysis.expect_result import ExpectResult
from qhw.cli.app import app

QASM = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[3];
ry(0.7) q[0];
cx q[0],q[1];
rx(0.3) q[2];
"""


@pytest.fixture
def circuit(tmp_path: Path) -> Path:
    path = tmp_path / "c.qasm"
    path.write_text(QASM)
    return path


def test_values_of_a_circuit_file(circuit: Path) -> None:
    observables = ["--observable", "IZZ", "--observable", "2*YII - 0.5 * ZII"]
    answer = CliRunner().invoke(
        app,
        ["expect", str(circuit), *observables, "--device", "engine:ibm_fez", "--json"],
    )
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["mitigation"] == "readout+zne(1,3)" and found["vendor_mitigation"] is None
    assert found["total_shots"] == 20_000
    # qubits 1 and 0 are equal; qubit 2, wire 0, is turned about x
    for row, truth in zip(found["observables"], (1.0, -2 * 0.29552 - 0.5 * 0.95534), strict=True):
        assert row["exact"] == pytest.approx(truth, abs=1e-4)
        assert abs(row["value"] - truth) < 0.02 + 4 * row["standard_error"]
    again = CliRunner().invoke(app, ["expect", str(circuit), *observables, "--device", "exact"])
    assert again.exit_code == 0 and "shot floor" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--observable", "ZZ"], "3 measured wires"),
        (["--observable", "ZZI ZII"], "sign between"),
        (["--observable", "ZZQ"], "must be like"),
        (["--observable", "ZZI", "--mitigation", "magic"], "`--mitigation` must have techniques"),
        (["--observable", "ZZI", "--mitigation", "readout+m3"], "--mitigation"),
        (["--observable", "ZZI", "--shots", "0"], "'--shots': must be a whole number"),
        (["--observable", "ZZI", "--device", "exat"], "Option `--device` must be a backend"),
        (["--observable", "ZZI", "--estimate"], "Option `--estimate` must be given for a device"),
        (["--observable", "ZZI", "--again"], "Option `--again` must be given for a device"),
    ],
)
def test_bad_input_is_one_line(circuit: Path, arguments: list[str], said: str) -> None:
    answer = CliRunner().invoke(app, ["expect", str(circuit), "--device", "exact", *arguments])
    assert answer.exit_code == 2 and answer.stdout == ""
    assert said in answer.stderr and answer.stderr.count("\n") == 1


def test_the_folder_holds_what_was_measured(circuit: Path, tmp_path: Path) -> None:
    asked = ["expect", str(circuit), "--observable", "IZZ", "--observable", "XII + 2*III"]
    asked += ["--device", "engine:iqm_garnet", "--mitigation", "readout(share=0.1)"]
    answer = CliRunner().invoke(app, [*asked, "--json", "--out", str(tmp_path / "runs")])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert (found["schema_version"], found["run"], found["cost"]["usd"]) == (1, None, 0)
    assert [row["uniform"] for row in found["observables"]] == [0, 2]
    folder = Path(found.pop("folder"))
    kept = ExpectResult.from_json((folder / "result.json").read_text())
    assert json.loads(kept.to_json()) == found and not kept.rehearsal
    with np.load(folder / "counts.npz", allow_pickle=False) as arrays:
        assert len(arrays.files) == 1 + len(found["bases"])  # and the calibration's
        assert sum(arrays[name].sum() for name in arrays.files) == found["total_shots"]
    (free,) = qpy.load((folder / "circuit.qpy").open("rb"))
    assert free.num_nonlocal_gates() == found["two_qubit_gates"]
    assert json.loads((folder / "snapshot.json").read_text())["name"] == "iqm_garnet"
    without = CliRunner().invoke(app, [*asked, "--json"])
    again = json.loads(without.stdout)
    assert {k: again[k] for k in ("observables", "settings")} == {
        k: found[k] for k in ("observables", "settings")
    }


def test_free_angles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "free.qasm3"
    path.write_text('OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float a;\nqubit q;\nrx(a) q;\n')
    answer = CliRunner().invoke(app, ["expect", str(path), "--observable", "Z"])
    assert answer.exit_code == 2 and "free angles" in answer.stderr
