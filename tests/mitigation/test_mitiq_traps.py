"""What goes wrong with mitiq 1.1.0 on these circuits, and that our own path does not.

Each test first shows mitiq's behaviour, so that it fails when a later mitiq changes it and this
list can be shortened, and then what ours does at the same place.
"""

from __future__ import annotations

import importlib
import sys
import tomllib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter

from backends.aer import AerBackend
from backends.exact import ExactBackend
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.noise import apply_confusion
from qhw.mitigation.base import MitigationError, frequencies
from qhw.mitigation.expectation import estimate_observables
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program
from qhw.mitigation.readout import inverse
from qhw.mitigation.simplex import project_to_simplex
from tests.mitigation.misread import SINGLES
from tests.mitigation.mitiq_circuits import SIGN, measured, native_circuit, probabilities
from tests.mitigation.test_folds_arrive import ANGLES, free_circuit, scaled

mitiq = pytest.importorskip("mitiq", reason="traps of mitiq need the extra qhw[mitiq]")
pytest.importorskip("ply", reason="mitiq converts circuits with ply, which it does not install")


def test_folds_are_cancelled_by_transpiling_again_from_level_1_on() -> None:
    fold = mitiq.zne.scaling.fold_gates_at_random
    folded = fold(native_circuit(), 3, fidelities={"single": 1.0})
    assert folded.count_ops()["cz"] == 18
    basis = ["rz", "sx", "x", "cz"]
    left = [
        transpile(folded, basis_gates=basis, optimization_level=level).count_ops()["cz"]
        for level in range(4)
    ]
    assert left == [18, 6, 6, 6]


def test_ply_is_missing_from_mitiqs_requirements_and_in_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [m for m in sys.modules if m.split(".")[0] == "ply" or "cirq.contrib.qasm" in m]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ply", None)
    with pytest.raises((ImportError, mitiq.interface.CircuitConversionError)):
        mitiq.interface.convert_to_mitiq(native_circuit())
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    assert any(need.startswith("ply") for need in extras["mitiq"])
    assert not any(need.startswith("mitiq") for need in project["project"]["dependencies"])


def test_free_angles_are_refused_by_mitiq_and_kept_by_us() -> None:
    circuit = free_circuit()
    circuit.remove_final_measurements()
    with pytest.raises(mitiq.interface.CircuitConversionError):
        mitiq.zne.scaling.fold_gates_at_random(circuit, 3)
    backend = ExactBackend()
    compiled = backend.compile(free_circuit())
    program = build_program(
        Pipeline.parse("twirl(2)+zne(1,3)"), backend, compiled, ANGLES, shots=100, seed=0
    )
    exact = measured_probabilities(compiled, ANGLES)
    for batch in program.batches:
        assert [p.name for p in batch.compiled.circuit.parameters] == ["d[0]"]
        np.testing.assert_allclose(measured_probabilities(batch.compiled, ANGLES), exact, atol=1e-9)


def test_a_crx_comes_back_from_cirq_as_three_gates() -> None:
    circuit = QuantumCircuit(2)
    circuit.crx(0.3, 0, 1)
    there, kind = mitiq.interface.convert_to_mitiq(circuit)
    assert mitiq.interface.convert_from_mitiq(there, kind).count_ops()["cx"] == 3
    circuit.measure_all()
    backend = AerBackend(load_snapshot("ionq_forte_enterprise"))
    compiled = backend.compile(circuit)
    assert compiled.two_qubit_gates == 1
    program = build_program(
        Pipeline.parse("zne(1,3)"), backend, compiled, np.zeros((1, 0)), shots=100, seed=0
    )
    assert [b.compiled.two_qubit_gates for b in program.batches] == [1, 3]


def test_only_the_support_of_an_observable_is_measured() -> None:
    observable = mitiq.Observable(mitiq.PauliString("ZIZ"))
    (circuit,) = observable.measure_in(native_circuit())
    assert circuit.count_ops()["measure"] == 2
    with pytest.raises(ValueError, match="2 qubit"):
        mitiq.MeasurementResult([[0, 1]], qubit_indices=(0, 1, 2))
    # ours measure every wire and weigh all outcomes
    program = build_program(
        Pipeline.parse("zne(1,3)"), ExactBackend(), measured(native_circuit()), np.zeros((1, 0)),
        shots=100, seed=0, features=SIGN[None],
    )  # fmt: skip
    assert all(b.compiled.circuit.count_ops()["measure"] == 3 for b in program.batches)


def test_first_bit_is_qubit_0_in_mitiq_and_wire_0_in_ours() -> None:
    from mitiq.rem import bitstrings_to_probability_vector

    # qubit 0 alone is 1: Qiskit writes "001"
    assert bitstrings_to_probability_vector([[1, 0, 0]]).argmax() == 0b100
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.measure(range(3), [2, 1, 0])
    compiled = ExactBackend().compile(circuit)
    assert measured_probabilities(compiled, np.zeros((1, 0)))[0].argmax() == 0b100


def test_mitigate_measurements_draws_shots_again_and_ours_does_not() -> None:
    from mitiq.rem import generate_tensored_inverse_confusion_matrix, mitigate_measurements

    read = apply_confusion(probabilities(native_circuit()), list(SINGLES))
    counts = np.random.default_rng(0).multinomial(2000, read)
    bits = [[o >> 2 & 1, o >> 1 & 1, o & 1] for o in np.repeat(np.arange(8), counts)]
    matrix = generate_tensored_inverse_confusion_matrix(3, list(SINGLES))
    undo = inverse({(w,): single for w, single in enumerate(SINGLES)})
    corrected = project_to_simplex(undo @ counts / 2000).probabilities

    def theirs() -> np.ndarray:
        out = mitigate_measurements(mitiq.MeasurementResult(bits), matrix)
        return np.bincount(np.array(out.result) @ [4, 2, 1], minlength=8) / 2000

    again = np.array([theirs() for _ in range(20)])
    spread = again.std(axis=0)
    expected = np.sqrt(corrected * (1 - corrected) / 2000)
    assert 0.7 < spread.sum() / expected.sum() < 1.3  # a second shot noise, as large as the first
    assert np.abs(again.mean(axis=0) - corrected).max() < 5 * expected.max() / np.sqrt(20)


def test_training_values_that_are_all_zero_end_in_zero() -> None:
    from mitiq.cdr import execute_with_cdr

    found = execute_with_cdr(
        native_circuit(), lambda _: 0.05, simulator=lambda _: 0.0, num_training_circuits=4,
        random_state=0,
    )  # fmt: skip
    assert abs(found) < 1e-6
    # a parity that every near-Clifford circuit without T has at 0: refused before anything runs
    circuit = QuantumCircuit(2, 2)
    circuit.ry(0.8, 0)
    circuit.cz(0, 1)
    circuit.h(1)
    circuit.measure([0, 1], [1, 0])
    parity = np.array([[1.0, -1.0, 1.0, -1.0]])
    compiled = AerBackend(load_snapshot("ibm_fez")).compile(circuit)
    with pytest.raises(MitigationError, match="training circuits whose exact values differ"):
        build_program(
            Pipeline.parse("cdr(4,non_clifford=0)"), AerBackend(load_snapshot("ibm_fez")),
            compiled, np.zeros((1, 0)), shots=10_000, seed=0, features=parity,
        )  # fmt: skip


@pytest.mark.parametrize("name", ["vd", "shadows", "pea"])
@pytest.mark.filterwarnings("ignore:.*is experimental:FutureWarning")
def test_experimental_techniques_have_moved(name: str) -> None:
    with pytest.raises(ImportError, match=r"mitiq\.experimental"):
        importlib.import_module(f"mitiq.{name}")
    assert importlib.import_module(f"mitiq.experimental.{name}")


def test_folding_two_qubit_gates_only_must_be_asked_for() -> None:
    fold = partial(mitiq.zne.scaling.fold_gates_at_random, native_circuit(), 3)
    ones = sum(n for gate, n in native_circuit().count_ops().items() if gate != "cz")
    everything, pairs = fold().count_ops(), fold(fidelities={"single": 1.0}).count_ops()
    assert sum(n for gate, n in everything.items() if gate != "cz") > 2 * ones
    assert sum(n for gate, n in pairs.items() if gate != "cz") == ones
    backend = ExactBackend()
    bigger = scaled(measured(native_circuit()), backend).circuit.count_ops()  # type: ignore[arg-type]
    assert bigger["cz"] == 18
    assert sum(n for gate, n in bigger.items() if gate not in ("cz", "measure")) == ones


def test_several_groups_and_circuits_are_paired_wrongly() -> None:
    """unitaryfoundation/mitiq issue 3131, in the wheel of 1.1.0."""

    def run(circuit: QuantumCircuit) -> mitiq.MeasurementResult:
        p = probabilities(circuit)
        qubits = [
            circuit.find_bit(item.qubits[0]).index
            for item in circuit.data
            if item.operation.name == "measure"
        ]
        likely = int(p.argmax())  # of a Bell state in a Bell basis any outcome has the right parity
        return mitiq.MeasurementResult(
            [[likely >> (2 - q) & 1 for q in qubits]], qubit_indices=tuple(qubits)
        )

    def bell(angle: float) -> QuantumCircuit:
        circuit = QuantumCircuit(3)
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.ry(angle, 1)
        circuit.id(2)
        return circuit

    run.__annotations__["return"] = mitiq.MeasurementResult
    observable = mitiq.Observable(mitiq.PauliString("ZZ"), mitiq.PauliString("XX"))
    assert observable.ngroups == 2
    circuits = [bell(0.0), bell(np.pi)]
    alone = [mitiq.Executor(run).evaluate(c, observable)[0].real for c in circuits]
    assert alone == [2, -2]
    together = np.real(mitiq.Executor(run).evaluate(circuits, observable))
    assert together.tolist() != [2, -2]
    free = QuantumCircuit(2)
    free.h(0)
    free.cx(0, 1)
    free.ry(Parameter("d[0]"), 1)
    ours = estimate_observables(
        ExactBackend(), free, [[0.0], [np.pi]], {"ZZ": 1.0, "XX": 1.0}, shots=2000, seed=0
    )
    assert np.ravel(ours.values).tolist() == pytest.approx([2.0, -2.0])


def test_frequencies_of_ours_are_never_complex() -> None:
    (value,) = mitiq.Executor(_counted).evaluate(
        native_circuit(), mitiq.Observable(mitiq.PauliString("ZIZ"))
    )
    assert isinstance(value, complex)
    assert frequencies(np.ones((1, 8), dtype=np.int64)).values.dtype == np.float64


def _counted(circuit: QuantumCircuit) -> mitiq.MeasurementResult:
    return mitiq.MeasurementResult([[0, 1], [0, 0]], qubit_indices=(0, 2))


_counted.__annotations__["return"] = mitiq.MeasurementResult
