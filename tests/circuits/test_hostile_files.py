"""Small circuit files that ask for the whole machine: refused in one line, in little memory."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import AnnotatedOperation, PowerModifier
from qiskit.circuit.library import XGate

from calibration.documents import read_bounded
from qhw.circuits.files import CircuitFileError, read_circuits
from qhw.circuits.qasm3 import scope
from qhw.circuits.qasm_scan import TooLargeError
from qhw.circuits.written_out import check_written_out

TWO = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
THREE = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def doubling(levels: int) -> str:
    gates = [f"gate g{i + 1}(t) a {{ g{i}(t/2) a; g{i}(t/3) a; }}\n" for i in range(levels)]
    return "gate g0(t) a { rx(t) a; }\n" + "".join(gates)


def operands(n: int) -> str:
    return ",".join(f"q[{i}]" for i in range(n))


HOSTILE = {
    "qubits": (TWO + "qreg q[1000000000];", "line 3: must have at most 4096 qubits"),
    "many registers": (TWO + "qreg a[4000];\nqreg b[4000];", "line 4: .*declares 8000"),
    "bits": (TWO + "qreg q[1]; creg c[1000000000];", "65536 classical bits"),
    "digits": (TWO + f"qreg q[{'9' * 9000}];", "4096 qubits"),
    "qubits 3": (THREE + "qubit[1_000_000_000] q;", "4096 qubits"),
    "hexadecimal": (THREE + "qubit[0xFFFFFFF] q;", "4096 qubits"),
    "product": (THREE + "qubit[60000*60000] q;", "4096 qubits"),
    "bits 3": (THREE + "qubit q; bit[99999999] c;", "65536 classical bits"),
    "of a device": (THREE + "h $1000000000;", "4096 qubits"),
    "doubling": (TWO + doubling(40) + "qreg q[1]; g40(1) q[0];", "1000000 operations"),
    "doubling 3": (THREE + doubling(40) + "qubit q; g40(1) q;", "1000000 operations"),
    "broadcast": (TWO + "qreg q[4000];\n" + "h q;\n" * 300, "1000000 operations"),
    "chain": (
        TWO
        + "gate g0 a { x a; }\n"
        + "".join(f"gate g{i + 1} a {{ g{i} a; }}\n" for i in range(5000))
        + "qreg q[1]; g5000 q[0];",
        "nest gate definitions at most 64",
    ),
    "brackets": (TWO + f"qreg q[1]; rx({'(' * 50_000}1{')' * 50_000}) q[0];", "nest brackets"),
    "brackets 3": (THREE + f"qubit q; rx({'(' * 50_000}1{')' * 50_000}) q;", "nest brackets"),
    "boxes": (THREE + "qubit q; " + "box {" * 900 + "x q;" + "}" * 900, "nest brackets"),
    "minus": (TWO + f"qreg q[1]; rx({'-' * 90_000}1) q[0];", "500 operators"),
    "minus 3": (THREE + f"qubit q; rx({'-' * 90_000}1) q;", "500 operators"),
    "deep": (THREE + f"qubit q; rx({'1+' * 400}1) q;", "nested too deeply"),
    "if": (THREE + "qubit q; bit c; " + "if (c) " * 90_000 + "x q;", "500 operators"),
    "controls": (THREE + "qubit[2] q; ctrl(100000) @ x q[0],q[1];", "100000 controls"),
    "control chain": (
        THREE + f"qubit[30] q; {'ctrl @ ' * 29}h {operands(30)};",
        "at most 4 modifiers",
    ),
    "power": (
        THREE
        + "qubit[20] q; gate g "
        + ",".join(f"a{i}" for i in range(20))
        + f" {{ h a0; }} pow(2) @ g {operands(20)};",
        "at most 8 qubits to a power",
    ),
    "parsed": (THREE + "qubit q;" + "if(true)x q;" * 130_000, "1500000 characters"),
}

GROWING = {
    "loop": (
        THREE + "qubit q; for int i in [0:4000000000] { x q; }",
        "2000 operations|3000 statements",
    ),
    "idle loop": (THREE + "qubit q; for int i in [0:4000000000] { }", "3000 statements"),
    "loops": (
        THREE + "qubit q; " + "for int i in [0:99] { " * 20 + "x q;" + "}" * 20,
        "2000 operations|3000 statements",
    ),
    "endless": (THREE + "qubit q; while (true) { }", "3000 statements"),
    "doubling aliases": (
        THREE
        + "qubit[2] q; bit[2] c; let a0 = q; "
        + "".join(f"let a{i + 1} = a{i} ++ a{i}; " for i in range(40)),
        "each qubit once",
    ),
    "large number": (THREE + "qubit q; int n = 2 ** 4000000000;", "4096 bits"),
    "squares": (
        THREE + "qubit q; int n = 3; for int i in [0:99] { n = n * n; }",
        "4096 bits",
    ),
    "shift": (THREE + "qubit q; int n = 1 << 4000000000;", "must shift by 0 to 4096"),
    "array": (THREE + "qubit q; array[int[8], 60000, 60000] a;", "must have 1 to 65536 elements"),
    "recursion": (THREE + "qubit q; def f(qubit a) { f(a); } f(q);", "must nest at most 64"),
    "calls": (
        THREE
        + "qubit q; def f0(qubit a) { x a; } "
        + "".join(f"def f{i + 1}(qubit a) {{ f{i}(a); f{i}(a); }} " for i in range(40))
        + "f40(q);",
        "2000 operations|3000 statements",
    ),
    "controls of a constant": (
        THREE + "qubit[2] q; const int n = 100000; ctrl(n) @ x q[0], q[1];",
        "each of 100000 controls",
    ),
    "qubits of a constant": (THREE + "const int n = 10 ** 9; qubit[n] q;", "1 to 4096 qubits"),
    "bits of a def": (
        THREE + "qubit q; def f(qubit a) { bit[60000] c; } f(q); f(q);",
        "65536 classical bits",
    ),
    "gate loop": (
        THREE + "gate g a { for int i in [0:4000000000] { x a; } } qubit q; g q;",
        "2000 operations|3000 statements",
    ),
    "array of arrays": (
        THREE + "qubit q; array[int, 2] a = {" * 3 + "1",
        "must be OpenQASM 3",
    ),
}
"""Programs of a few words that ask for more than is written out."""

IN_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from qhw.circuits.qasm3 import scope
from qhw.circuits.files import CircuitFileError, read_circuits
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, used + 2**29))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for name in sys.argv[1:]:
    try:
        read_circuits(Path(name))
    except CircuitFileError as error:
        assert chr(10) not in str(error)
        print(error)
    else:
        sys.exit(f"{name} was read")
"""


@pytest.mark.slow
def test_none_takes_more_than_half_a_gigabyte(tmp_path: Path) -> None:
    files = []
    for number, (text, _) in enumerate(HOSTILE.values()):
        files.append(tmp_path / f"{number}.qasm")
        files[-1].write_text(text)
    files += qpy_files(tmp_path)
    command = [sys.executable, "-c", IN_LITTLE_MEMORY, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(files)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n == "parsed" else n for n in HOSTILE],
)
def test_the_line_names_file_and_bound(tmp_path: Path, name: str) -> None:
    text, message = HOSTILE[name]
    path = tmp_path / "small.qasm"
    path.write_text(text)
    with pytest.raises(CircuitFileError, match=rf"small\.qasm.*{message}"):
        read_circuits(path)


@pytest.mark.parametrize("name", GROWING)
def test_programs_are_written_out_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(scope, "MAX_STEPS", 3000)
    monkeypatch.setattr(scope, "MAX_OPERATIONS", 2000)
    text, message = GROWING[name]
    path = tmp_path / "small.qasm"
    path.write_text(text)
    with pytest.raises(CircuitFileError, match=rf"small\.qasm.*({message})"):
        read_circuits(path)


@pytest.mark.slow
def test_growing_programs_end_in_time_and_little_memory(tmp_path: Path) -> None:
    files = []
    for number, (text, _) in enumerate(GROWING.values()):
        files.append(tmp_path / f"{number}.qasm")
        files[-1].write_text(text)
    for file in files:
        command = [sys.executable, "-c", IN_LITTLE_MEMORY, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]


def test_reading_stops_when_its_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "MAX_SECONDS", 0.0)
    path = tmp_path / "small.qasm"
    path.write_text(THREE + "qubit q; for int i in [0:9999] { }")
    with pytest.raises(CircuitFileError, match="seconds of processor time"):
        read_circuits(path)


def qpy_files(folder: Path) -> list[Path]:
    """Files of each version whose header, or register, says too much."""
    made = []
    circuit = QuantumCircuit(3, 2)
    for version in (13, 16, qpy.QPY_VERSION):
        buffer = io.BytesIO()
        qpy.dump(circuit, buffer, version=version)
        raw = buffer.getvalue()
        header = struct.pack("!II", 3, 2)
        assert raw.count(header) == 1
        for number, wrong in enumerate(((4_000_000_000, 2), (60_000_000, 2), (3, 900_000_000))):
            made.append(folder / f"{version}-{number}.qpy")
            made[-1].write_bytes(raw.replace(header, struct.pack("!II", *wrong)))
    register = b"q" + struct.pack("!?IH?", True, 3, 1, True)
    assert raw.count(register) == 1
    made.append(folder / "register.qpy")
    wrong = b"q" + struct.pack("!?IH?", True, 2_000_000_000, 1, True)
    made[-1].write_bytes(raw.replace(register, wrong))
    made.append(folder / "circuits.qpy")
    made[-1].write_bytes(raw[:10] + struct.pack("!Q", 2**40) + raw[18:])
    return made


def test_qpy_headers_are_bounded(tmp_path: Path) -> None:
    for path in qpy_files(tmp_path):
        with pytest.raises(CircuitFileError, match=r"must (have at most|hold the)"):
            read_circuits(path)


def test_folded_definitions_and_powers_are_written_out_before_they_are_counted(
    tmp_path: Path,
) -> None:
    inner, circuit = QuantumCircuit(1), QuantumCircuit(1)
    for _ in range(1001):
        inner.x(0)
    gate = inner.to_gate()
    for _ in range(1001):
        circuit.append(gate, [0], copy=False)
    with pytest.raises(TooLargeError, match="1000000 operations"):
        check_written_out(circuit)
    powered = QuantumCircuit(1)
    powered.append(AnnotatedOperation(XGate(), PowerModifier(10**9)), [0])
    path = tmp_path / "power.qpy"
    with path.open("wb") as file:
        qpy.dump(powered, file)
    with pytest.raises(CircuitFileError, match=r"power\.qpy.*1000000 operations"):
        read_circuits(path)


def test_large_but_honest_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.qasm"
    path.write_text(
        TWO + "qreg q[156]; creg c[156];\n" + "h q;\nbarrier q;\n" * 50 + "measure q->c;"
    )
    assert len(read_circuits(path)[0].data) == 156 * 51 + 50
    path.write_text(THREE + f"qubit[20] q;\nctrl(19) @ x {operands(20)};\npow(0.5) @ x q[3];\n")
    assert read_circuits(path)[0].num_qubits == 20
    path.write_text(TWO + doubling(10) + "qreg q[2]; g10(1) q;")
    assert read_circuits(path)[0].num_qubits == 2


@pytest.mark.parametrize("name", ["zero.qasm", "zero.qpy", "pipe.qasm", "folder.qasm"])
def test_devices_pipes_and_folders_are_refused_at_once(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("zero"):
        path.symlink_to("/dev/zero")
    elif name.startswith("pipe"):
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(CircuitFileError, match=f"{name} cannot be read"):
        read_circuits(path)
    with pytest.raises(OSError, match=r"regular file|directory"):
        read_bounded(path)
