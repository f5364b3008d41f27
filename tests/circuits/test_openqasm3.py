"""OpenQASM 3 as people write it: every feature against the circuit written out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import qiskit_qasm3_import
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit import Parameter
from qiskit.circuit.library import standard_gates as std
from qiskit.quantum_info import Operator

from qhw.circuits.files import CircuitFileError, read_circuits

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def read(folder: Path, text: str, **values: object) -> QuantumCircuit:
    path = folder / "mine.qasm"
    path.write_text(text, encoding="utf-8")
    (found,) = read_circuits(path, values)
    return found


def same(one: QuantumCircuit, other: QuantumCircuit) -> bool:
    """Whether circuits without measurements do the same, global phase included."""
    return bool(np.allclose(Operator(one).data, Operator(other).data, atol=1e-9))


def by(qubits: int, *gates: tuple) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    for name, *operands in gates:
        getattr(circuit, name)(*operands)
    return circuit


pi = math.pi
FEATURES = {
    "no header": (
        'include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];',
        by(2, ("h", 0), ("cx", 0, 1)),
    ),
    "byte-order mark": ("\ufeff" + HEAD + "qubit q; x q;", by(1, ("x", 0))),
    "comments first": ("/* OPENQASM 2.0;\n*/ // more\n" + HEAD + "qubit q; y q;", by(1, ("y", 0))),
    "carriage returns": (HEAD.replace("\n", "\r\n") + "qubit q;\r\ny q;", by(1, ("y", 0))),
    "Braket": (
        "OPENQASM 3.0;\nqubit[3] q;\ncnot q[0], q[1]; si q[0]; vi q[1]; "
        "cphaseshift(0.3) q[0], q[2]; "
        "ccnot q[0], q[1], q[2]; xx(0.4) q[0], q[1]; phaseshift(0.2) q[2];",
        by(
            3,
            ("cx", 0, 1),
            ("sdg", 0),
            ("sxdg", 1),
            ("cp", 0.3, 0, 2),
            ("ccx", 0, 1, 2),
            ("rxx", 0.4, 0, 1),
            ("p", 0.2, 2),
        ),
    ),
    "verbatim": (
        "OPENQASM 3.0;\n#pragma braket verbatim\nbox{\nrz(0.3) $0;\ncz $0, $1;\n}\n"
        "#pragma braket result expectation x(q[0])\n",
        by(2, ("rz", 0.3, 0), ("cz", 0, 1)),
    ),
    "unitary": (
        "OPENQASM 3.0;\nqubit[2] q;\n"
        "#pragma braket unitary([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, -1.0im], "
        "[0, 0, 1.0im, 0]]) q[0], q[1]\nh q[0];",
        by(2, ("cy", 0, 1), ("h", 0)),
    ),
    "const": (
        HEAD + "const float a = pi / 4; const int n = 2; qubit[n] q; rx(a) q[n - 1];",
        by(2, ("rx", pi / 4, 1)),
    ),
    "for": (
        HEAD
        + "qubit[3] q; for int i in [0:2] { ry(i * 0.1) q[i]; } for uint j in [2:-2:0] x q[j];",
        by(3, ("ry", 0.0, 0), ("ry", 0.1, 1), ("ry", 0.2, 2), ("x", 2), ("x", 0)),
    ),
    "for of a set": (
        HEAD + "qubit[3] q; for int i in {2, 0} x q[i]; for int i in {1} { h q[i]; }",
        by(3, ("x", 2), ("x", 0), ("h", 1)),
    ),
    "for of an array": (
        HEAD + "qubit[2] q; array[float[64], 2] a = {0.1, 0.2}; for float t in a { rx(t) q[1]; }",
        by(2, ("rx", 0.1, 1), ("rx", 0.2, 1)),
    ),
    "break and continue": (
        HEAD
        + "qubit[5] q; for int i in [0:4] { if (i == 1) continue; if (i == 3) { break; } x q[i]; }",
        by(5, ("x", 0), ("x", 2)),
    ),
    "while": (
        HEAD + "qubit[4] q; int i = 0; while (i < 3) { h q[i]; i += 1; }",
        by(4, ("h", 0), ("h", 1), ("h", 2)),
    ),
    "if of a constant": (
        HEAD + 'qubit[2] q; bit[2] a = "10"; if (a[1]) { x q[0]; } else { x q[1]; } '
        "if (a == 2) z q[1];",
        by(2, ("x", 0), ("z", 1)),
    ),
    "bits of a number": (
        HEAD + "qubit[4] q; uint[4] a = 5; for uint i in [0:3] { if (bool(a[i])) x q[i]; }",
        by(4, ("x", 0), ("x", 2)),
    ),
    "switch of a constant": (
        HEAD + "qubit[2] q; int k = 3; switch (k) { case 0, 3 { x q[0]; } case 2 { x q[1]; } "
        "default { h q; } }",
        by(2, ("x", 0)),
    ),
    "def": (
        HEAD + "def turn(qubit[2] a, float t) -> int { rx(t) a[0]; cx a[0], a[1]; return 2; }\n"
        "qubit[3] q; int n = turn(q[1:2], 0.3); turn(q[0:1], n);",
        by(3, ("rx", 0.3, 1), ("cx", 1, 2), ("rx", 2, 0), ("cx", 0, 1)),
    ),
    "arrays": (
        HEAD + "qubit[2] q; array[int[8], 2, 3] a = {{1, 2, 3}, {4, 5, 6}}; a[1, 2] = 7; "
        "array[int[8], 2] b = {8, 9}; "
        "a[0][0:1] = b; rz(a[1, 2]) q[0]; rz(a[0][1]) q[1]; rx(sizeof(a, 1)) q[0];",
        by(2, ("rz", 7, 0), ("rz", 9, 1), ("rx", 3, 0)),
    ),
    "aliases": (
        HEAD + "qubit[2] a; qubit[3] b; let c = b[1:2] ++ a[{0}]; cx c[0], c[2]; h c[-1]; "
        "let d = c[0:1]; x d;",
        by(5, ("cx", 3, 0), ("h", 0), ("x", 3), ("x", 4)),
    ),
    "gates": (
        HEAD + "gate mine(t) a, b { rx(t / 2) a; cx a, b; gphase(t); }\nqubit[2] q; "
        "mine(0.4) q[1], q[0]; inv @ mine(0.1) q[0], q[1];",
        by(2, ("rx", 0.2, 1), ("cx", 1, 0), ("cx", 0, 1), ("rx", -0.05, 0)),
    ),
    "modifiers": (
        HEAD + "qubit[4] q; ctrl(2) @ x q[0], q[1], q[2]; negctrl @ z q[3], q[0]; "
        "pow(3) @ s q[1]; ctrl @ gphase(0.3) q[2]; gphase(0.1);",
        by(4, ("ccx", 0, 1, 2), ("x", 3), ("cz", 3, 0), ("x", 3), ("sdg", 1), ("p", 0.3, 2)),
    ),
    "functions": (
        HEAD + 'qubit q; const uint n = popcount("1011"); rx(n * sqrt(2.0) + mod(7, 4)) q; '
        "rz(arccos(0.0) + 7 / 2 + 2 ** 3 + 7 % 4 + (5 ^ 1) + (1 << 2)) q; ry(float(3) / 2) q;",
        by(
            1,
            ("rx", 3 * math.sqrt(2) + 3, 0),
            ("rz", pi / 2 + 3 + 8 + 3 + 4 + 4, 0),
            ("ry", 1.5, 0),
        ),
    ),
    "whole numbers wrap": (
        HEAD + "qubit q; uint[3] a = 6; a += 3; int[3] b = 3; b = b + 1; rx(a) q; rz(b) q;",
        by(1, ("rx", 1, 0), ("rz", -4, 0)),
    ),
    "broadcast": (
        HEAD + "qubit[2] a; qubit[2] b; qubit c; cx a, b; cx a, c; h a;",
        by(5, ("cx", 0, 2), ("cx", 1, 3), ("cx", 0, 4), ("cx", 1, 4), ("h", 0), ("h", 1)),
    ),
    "a gate of another meaning": (
        HEAD.replace('include "stdgates.inc";\n', "")
        + "gate cz a, b { ctrl @ x a, b; }\nqubit[2] q; cz q[0], q[1];",
        by(2, ("cx", 0, 1)),
    ),
    "end": (HEAD + "qubit q; x q; end; h q;", by(1, ("x", 0))),
    "drafts of the language": (
        HEAD + "qubit q[3];\nbit c[3];\nfor i in [0:1] { x q[i]; }\nfor j in {2} h q[j];",
        by(3, ("x", 0), ("x", 1), ("h", 2)),
    ),
    "annotations": (
        HEAD + "qubit[2] q;\n@first\nx q[0];\n@second 1 2\nfor int i in [0:1] {\n@third\n"
        "  s q[i];\n}\n@last",
        by(2, ("x", 0), ("s", 0), ("s", 1)),
    ),
    "a phase on controls alone": (
        HEAD + "qubit[2] q; ctrl(2) @ gphase(0.4) q[0], q[1];",
        by(2, ("cp", 0.4, 0, 1)),
    ),
    "modified gates with free angles": (
        HEAD + "gate turned(t) a, b { rx(t) a; cx a, b; }\n"
        "gate mine(t) a, b, c { ctrl @ turned(t) a, b, c; pow(-2) @ turned(2 * t) b, c; "
        "inv @ turned(t) a, c; pow(0) @ turned(t) a, b; pow(0.5) @ rz(t) a; }\n"
        "qubit[3] q; mine(0.3) q[0], q[1], q[2];",
        by(
            3,
            ("crx", 0.3, 0, 1),
            ("ccx", 0, 1, 2),
            *(("cx", 1, 2), ("rx", -0.6, 1)) * 2,
            ("cx", 0, 2),
            ("rx", -0.3, 0),
            ("rz", 0.15, 0),
        ),
    ),
}


@pytest.mark.parametrize("name", FEATURES)
def test_features_are_written_out(tmp_path, name):
    text, expected = FEATURES[name]
    found = read(tmp_path, text)
    expected = expected.copy()
    expected.global_phase += {"gates": 0.4 - 0.1, "modifiers": 0.1}.get(name, 0.0)
    assert same(found, expected)


def test_gates_keep_their_names(tmp_path):
    found = read(
        tmp_path, HEAD + "qubit[3] q; crx(0.1) q[0], q[1]; cswap q[0], q[1], q[2]; id q[0];"
    )
    kinds = [item.operation.base_class for item in found.data]
    assert [std.CRXGate, std.CSwapGate, std.IGate] == kinds


def test_angles_of_inputs_stay_free_until_they_are_bound(tmp_path):
    text = (
        HEAD
        + "input float[64] theta; input angle phi; qubit[2] q; ry(2 * theta) q[0]; rz(phi) q[1];"
    )
    free = read(tmp_path, text)
    assert [p.name for p in free.parameters] == ["phi", "theta"]
    theta, phi = Parameter("theta"), Parameter("phi")
    by_hand = by(2, ("ry", 2 * theta, 0), ("rz", phi, 1))
    values = {"theta": 0.3, "phi": -1.2}
    assert same(free.assign_parameters(values), by_hand.assign_parameters(values))
    assert same(read(tmp_path, text, **values), by_hand.assign_parameters(values))
    half = read(tmp_path, text, phi=-1.2)
    assert [p.name for p in half.parameters] == ["theta"]


def test_inputs_that_decide_what_the_circuit_is_must_be_given(tmp_path):
    text = (
        HEAD + "input int n; input bit[2] b; qubit[4] q; for int i in [1:n] x q[i]; if (b[1]) h q;"
    )
    with pytest.raises(CircuitFileError, match=r"3,0: the input 'n' .* --bind n="):
        read(tmp_path, text)
    assert same(read(tmp_path, text, n=2, b="01"), by(4, ("x", 1), ("x", 2)))
    with pytest.raises(CircuitFileError, match="has no free parameter 'm'; there are: b, n"):
        read(tmp_path, text, n=2, b="01", m=1)
    with pytest.raises(CircuitFileError, match="'n' must be a whole number, but"):
        read(tmp_path, text, n=1.5, b="01")


def test_qubits_of_a_device_keep_their_numbers(tmp_path):
    found = read(
        tmp_path, HEAD + "bit[2] c; h $3; cx $3, $4; c[0] = measure $3; c[1] = measure $4;"
    )
    assert found.num_qubits == 5
    assert found.layout is not None
    places = [[found.find_bit(q).index for q in item.qubits] for item in found.data]
    assert places == [[3], [3, 4], [3], [4]]


def test_measurements_go_where_they_are_written(tmp_path):
    text = HEAD + (
        "qubit[3] q; bit[3] c; bit d; measure q[2] -> c[0]; c[1:2] = measure q[0:1]; "
        "def look(qubit a) -> bit { bit r; h a; r = measure a; return r; } d = look(q[0]);"
    )
    found = read(tmp_path, text)
    pairs = [
        (found.find_bit(i.qubits[0]).index, found.find_bit(i.clbits[0]).index)
        for i in found.data
        if i.operation.name == "measure"
    ]
    bits = [found.find_bit(b).index for b in found.cregs[0]]
    (loose,) = set(range(4)) - set(bits)
    assert pairs == [(2, bits[0]), (0, bits[1]), (1, bits[2]), (0, loose)]
    assert found.num_clbits == 4


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("qubit q;\nfoo q;", "4,0", "'foo' is not defined"),
        ("qubit q;\nx q[1];", "4,0", "must not be indexed"),
        ("qubit[2] q;\nx q[2];", "4,0", "within its 2 elements"),
        ("qubit[2] q;\nfor int i in [0:2] {\n  x q[i];\n}", "5,4", "within its 2 elements"),
        ("qubit[2] q;\ncx q[0], q[0];", "4,0", "different qubits"),
        ("qubit[2] q;\nrx q[0];", "4,0", "has 1 angles, but is given 0"),
        ("qubit[2] q;\nx q[0], q[1];", "4,0", "acts on 1 qubits, but is given 2"),
        ("qubit q; bit c;\nc = measure q;\nrx(c) q;", "5,0", "bits that are measured"),
        ("qubit q; bit c; int n = 0;\nc = measure q; if (c) { n = 1; }", "4,24", "whether"),
        ("extern f(int) -> int;\nqubit q;\nrx(f(1)) q;", "5,0", "external function 'f'"),
        ("qubit q;\ncal { }", "4,0", "cal is not read"),
        ("qubit q;\n#pragma braket noise bit_flip(0.1) q", "4,0", "'braket noise bit_flip"),
        ("qubit q;\nint n = 1 / 0;", "4,8", "division by zero"),
        ("qubit q;\nfloat n = undefined;", "4,10", "'undefined' is not defined"),
        ("qubit q;\nx q;\nx q;\nh q;\nbreak;", "7,0", "'break' statement outside loop"),
        ("const int n = 1;\nn = 2;", "4,0", "'n' is constant"),
        ("gate a(t) q {\n  pow(65) @ u(t, 0, 0) q; }\nqubit q;", "4,2", "must be up to 64"),
        ("gate a(t) q { rx(t) q; }\ngate b(t) q {\npow(0.5) @ a(t) q; }", "5,0", "are free"),
    ],
)
def test_faults_name_their_place(tmp_path, text, place, reason):
    with pytest.raises(
        CircuitFileError, match=rf"mine\.qasm must be OpenQASM 3, but: {place}: "
    ) as caught:
        read(tmp_path, HEAD + text)
    assert reason in str(caught.value)


def test_what_qiskit_writes_is_read_gate_by_gate(tmp_path):
    circuit = QuantumCircuit(3, 2)
    circuit.rzz(0.3, 0, 1)
    circuit.ecr(1, 2)
    circuit.mcp(0.2, [0, 1], 2)
    circuit.iswap(0, 2)
    circuit.sxdg(0)
    found = read(tmp_path, qasm3.dumps(circuit))
    assert Operator(found).equiv(Operator(circuit))  # Qiskit leaves phases out of what it writes
    assert found.count_ops()["rzz"] == 1
    assert found.data[0].operation.base_class is std.RZZGate


angles = st.sampled_from(["0.25", "pi/3", "-1.5e-1", "2*pi/7 + 0.1", "a", "a*k/4", "-(a)"])
names_1 = st.sampled_from(["h", "x", "sdg", "t", "sx"])
statements = st.recursive(
    st.one_of(
        st.tuples(st.just("one"), names_1, st.integers(0, 2)),
        st.tuples(st.just("turn"), st.sampled_from(["rx", "rz", "p"]), angles, st.integers(0, 2)),
        st.tuples(st.just("two"), st.sampled_from(["cx", "cz"]), st.permutations(range(3))),
        st.tuples(st.just("call"), angles, st.permutations(range(3))),
        st.tuples(st.just("alias"), names_1, st.permutations(range(3))),
    ),
    lambda inner: st.one_of(
        st.tuples(
            st.just("for"), st.integers(-1, 2), st.integers(1, 2), st.lists(inner, max_size=3)
        ),
        st.tuples(st.just("if"), st.integers(0, 2), st.lists(inner, max_size=2)),
        st.tuples(st.just("while"), st.integers(0, 2), st.lists(inner, max_size=2)),
    ),
    max_leaves=8,
)


class Twice:
    """A program, and the same written out for a reader that knows gates alone."""

    def __init__(self) -> None:
        self.number = 0
        self.flat: list[str] = []

    def value(self, angle: str, k: int) -> str:
        return repr(float(eval(angle, {"pi": math.pi, "a": 0.375, "k": k})))  # our own words

    def program(self, parts: list, k: int) -> str:
        return "".join(self.statement(part, k) for part in parts)

    def statement(self, part: tuple, k: int) -> str:
        kind, *rest = part
        if kind == "one":
            self.flat.append(f"{rest[0]} q[{rest[1]}];")
            return f"{rest[0]} q[{rest[1]}];\n"
        if kind == "turn":
            name, angle, qubit = rest
            self.flat.append(f"{name}({self.value(angle, k)}) q[{qubit}];")
            return f"{name}({angle}) q[{qubit}];\n"
        if kind == "two":
            name, (a, b, _) = rest
            self.flat.append(f"{name} q[{a}], q[{b}];")
            return f"{name} q[{a}], q[{b}];\n"
        if kind == "call":
            angle, (a, b, _) = rest
            value = self.value(angle, k)
            self.flat += [f"ry({value}) q[{a}];", f"cx q[{a}], q[{b}];", f"ry({value}) q[{b}];"]
            return f"both({angle}, q[{a}], q[{b}]);\n"
        if kind == "alias":
            name, (a, b, _) = rest
            self.number += 1
            self.flat += [f"{name} q[{a}];", f"{name} q[{b}];"]
            return f"let n{self.number} = q[{{{a}}}] ++ q[{{{b}}}]; {name} n{self.number};\n"
        return self.block(kind, rest, k)

    def block(self, kind: str, rest: list, k: int) -> str:
        if kind == "for":
            start, step, inner = rest
            text = ""
            kept = self.number
            for value in range(start, 3, step):
                self.number = kept
                text = self.program(inner, value)
            return f"for int k in [{start}:{step}:2] {{\n{text}}}\n"
        if kind == "if":
            limit, inner = rest
            before = list(self.flat)
            text = self.program(inner, k)
            if not k < limit:
                self.flat = before
            return f"if (k < {limit}) {{\n{text}}}\n"
        times, inner = rest
        self.number += 1
        name, before = f"i{self.number}", list(self.flat)
        text = self.program(inner, k)
        once = self.flat[len(before) :]
        self.flat = before + once * times
        return f"int {name} = 0; while ({name} < {times}) {{\n{text}{name} += 1; }}\n"


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=st.lists(statements, max_size=5))
def test_programs_are_what_qiskits_reader_makes_of_them_written_out(tmp_path_factory, parts):
    twice = Twice()
    body = twice.program(parts, 1)
    head = (
        HEAD + "const float a = 0.375;\nint k = 1;\nqubit[3] q;\n"
        "def both(float t, qubit x, qubit y) { ry(t) x; cx x, y; ry(t) y; }\n"
    )
    found = read(tmp_path_factory.mktemp("fuzz"), head + "if (true) {\n" + body + "}\n")
    flat = qiskit_qasm3_import.parse(HEAD + "qubit[3] q;\n" + "\n".join(twice.flat))
    assert same(found, flat)
    assert len(found.data) == len(twice.flat)
