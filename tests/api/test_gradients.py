"""Derivatives by shift rules against the derivative of the statevector itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp, Statevector

import qhw
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from qhw.circuits.shift_rules import ShiftError, frequencies, shift_rule

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

OBSERVABLES = ["XYZ", "0.5*ZZI - 1.3*IXX + 0.2*III"]
OPERATORS = [SparsePauliOp("XYZ"), SparsePauliOp(["ZZI", "IXX", "III"], [0.5, -1.3, 0.2])]
KINDS = ["rx", "ry", "rz", "crx", "crz", "rzz", "u", "cp"]


def random_circuit(seed: int, n_gates: int) -> tuple[QuantumCircuit, ParameterVector]:
    """Gates of all kinds; three parameters, repeated, in expressions with coefficients."""
    rng = np.random.default_rng(seed)
    t = ParameterVector("t", 3)

    def angle() -> object:
        first, second = (t[i] for i in rng.permutation(3)[:2])
        forms = [first, 2 * first + 0.3, first - 0.5 * second, 0.7 * first, first * second]
        return forms[rng.choice(5, p=[0.5, 0.15, 0.15, 0.1, 0.1])]

    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    for kind in rng.choice(KINDS, n_gates):
        a, b, _ = (int(q) for q in rng.permutation(3))
        if kind == "u":
            circuit.u(angle(), angle(), angle(), a)
        elif kind in ("rx", "ry", "rz"):
            getattr(circuit, kind)(angle(), a)
        else:
            getattr(circuit, kind)(angle(), a, b)
    for p in t:
        circuit.ry(p, 0)
    return circuit, t


def derivative(circuit: QuantumCircuit, parameters: list, row: np.ndarray) -> np.ndarray:
    """``(K, P)`` by Richardson's extrapolation of central differences of Qiskit's statevector."""

    def value(x: np.ndarray) -> np.ndarray:
        bound = circuit.assign_parameters(dict(zip(parameters, x, strict=True)))
        state = Statevector(bound)
        return np.array([state.expectation_value(o).real for o in OPERATORS])

    columns = []
    for i in range(len(row)):
        unit = np.eye(len(row))[i]
        table = [
            (value(row + h * unit) - value(row - h * unit)) / (2 * h) for h in (0.16, 0.08, 0.04, 0.02, 0.01)
        ]
        for order in range(1, len(table)):
            table = [
                (4**order * fine - coarse) / (4**order - 1)
                for coarse, fine in zip(table, table[1:], strict=False)
            ]
        columns.append(table[0])
    return np.array(columns).T


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_random_circuits_have_the_derivative_of_the_statevector(seed: int, n_gates: int) -> None:
    circuit, t = random_circuit(seed, n_gates)
    row = np.random.default_rng(seed + 1).uniform(-2, 2, (1, 3))
    found = qhw.expect(
        circuit, row, OBSERVABLES, "exact", shots=100, mitigation="none", gradient="shift"
    )
    assert found.exact_gradient is not None
    np.testing.assert_allclose(found.exact_gradient[0], derivative(circuit, list(t), row[0]), atol=1e-9)
