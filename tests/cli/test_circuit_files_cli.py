"""Circuit files as people bring them, through the commands that take them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from qiskit import QuantumCircuit, qpy
from typer.testing import CliRunner

from qhw.cli.app import app

TWO = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
THREE = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def expect(path: Path, *observables: str, device: str = "exact") -> Result:
    given = [word for o in observables for word in ("--observable", o)]
    asked = ["expect", str(path), *given, "--device", device, "--mitigation", "none", "--json"]
    return CliRunner().invoke(app, asked)


def exact(path: Path, *observables: str, device: str = "exact") -> list[float]:
    answer = expect(path, *observables, device=device)
    assert answer.exit_code == 0, answer.output
    return [row["exact"] for row in json.loads(answer.stdout)["observables"]]


GOOD: dict[str, tuple[str, dict[str, float]]] = {
    "unread register": (
        TWO + "qreg q[3]; creg c[5]; creg d[2]; x q[0]; cx q[0],q[1];\n"
        "measure q[0]->c[3]; measure q[2]->d[1];",
        {"IZ": -1, "ZI": 1},
    ),
    "register called c": (TWO + "qreg c[2]; x c[1];", {"ZI": -1, "IZ": 1}),
    "reset": (THREE + "qubit[2] q; reset q; h q[0]; cx q[0],q[1];", {"ZZ": 1, "XX": 1}),
    "box": (THREE + "qubit[2] q; box { h q[0]; box { cx q[0],q[1]; } }", {"ZZ": 1, "XX": 1}),
    "byte-order mark": ("\ufeff" + THREE + "qubit q; x q;", {"Z": -1}),
    "mark and old lines": (
        ("\ufeff" + TWO + "qreg q[1]; x q[0];").replace("\n", "\r\n"),
        {"Z": -1},
    ),
    "oldest lines": ((TWO + "// said\nqreg q[1]; x q[0];").replace("\n", "\r"), {"Z": -1}),
    "comment before": ("/* OPENQASM 2.0; */ " + THREE + "qubit q; x q;", {"Z": -1}),
    "comment line before": ("// OPENQASM 3.0;\n" + TWO + "qreg q[1]; x q[0];", {"Z": -1}),
    "comment between": (
        "/* a\n*/\n// OPENQASM 2.0\n" + THREE + "qubit q; x q; /* x q; */",
        {"Z": -1},
    ),
    "no header": (
        'include "stdgates.inc";\nqubit[2] q; bit[2] c; x q[1]; c = measure q;',
        {"ZI": -1},
    ),
    "no header 2": ('include "qelib1.inc"; qreg q[1]; x q[0];', {"Z": -1}),
    "a device's qubits": (
        THREE + "bit[2] c; x $7; c[0] = measure $7; c[1] = measure $120;",
        {"IZ": -1, "ZI": 1},
    ),
    "large angle": (TWO + "qreg q[1]; rz(1e300) q[0]; x q[0];", {"Z": -1}),
}


@pytest.mark.parametrize("name", GOOD)
def test_circuits_that_work(tmp_path: Path, name: str) -> None:
    text, values = GOOD[name]
    path = tmp_path / "mine.qasm"
    path.write_bytes(text.encode())
    assert exact(path, *values) == pytest.approx(list(values.values()), abs=1e-9)


def test_qubits_of_a_device_are_said_not_to_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "placed.qasm"
    path.write_text(THREE + "h $3; cx $3,$4;")
    answer = expect(path, "ZZIII")
    assert answer.exit_code == 0
    assert "placed.qasm: the circuit names qubits of a device; they are not kept" in answer.stderr
    refused = expect(path, "ZZ")
    assert refused.exit_code == 2 and "5 measured wires" in refused.stderr


def wide() -> QuantumCircuit:
    circuit = QuantumCircuit(156)
    circuit.x(100)
    circuit.h(7)
    circuit.cx(7, 8)
    return circuit


def test_idle_wires_of_a_circuit_for_a_large_device_are_dropped(tmp_path: Path) -> None:
    letters = {7: "Z", 8: "Z", 100: "Z", 3: "Z"}
    observable = "".join(letters.get(155 - wire, "I") for wire in range(156))
    path = tmp_path / "wide.qpy"
    with path.open("wb") as file:
        qpy.dump(wide(), file)
    for device in ("exact", "engine:ibm_fez"):
        assert exact(path, observable, "I" * 156, device=device) == pytest.approx([-1, 1])
    measured = wide()
    measured.add_register(QuantumCircuit(0, 3).cregs[0])
    measured.measure([7, 8, 100], [0, 1, 2])
    with path.open("wb") as file:
        qpy.dump(measured, file)
    assert exact(path, "ZII", "IZZ") == pytest.approx([-1, 1])
    busy = QuantumCircuit(40)
    busy.h(range(40))
    with path.open("wb") as file:
        qpy.dump(busy, file)
    answer = expect(path, "Z" * 40, device="engine:ibm_fez")
    assert answer.exit_code == 2
    assert answer.stderr.count("\n") == 1  # nothing was compiled
    assert "at most 24 measured wires" in answer.stderr


BAD = {
    "infinity": (
        TWO + "qreg q[2]; x q[0]; ry(1e400) q[1];",
        "instruction 1, ry on qubit 1, has inf",
    ),
    "product": (TWO + "qreg q[1]; rz(1e308*10) q[0];", "instruction 0, rz on qubit 0, has inf"),
    "infinity 3": (THREE + "qubit q; ry(1e400) q;", "instruction 0, ry on qubit 0, has inf"),
    "in a gate": (
        TWO + "gate g(t) a { rz(t*1e308) a; } qreg q[2]; g(100) q[1];",
        "instruction 0, rz on qubit 1, has inf",
    ),
    "phase": (THREE + "qubit q; gphase(1e400); x q;", "global phase"),
    "reset": (TWO + "qreg q[2]; h q[0]; reset q[0];", "is dynamic and measures nothing"),
    "input": (
        THREE + "input float a; qubit q; rx(a) q;",
        "`--angles` must be given for 1 free parameters .a. of mine.qasm",
    ),
    "range": (THREE + "qubit[3] q;\nh q[1:3];", "4,2: the index 3 must be within its 3 elements"),
    "header": ("OPENQASM 4.0; qubit q;", "header says '4'"),
    "syntax": (THREE + "qubit q;\nx q q;", "4,4: 'q' is not expected here"),
    "character": (THREE + 'qubit q; x q; "', "token recognition"),
}


@pytest.mark.parametrize("name", BAD)
def test_circuits_that_do_not_are_one_line(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    text, said = BAD[name]
    path = tmp_path / "mine.qasm"
    path.write_text(text)
    answer = expect(path, "Z")
    assert (answer.exit_code, answer.stdout) == (2, ""), answer.output
    assert answer.stderr.count("\n") == 1 and "mine.qasm" in answer.stderr
    assert re.search(said, answer.stderr), answer.stderr
    assert capfd.readouterr() == ("", "")


def report(folder: Path, *files: Path, devices: str = "ibm_lima", level: int = 0) -> Result:
    asked = [
        "depth-report",
        *map(str, files),
        "--devices",
        devices,
        "--levels",
        str(level),
        "--seeds",
        "1",
    ]
    asked += ["--processes", "1", "--no-cache", "--json", "--out", str(folder / "runs")]
    return CliRunner().invoke(app, asked)


def test_a_bad_circuit_is_a_row_and_the_report_stands(tmp_path: Path) -> None:
    files = []
    for name, (text, _) in (BAD | {"good": GOOD["box"], "wide": GOOD["a device's qubits"]}).items():
        files.append(tmp_path / f"{name}.qasm")
        files[-1].write_text(text)
    answer = report(tmp_path, *files)
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.stdout)
    reasons = {row["circuit"]: row["reason"] for row in found["rows"]}
    fine = {name for name, reason in reasons.items() if reason is None}
    assert fine == {"good", "wide", "input", "reset"}  # counts need no values
    for name, reason in reasons.items():
        assert reason is None or name.removesuffix(".qasm") in reason
    notes = {c["name"]: c["note"] for c in found["circuits"]}
    assert "not kept" in notes["wide"] and "119 idle qubits of 121" in notes["wide"]
    alone = report(tmp_path, files[0], files[1])
    assert alone.exit_code == 2 and alone.stderr.count("error: ") == 1
    assert "infinity" in alone.stderr


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    files = []
    for folder, gates in (("a", "x q[0];"), ("b", "h q[0]; cx q[0],q[1];")):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / "c.qasm")
        files[-1].write_text(TWO + "qreg q[2];" + gates)
    found = json.loads(report(tmp_path, *files).stdout)
    assert [c["two_qubit_gates"] for c in found["circuits"]] == [0, 1]
    assert len({row["circuit"] for row in found["rows"]}) == 2


@pytest.mark.parametrize("command", ["noise-study", "train", "expect", "snapshot", "import"])
@pytest.mark.parametrize("kind", ["zero", "pipe"])
def test_devices_and_pipes_are_no_input_files(tmp_path: Path, command: str, kind: str) -> None:
    suffix = {"expect": ".qasm", "snapshot": ".json", "import": ".pth"}.get(command, ".yaml")
    path = tmp_path / f"input{suffix}"
    path.symlink_to("/dev/zero") if kind == "zero" else os.mkfifo(path)
    bell = tmp_path / "bell.qasm"
    bell.write_text(TWO + "qreg q[2]; h q[0]; cx q[0],q[1];")
    out = ["--out", str(tmp_path / "out")]
    asked = {
        "noise-study": ["noise-study", str(path), *out],
        "train": ["train", str(path), *out],
        "expect": ["expect", str(path), "--observable", "Z"],
        "snapshot": ["expect", str(bell), "--observable", "ZZ", "--device", f"engine:{path}"],
        "import": ["import-checkpoint", str(path), *out],
    }[command]
    answer = CliRunner().invoke(app, asked)
    assert answer.exit_code == 2, answer.output
    assert answer.stderr.count("\n") == 1 and "regular file" in answer.stderr


def test_a_wait_in_ticks_on_a_device_without_a_clock_fails_that_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "ticks.qpy"
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.delay(100, 0, unit="dt")
    circuit.cx(0, 1)
    with path.open("wb") as file:
        qpy.dump(circuit, file)
    answer = report(tmp_path, path, devices="iqm_garnet,ibm_lima,nowhere", level=3)
    assert answer.exit_code == 0, answer.output
    reasons = {row["device"]: row["reason"] for row in json.loads(answer.stdout)["rows"]}
    assert reasons["ibm_lima"] is None and "nowhere" in reasons["nowhere"]
    assert reasons["iqm_garnet"].startswith("Argument `circuit`") and "no clock" in str(reasons)
    alone = report(tmp_path, path, devices="iqm_garnet", level=3)
    assert alone.exit_code == 2 and alone.stderr.count("error: ") == 1
