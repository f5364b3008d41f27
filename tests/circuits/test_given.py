"""Several circuits that differ in their angles are one template and its rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm2, qpy
from qiskit.circuit import Parameter
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Operator, Statevector

from qhw.analysis.compare.measure import exact_distributions
from qhw.circuits.angles import AnglesError
from qhw.circuits.given import read_given
from qhw.circuits.workload import Workload

GATES = [
    gate
    for name, gate in sorted(get_standard_gate_name_mapping().items())
    if gate.params and name not in ("delay", "global_phase")
]


def bound(values: list[float], name: str = "mine") -> QuantumCircuit:
    """Asymmetric, two registers, the bits crossed; some angles are the same in every row."""
    wires = QuantumRegister(3, "q")
    circuit = QuantumCircuit(wires, ClassicalRegister(1, "a"), ClassicalRegister(2, "b"), name=name)
    for qubit, value in enumerate(values):
        circuit.ry(value, qubit)
        circuit.rz(0.25, qubit)
    circuit.cx(0, 1)
    circuit.crx(values[0] / 2, 1, 2)
    circuit.measure([2, 0, 1], [0, 1, 2])
    return circuit


ROWS = [[0.3, 1.1, 2.0], [0.7, 1.1, 0.4], [1.9, 1.1, 2.5]]


def truth(values: list[float]) -> np.ndarray:
    """By Qiskit's statevector of the very circuit, bits as they are measured."""
    circuit = bound(values).remove_final_measurements(inplace=False)
    return Statevector(circuit).probabilities([2, 0, 1])


def test_files_of_openqasm_2_are_rows_named_after_them(tmp_path: Path) -> None:
    files = []
    for row, values in enumerate(ROWS):
        files.append(tmp_path / f"point-{row}.qasm")
        files[-1].write_text(qasm2.dumps(bound(values)))
    work = Workload.of(files)
    assert work.row_names == ("point-0", "point-1", "point-2")
    assert work.name == "point-0 and 2 more"
    # ry of qubits 0 and 2, and crx: what is the same in every row stays in the circuit
    assert work.angles.tolist() == [[r[0], r[2], r[0] / 2] for r in ROWS]
    exact = exact_distributions(work).distributions
    np.testing.assert_allclose(exact, [truth(row) for row in ROWS], atol=1e-12)
    assert work.outcome(0b001) == "00 1"


def test_circuits_of_one_qpy_file_and_live_ones_are_the_same_rows(tmp_path: Path) -> None:
    live = [bound(values) for values in ROWS]
    with (tmp_path / "all.qpy").open("wb") as file:
        qpy.dump(live, file)
    stored, told = Workload.of(tmp_path / "all.qpy"), Workload.of(live)
    assert stored.row_names == ("all[0]", "all[1]", "all[2]")
    assert told.row_names == ("mine", "mine", "mine")
    assert stored.fingerprint() == told.fingerprint()
    np.testing.assert_array_equal(stored.angles, told.angles)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_gate_keeps_its_angles(data: st.DataObject) -> None:
    gate = data.draw(st.sampled_from(GATES))
    angle = st.floats(-3, 3, allow_subnormal=False)
    rows = data.draw(st.lists(st.tuples(*[angle] * len(gate.params)), min_size=2, max_size=3))
    circuits = []
    for values in rows:
        circuit = QuantumCircuit(gate.num_qubits)
        circuit.h(range(gate.num_qubits))
        circuit.append(type(gate)(*values), range(gate.num_qubits))
        circuits.append(circuit)
    found = read_given(circuits, None)
    matrix = np.asarray(found.angles.get("angle", np.empty((len(rows), 0))))  # type: ignore[attr-defined]
    for circuit, values in zip(circuits, matrix, strict=True):
        one = found.circuit.assign_parameters(values)
        np.testing.assert_allclose(Operator(one).data, Operator(circuit).data, atol=1e-12)


def test_gates_of_ones_own_are_opened_where_they_differ(tmp_path: Path) -> None:
    text = (
        'OPENQASM 2.0; include "qelib1.inc"; gate mine(a, b) p, q {{ ry(a) p; cx p, q; rz(b) q; }} '
        "qreg q[2]; mine({}, 0.5) q[1], q[0]; mine(1.0, 2.0) q[0], q[1];"
    )
    files = [tmp_path / f"{i}.qasm" for i in range(2)]
    for file, angle in zip(files, (0.2, 0.9), strict=True):
        file.write_text(text.format(angle))
    work = Workload.of(files)
    assert work.angles.tolist() == [[0.2], [0.9]]
    for exact, file in zip(exact_distributions(work).distributions, files, strict=True):
        alone = exact_distributions(Workload.of(file)).distributions[0]
        np.testing.assert_allclose(exact, alone, atol=1e-12)


def test_the_same_circuit_twice_is_two_rows_without_parameters() -> None:
    work = Workload.of([bound(ROWS[0]), bound(ROWS[0])])
    assert work.angles.shape == (2, 0) and len(exact_distributions(work).distributions) == 2


def changed(how: str) -> QuantumCircuit:
    circuit = bound(ROWS[0], "other")
    if how == "gate":
        circuit.data[0] = circuit.data[0].replace(
            operation=QuantumCircuit(1).rx(1.0, 0)[0].operation
        )
    elif how == "longer":
        circuit = bound(ROWS[0], "other").remove_final_measurements(inplace=False)
    elif how == "bits":
        circuit = QuantumCircuit(3, 3, name="other")
    elif how == "order":
        circuit = QuantumCircuit(*bound(ROWS[0]).qregs, *bound(ROWS[0]).cregs, name="other")
        for item in bound(ROWS[0]).data[1:]:
            circuit.append(item)
        circuit.append(bound(ROWS[0]).data[0])
    elif how == "control":
        circuit = bound(ROWS[0], "other")
        place = next(i for i, item in enumerate(circuit.data) if item.operation.name == "cx")
        open_control = circuit.data[place].operation.to_mutable()
        open_control.ctrl_state = 0
        circuit.data[place] = circuit.data[place].replace(operation=open_control)
    return circuit


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("gate", r"instruction 0 is ry on \[0\] there and rx on \[0\] here"),
        ("longer", "qubits or classical registers differ"),
        ("bits", "qubits or classical registers differ"),
        ("order", "instruction 0 is ry"),
        ("control", "instruction 6 is cx"),
    ],
)
def test_circuits_that_differ_in_more_are_refused(how: str, words: str) -> None:
    with pytest.raises(
        ValueError, match=f"Circuits mine and other must differ in their angles alone, but.*{words}"
    ) as caught:
        Workload.of([bound(ROWS[0]), changed(how)])
    assert "\n" not in str(caught.value)


def test_what_several_circuits_cannot_have_is_named() -> None:
    free = bound(ROWS[0])
    free.ry(Parameter("x"), 0)
    with pytest.raises(AnglesError, match="`angles` must be left out of several circuits"):
        Workload.of([bound(ROWS[0])] * 2, np.zeros((2, 1)))
    with pytest.raises(AnglesError, match="`names` must be left out of several circuits"):
        Workload.of([bound(ROWS[0])] * 2, names="label")
    with pytest.raises(AnglesError, match=r"must have no free parameters.* but mine has x"):
        Workload.of([bound(ROWS[0]), free])
    with pytest.raises(ValueError, match="`circuit` must be a circuit or several, but is none"):
        Workload.of([])


def test_rows_of_any_column_and_no_name_that_changes_from_process_to_process() -> None:
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("a"), 0)
    work = Workload.of(circuit, {"a": [0.1, 0.2], "label": ["x", "y"]}, names="label")
    assert work.row_names == ("x", "y") and work.name == "circuit"
    nameless = [QuantumCircuit(1), QuantumCircuit(1)]
    assert Workload.of(nameless).row_names == ("0", "1")
