"""Templates routed once: every row, whatever its numbers, is the circuit it stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import Statevector

from backends.base import BackendError, CompiledTemplate
from backends.checks import measured_qubits
from backends.native.compile import compile_template
from backends.native.rows import native_rows
from calibration.catalog import load_snapshot
from tests.backends.native_devices import device

DEVICES = ("iqm_garnet", "rigetti_cepheus_1_108q", "ionq_forte_enterprise")
QUARTERS = st.integers(-8, 8).map(lambda k: k * math.pi / 2)
ANGLE = st.one_of(QUARTERS, st.floats(-7, 7), st.floats(-1e-9, 1e-9))


def wanted() -> QuantumCircuit:
    """Shared, scaled and fixed angles, and a ring that no square lattice holds."""
    a, b = ParameterVector("a", 3), Parameter("b")
    circuit = QuantumCircuit(3, 3)
    for q in range(3):
        circuit.ry(a[q], q)
    circuit.crx(b, 0, 1)
    circuit.rz(2 * a[0] + 0.3, 1)
    circuit.crx(-0.5 * b, 1, 2)
    circuit.rzz(a[2], 2, 0)
    circuit.rx(0.7, 0)
    circuit.measure([2, 0, 1], [0, 1, 2])
    return circuit


TEMPLATES = {name: compile_template(wanted(), load_snapshot(name)) for name in DEVICES}


def distribution(circuit: QuantumCircuit) -> NDArray[np.float64]:
    """Probabilities of the measured wires, most significant first, without Aer."""
    bare = circuit.remove_final_measurements(inplace=False)
    # Qiskit's first listed qubit is the least significant
    return Statevector(bare).probabilities(list(reversed(measured_qubits(circuit))))


@pytest.mark.parametrize("name", DEVICES)
@settings(max_examples=40)
@given(x=arrays(np.float64, (1, 4), elements=ANGLE))
@example(x=np.zeros((1, 4)))
@example(x=np.full((1, 4), math.pi))
def test_rows_are_the_circuit(
    name: str, x: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> None:
    compiled = TEMPLATES[name]
    (row,) = native_rows(compiled, x)
    bound = wanted().assign_parameters(x[0].tolist())
    assert compiled.parameter_names == tuple(p.name for p in wanted().parameters)
    np.testing.assert_allclose(distribution(row), distribution(bound), atol=1e-9)
    assert_native(row, compiled)


def assert_native(row: QuantumCircuit, compiled: CompiledTemplate) -> None:
    snapshot = compiled.snapshot
    assert snapshot is not None
    index = dict(zip(row.qubits, compiled.physical_qubits, strict=True))
    for item in row.data:
        if item.operation.name == "measure":
            continue
        gate = snapshot.gate(item.operation.name, [index[q] for q in item.qubits])
        assert gate is not None and gate.usable
        limit = snapshot.limit(item.operation.name)
        assert limit is None or limit.permits(float(item.operation.params[0]))


@pytest.mark.parametrize("vendor", ["aqt", "aqt_rz"])
def test_ion_traps_of_other_gates(vendor: str) -> None:
    snapshot = device(vendor, ((0, 1), (0, 2), (1, 2)), 3)
    compiled = compile_template(wanted(), snapshot)
    x = np.random.default_rng(0).uniform(-3, 3, (4, 4))
    for angles, row in zip(x, native_rows(compiled, x), strict=True):
        bound = wanted().assign_parameters(angles.tolist())
        np.testing.assert_allclose(distribution(row), distribution(bound), atol=1e-9)


def test_figures_are_those_of_a_row() -> None:
    for compiled in TEMPLATES.values():
        row = next(native_rows(compiled, np.random.default_rng(1).uniform(-3, 3, (1, 4))))
        assert row.num_nonlocal_gates() == compiled.two_qubit_gates
        assert compiled.predicted_success is not None and 0.5 < compiled.predicted_success < 1
        assert compiled.n_measured == 3
    assert TEMPLATES["ionq_forte_enterprise"].duration_s > 0


def test_same_seed_same_template() -> None:
    again = compile_template(wanted(), load_snapshot("iqm_garnet"))
    first = TEMPLATES["iqm_garnet"]
    assert again.physical_qubits == first.physical_qubits
    x = np.ones((1, 4))
    assert next(native_rows(again, x)) == next(native_rows(first, x))


def test_refusals() -> None:
    snapshot = load_snapshot("iqm_garnet")
    with pytest.raises(BackendError, match="must fit iqm_garnet"):
        circuit = QuantumCircuit(21, 1)
        circuit.measure(0, 0)
        compile_template(circuit, snapshot)
    with pytest.raises(BackendError, match="measurements"):
        compile_template(QuantumCircuit(2), snapshot)
    with pytest.raises(BackendError, match="shape"):
        list(native_rows(TEMPLATES["iqm_garnet"], np.zeros((1, 3))))
