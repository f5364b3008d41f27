"""``qhw expect``: a circuit file's expectation values beside the exact ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp
from qiskit.synthesis import LieTrotter
from scipy.linalg import expm
from typer.testing import CliRunner

from qhw.analysis.expect.result import ExpectResult
from qhw.analysis.validate.interval import noise_factors
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
    assert (found["schema_version"], found["run"], found["cost"]["usd"]) == (3, None, 0)
    assert [row["uniform"] for row in found["observables"]] == [0, 2]
    folder = Path(found.pop("folder"))
    kept = ExpectResult.from_json((folder / "result.json").read_text())
    assert json.loads(kept.to_json()) == found and not kept.rehearsal
    page = (folder / "report.html").read_text()
    assert "c.qasm on engine:iqm_garnet" in page and page.count("<svg") == 2
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
    assert answer.exit_code == 2 and "free parameters (a)" in answer.stderr


@pytest.mark.parametrize("device", ["engine:ibm_fez", "aer:iqm_garnet"])
def test_delays_of_a_file_are_waited_for(tmp_path: Path, device: str) -> None:
    """T1 and Ramsey experiments, twice as long and as closed forms say."""
    texts = {
        "t1": "x q[0]; delay[LENus] q[0];",
        "ramsey": "h q[0]; delay[LENus] q[0]; h q[0];",
    }
    for name, body in texts.items():
        path = tmp_path / f"{name}.qasm"
        values = {}
        for length in (0, 20, 40):
            lines = 'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit[1] c;'
            path.write_text(f"{lines} {body.replace('LEN', str(length))} c[0] = measure q[0];")
            words = ["expect", str(path), "--observable", "Z", "--device", device]
            options = ["--mitigation", "none", "--shots", "100000", "--json"]
            answer = CliRunner().invoke(app, [*words, *options])
            assert answer.exit_code == 0, answer.output
            (row,) = json.loads(answer.stdout)["observables"]
            assert row["exact"] == pytest.approx(-1.0 if name == "t1" else 1.0)
            values[length] = row["value"]
        # Z = a + b exp(-t/T) with one qubit chosen for all: its end is that of |0>, or of nothing
        fall = 1.0 if name == "t1" else -1.0
        assert fall * values[0] < fall * values[20] - 0.02
        assert fall * values[20] < fall * values[40] - 0.01


@pytest.mark.parametrize("device", ["exact", "engine:ibm_fez"])
def test_a_product_formula_is_told_apart_from_the_device(tmp_path: Path, device: str) -> None:
    hamiltonian = SparsePauliOp.from_list([("ZZ", 1.0), ("XI", 0.7), ("IX", 0.4)])
    path = tmp_path / "evolution.qpy"
    words = ["expect", str(path), "--observable", "ZZ", "--observable", "ZI", "--device", device]
    state = np.kron([1.0, 0.0], [1.0, 1.0]) / np.sqrt(2)
    state = expm(-0.3j * hamiltonian.to_matrix()) @ state
    for steps in (1, 200):
        circuit = QuantumCircuit(2, 2, metadata={"exact of the evolution": [9.0, 9.0]})
        circuit.h(0)
        evolution = PauliEvolutionGate(hamiltonian, 0.3, synthesis=LieTrotter(reps=steps))
        circuit.append(evolution.definition.to_gate() if steps > 1 else evolution, [0, 1])
        circuit.measure([0, 1], [0, 1])
        with path.open("wb") as file:
            qpy.dump(circuit, file)
        answer = CliRunner().invoke(app, [*words, "--mitigation", "none", "--json"])
        assert answer.exit_code == 0, answer.output
        rows = json.loads(answer.stdout)["observables"]
        for row in rows:
            matrix = SparsePauliOp(row["observable"]).to_matrix()
            truth = float((state.conj() @ matrix @ state).real)
            assert row["exact"] == pytest.approx(truth, abs=1e-9 if steps == 1 else 2e-3)
        if steps == 1:
            assert rows[0]["synthesis"] == pytest.approx(0.0561, abs=1e-4)
            told = CliRunner().invoke(app, [*words, "--mitigation", "none"])
            assert "product formula, which moves ZZ by +0.0561, ZI by -0.0026" in told.stdout
        else:
            assert rows[0]["synthesis"] is None
        if device == "exact":
            shift = rows[0]["synthesis"] or 0.0
            error = 5 * rows[0]["standard_error"]
            assert abs(rows[0]["value"] - rows[0]["exact"] - shift) < error


@pytest.mark.usefixtures("own_home")
def test_a_loose_bit_keeps_its_place_on_devices_that_write_rows(tmp_path: Path) -> None:
    path = tmp_path / "loose.qasm"
    path.write_text(
        'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit a; bit[2] b; x q[0];'
        "a = measure q[0]; b[0] = measure q[1]; b[1] = measure q[2];"
    )
    wires = [word for wire in ("ZII", "IZI", "IIZ") for word in ("--observable", wire)]
    for device in ("emulator:iqm_garnet", "engine:iqm_garnet"):
        words = ["expect", str(path), *wires, "--device", device, "--mitigation", "none", "--json"]
        answer = CliRunner().invoke(app, words)
        assert answer.exit_code == 0, answer.output
        rows = json.loads(answer.stdout)["observables"]
        assert [row["exact"] for row in rows] == pytest.approx([1.0, 1.0, -1.0])
        assert [row["value"] for row in rows] == pytest.approx([1.0, 1.0, -1.0], abs=0.1)


def test_real_devices_stand_beside_the_values_of_a_model(tmp_path: Path) -> None:
    """The signal left, to the power of each end of the noise that public results show."""
    path = tmp_path / "c.qasm"
    path.write_text('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nh q[0];\ncx q[0],q[1];\n')
    words = ("expect", str(path), "--observable", "ZZ + 1*II", "--mitigation", "none")
    result = CliRunner().invoke(app, [*words, "--device", "engine:ibm_fez", "--json"])
    (value,) = json.loads(result.stdout)["observables"]
    factors = noise_factors("ibm")
    assert factors is not None and value["raw"] == value["value"]
    left = value["raw"] - 1  # of 1, the mixed state's value being 1 as well
    told = value["on_hardware"]
    assert told["low"] == pytest.approx(1 + left**factors.high)
    assert told["high"] == pytest.approx(1 + left**factors.low)
    said = CliRunner().invoke(app, [*words, "--device", "engine:ibm_fez"]).stdout
    assert f"raw {value['raw']:.4f}: on real IBM devices" in said
    for device in ("exact", "engine:ibm_fez+noise=2"):
        plain = CliRunner().invoke(app, [*words, "--device", device, "--json"])
        assert "on_hardware" not in json.loads(plain.stdout)["observables"][0]
