from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit, Parameter, ParameterVector
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_aer import AerSimulator

from qhw.analysis.compare.measure import exact_distributions
from qhw.circuits.workload import Workload


def three_registers() -> QuantumCircuit:
    """Asymmetric: every bit has a probability of its own."""
    q = QuantumRegister(4, "q")
    circuit = QuantumCircuit(
        q, ClassicalRegister(1, "a"), ClassicalRegister(2, "b"), ClassicalRegister(1, "c")
    )
    for i, angle in enumerate((0.3, 0.9, 1.7, 2.6)):
        circuit.ry(angle, i)
    circuit.cx(0, 2)
    circuit.measure([2, 0, 3, 1], [0, 1, 2, 3])
    return circuit


def test_outcomes_are_named_and_ordered_as_by_qiskit() -> None:
    work = Workload.of(three_registers())
    (exact,) = exact_distributions(work).distributions
    shots = 200_000
    counts = AerSimulator(seed_simulator=1).run(work.circuit, shots=shots).result().get_counts()
    assert all(len(name.split()) == 3 for name in counts)
    for index, p in enumerate(exact):
        seen = counts.get(work.outcome(index), 0) / shots
        assert seen == pytest.approx(p, abs=5 * np.sqrt(p / shots) + 1e-5)


def test_loose_and_shared_bits_are_written_by_their_place() -> None:
    loose = QuantumCircuit([Clbit()], ClassicalRegister(2, "b"), QuantumRegister(3, "q"))
    loose.measure([0, 1, 2], [0, 1, 2])
    assert Workload.of(loose).outcome(0b001) == "00 1"
    bits = [Clbit(), Clbit()]
    shared = QuantumCircuit(
        QuantumRegister(2, "q"), bits, ClassicalRegister(bits=bits[::-1], name="r")
    )
    shared.measure([0, 1], [0, 1])
    assert Workload.of(shared).outcome(0b01) == "01"


def test_without_measurements_every_qubit_is_measured() -> None:
    circuit = QuantumCircuit(2)
    circuit.x(1)
    work = Workload.of(circuit)
    assert exact_distributions(work).distributions[0].argmax() == 0b10
    assert work.outcome(0b10) == "10"
    assert not circuit.num_clbits, "the caller's circuit is his own"


def test_angles_reach_their_parameters_whatever_the_compilers_order() -> None:
    names = ["z", "b", "a"]
    parameters = [Parameter(name) for name in names]
    circuit = QuantumCircuit(3)
    for qubit, parameter in enumerate(parameters):
        circuit.ry(parameter, qubit)
    angles = {"z": [0.2], "b": [1.1], "a": [2.0]}
    (exact,) = exact_distributions(Workload.of(circuit, angles)).distributions
    ones = [exact[[k for k in range(8) if k >> q & 1]].sum() for q in range(3)]
    np.testing.assert_allclose(ones, np.sin(np.array([0.2, 1.1, 2.0]) / 2) ** 2, atol=1e-12)


def built(angle: float = 0.25, wire: int = 1) -> QuantumCircuit:
    t = ParameterVector("t", 3)
    circuit = QuantumCircuit(2, 2)
    circuit.initialize([0.6, 0.8], 1)
    circuit.ry(2 * t[0] + t[1], 0)
    circuit.u(t[2], angle, 0.5, wire)
    circuit.measure([0, 1], [1, 0])
    return circuit


@pytest.mark.slow
def test_a_fingerprint_is_of_what_runs_in_every_process() -> None:
    assert _fingerprint(built()) == _fingerprint(built())
    assert _fingerprint(built()) != _fingerprint(built(angle=0.25000000000000006))
    assert _fingerprint(built()) != _fingerprint(built(wire=0))
    code = (
        "from tests.circuits.test_workload import built, _fingerprint; print(_fingerprint(built()))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == _fingerprint(built())


def _fingerprint(circuit: QuantumCircuit) -> str:
    return Workload.of(circuit, np.zeros((1, 3))).fingerprint()


def test_stored_and_read_back() -> None:
    work = Workload.of(built(), np.arange(6.0).reshape(2, 3), name="mine")
    back = Workload.from_bytes(work.to_bytes())
    assert back.fingerprint() == work.fingerprint()
    assert (back.name, back.parameter_names, back.row_names) == (
        "mine",
        work.parameter_names,
        ("0", "1"),
    )
    np.testing.assert_array_equal(back.angles, work.angles)
    for data in (b"", b"PK", work.to_bytes()[:-200]):
        with pytest.raises(ValueError, match="must be a stored workload"):
            Workload.from_bytes(data)


def test_what_is_no_circuit_is_named() -> None:
    with pytest.raises(TypeError, match="must be a QuantumCircuit or the path of a circuit file"):
        Workload.of(3)  # type: ignore[arg-type]


def test_what_nobody_writes_or_touches_is_left_out() -> None:
    spare = QuantumCircuit(2, 5)
    spare.x(1)
    spare.measure([0, 1], [3, 4])
    work = Workload.of(spare)
    assert work.n_bits == 2
    assert exact_distributions(work).distributions[0].argmax() == 0b10
    middle = QuantumCircuit(1, 2)
    middle.measure(0, 0)
    middle.h(0)
    middle.measure(0, 1)
    found = exact_distributions(Workload.of(middle)).distributions[0]
    assert found == pytest.approx([0.5, 0, 0.5, 0])  # bit 0 is always 0


def test_evolutions_are_exact_and_their_formula_is_told_apart() -> None:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XZ", "ZX", "YI"]), time=0.7), [0, 1])
    found = exact_distributions(Workload.of(circuit))
    wanted = np.abs(Statevector(circuit).data) ** 2
    np.testing.assert_allclose(found.distributions[0], wanted, atol=1e-12)
    assert found.synthesis is not None and found.synthesis > 0.01
