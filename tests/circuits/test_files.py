"""Circuit files of users: good ones are read, damaged ones give one line, none is run."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qasm2, qasm3, qpy
from qiskit.circuit import Delay, Duration, Gate
from qiskit.circuit.classical import expr
from qiskit.circuit.library import PauliEvolutionGate, QFTGate
from qiskit.quantum_info import Operator, SparsePauliOp

from backends.aer import AerBackend
from backends.delays import with_own_delays
from backends.export import to_qpy_bytes
from qhw.circuits.files import MAX_BYTES, CircuitFileError, read_circuits
from tests.calibration.factory import line_device


def sample():
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.crx(0.3, 0, 1)
    circuit.ccx(0, 1, 2)
    circuit.measure(range(3), [2, 0, 1])
    return circuit


def qpy_bytes(*circuits):
    buffer = io.BytesIO()
    qpy.dump(list(circuits), buffer)
    return buffer.getvalue()


def with_named_gate():
    circuit = QuantumCircuit(1)
    circuit.append(Gate("mine", 1, []), [0])
    return circuit


def test_every_kind_of_operation_that_says_what_it_does_is_read(tmp_path):
    circuit = QuantumCircuit(2, 2)
    circuit.initialize([0.6, 0.8], 0)
    circuit.unitary(np.array([[0, 1], [1, 0]]), 0)
    circuit.append(QFTGate(2), [0, 1])
    circuit.append(PauliEvolutionGate(SparsePauliOp("ZX"), 0.3), [0, 1])
    circuit.reset(0)
    circuit.delay(5, 1)
    circuit.barrier()
    circuit.measure([0, 1], [0, 1])
    path = tmp_path / "all.qpy"
    path.write_bytes(qpy_bytes(circuit))
    assert read_circuits(path)[0].count_ops() == circuit.count_ops()


@pytest.mark.parametrize("suffix", ["qasm", "qasm2", "qasm3", "qpy"])
def test_every_format_gives_the_same_circuit(tmp_path, suffix):
    path = tmp_path / f"mine.{suffix}"
    text = {"qasm": qasm2.dumps, "qasm2": qasm2.dumps, "qasm3": qasm3.dumps, "qpy": qpy_bytes}
    content = text[suffix](sample())
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (found,) = read_circuits(path)
    assert found.name == "mine"
    bare = [c.remove_final_measurements(inplace=False) for c in (found, sample())]
    np.testing.assert_allclose(Operator(bare[0]).data, Operator(bare[1]).data, atol=1e-12)


def test_openqasm_3_is_known_by_its_header(tmp_path):
    path = tmp_path / "three.qasm"
    path.write_text(qasm3.dumps(sample()))
    assert read_circuits(path)[0].num_qubits == 3


def test_several_circuits_of_a_qpy_file_are_numbered(tmp_path):
    path = tmp_path / "two.qpy"
    path.write_bytes(qpy_bytes(sample(), sample()))
    assert [c.name for c in read_circuits(path)] == ["two[0]", "two[1]"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", r"must end in \.qasm, "),
        ("a.qasm", b"", "declares no qubit"),
        ("a.qasm", b"\xff\xfe", "must be UTF-8 text"),
        ("a.qasm", b"OPENQASM 2.0;\nqreg q[1];\nfoo q[0];", r"OpenQASM 2, but: .*3,0"),
        ("a.qasm", b"OPENQASM 2.0;\nopaque foo a;\nqreg q[1];\nfoo q[0];", "leaves foo open"),
        (
            "a.qasm",
            b"OPENQASM 2.0;\nopaque foo a;\ngate bar a { U(0,0,0) a; foo a; }\n"
            b"qreg q[1];\nbar q[0];",
            "leaves foo open",
        ),
        ("a.qpy", qpy_bytes(with_named_gate()), "leaves mine open"),
        ("a.qasm", b"OPENQASM 3.0;\nqubit q;\nfoo q;", r"OpenQASM 3, but: 3,0"),
        ("a.qasm", b"OPENQASM 3.0; qubit q; @@@", "OpenQASM 3, but: 1,23: .@. is not expected"),
        ("a.qasm", b'OPENQASM 2.0;\ninclude "secret.txt";', "unable to find 'secret.txt'"),
        ("a.qasm", b'OPENQASM 3.0;\ninclude "secret.txt";', "only stdgates.inc is included"),
        ("a.qpy", b"", "does not begin like one"),
        ("a.qpy", b"QISKIT\x09" + b"\0" * 40, "version 10 to .*has version 9"),
        ("a.qpy", b"QISKIT\xff" + b"\0" * 40, "has version 255"),
    ],
)
def test_bad_files_are_named_with_the_place(tmp_path, name, content, message):
    path = tmp_path / name
    (tmp_path / "secret.txt").write_text("not a circuit")
    path.write_bytes(content)
    with pytest.raises(CircuitFileError, match=message) as caught:
        read_circuits(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_oversized_files_are_refused(tmp_path):
    with pytest.raises(CircuitFileError, match=r"none\.qasm cannot be read"):
        read_circuits(tmp_path / "none.qasm")
    big = tmp_path / "big.qasm"
    with big.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(CircuitFileError, match="at most"):
        read_circuits(big)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(cut=st.integers(0, 1500), place=st.integers(0, 1500), value=st.integers(0, 255))
def test_damaged_qpy_never_ends_in_anything_but_one_line(tmp_path_factory, cut, place, value):
    raw = bytearray(qpy_bytes(sample()))
    raw[place % len(raw)] = value
    path = tmp_path_factory.mktemp("qpy") / "damaged.qpy"
    path.write_bytes(bytes(raw[: len(raw) - cut % 40]))
    try:
        assert all(isinstance(c, QuantumCircuit) for c in read_circuits(path))
    except CircuitFileError as error:
        assert "damaged.qpy" in str(error)
        assert "\n" not in str(error)


@pytest.mark.parametrize("nested", [False, True])
def test_qpy_delays_are_read_where_their_length_is_known(tmp_path, nested):
    """Qiskit 2.6 leaves units of time out of QPY, and reads the number as clock periods."""

    def read(*delays):
        circuit = QuantumCircuit(1)
        for delay in delays:
            circuit.append(delay, [0])
        if nested:
            inside = circuit
            circuit = QuantumCircuit(1)
            circuit.append(inside.to_instruction(), [0])
        (tmp_path / "delays.qpy").write_bytes(qpy_bytes(circuit))
        return read_circuits(tmp_path / "delays.qpy")[0]

    known = with_own_delays(read(Delay(250, "dt"), Delay(expr.lift(Duration.us(2.0)))), 4e-9, "d")
    assert [item.operation.duration for item in known.data] == [250, 500]
    for delay in (Delay(400.0, "us"), Delay(4e-4, "s"), Delay(3, "ms")):
        with pytest.raises(CircuitFileError, match="leaves units of time out of QPY"):
            read(delay)


def test_openqasm_3_delays_keep_their_units(tmp_path):
    path = tmp_path / "delays.qasm"
    words = "delay[400us] q; delay[0.1ms] q; delay[1000dt] q; delay[7ns] q; delay[1e-6s] q;"
    path.write_text(f"OPENQASM 3.0; qubit q; {words}")
    (circuit,) = read_circuits(path)
    found = with_own_delays(circuit, 1e-9, "d")
    assert [i.operation.duration for i in found.data] == [400_000, 100_000, 1000, 7, 1000]


def test_our_own_files_wait_as_long_on_any_clock(tmp_path):
    """What was compiled for a device without a clock is in picoseconds, and says so."""
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.delay(20, 0, unit="us")
    circuit.measure(0, 0)
    for dt_s in (None, 4e-9, 0.5e-9):
        path = tmp_path / "ours.qpy"
        path.write_bytes(to_qpy_bytes(AerBackend(line_device(1, dt_s=dt_s)).compile(circuit)))
        (found,) = read_circuits(path)
        compiled = AerBackend(line_device(1, dt_s=2e-9)).compile(found)
        (delay,) = compiled.circuit.get_instructions("delay")
        assert (delay.operation.duration, delay.operation.unit) == (10_000, "dt")


GOLDEN = Path(__file__).parent / "golden"


def test_qpy_of_earlier_versions_is_read():
    """Written by Qiskit 1.2.4."""
    (plain,) = read_circuits(GOLDEN / "qiskit-1.2-version-10.qpy")
    assert [item.operation.name for item in plain.data] == ["rx", "cx", "measure", "measure"]
    (free,) = read_circuits(GOLDEN / "qiskit-1.2-text.qpy", {"a": 0.2})
    assert float(free.data[0].operation.params[0]) == pytest.approx(0.5)


def test_formulas_in_symengines_bytes_are_refused_for_what_they_are():
    with pytest.raises(CircuitFileError, match=r"version 12 with formulas in symengine's bytes"):
        read_circuits(GOLDEN / "qiskit-1.2-symengine.qpy")
