"""Exact values in torch against the statevector, and their derivatives against autograd's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp, Statevector

import qhw

OBSERVABLES = ["XYZ", "0.5*ZZI - 1.3*IYY + 0.2*III", "YYY", "IXI"]
T, S = ParameterVector("t", 3), Parameter("s")


def circuit() -> QuantumCircuit:
    """Every kind of gate, repeated parameters, expressions; no two qubits alike."""
    out = QuantumCircuit(3)
    out.h(0)
    out.rx(T[0], 0)
    out.ry(2 * T[1] - 0.3, 1)
    out.u(T[2], S, T[0] - 0.5 * S, 2)
    out.crx(T[1], 0, 2)
    out.crz(S, 2, 1)
    out.rzz(T[0] + T[2], 0, 1)
    out.cx(1, 2)
    out.ry(S, 0)
    return out


def known(rows: np.ndarray) -> np.ndarray:
    """``(B, K)`` by Qiskit; columns of rows are s, t[0], t[1], t[2]."""
    operators = [
        SparsePauliOp(["XYZ"]),
        SparsePauliOp(["ZZI", "IYY", "III"], [0.5, -1.3, 0.2]),
        SparsePauliOp(["YYY"]),
        SparsePauliOp(["IXI"]),
    ]
    states = [Statevector(circuit().assign_parameters(row)) for row in rows]
    return np.array([[s.expectation_value(o).real for o in operators] for s in states])


ROWS = np.random.default_rng(2).uniform(-3, 3, (5, 4))


def test_values_are_those_of_the_statevector_in_both_precisions() -> None:
    function = qhw.expectation_function(circuit(), OBSERVABLES)
    assert function.parameter_names == ("s", "t[0]", "t[1]", "t[2]")
    double = function(torch.from_numpy(ROWS))
    np.testing.assert_allclose(double, known(ROWS), atol=1e-12)
    single = function(torch.from_numpy(ROWS).float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, known(ROWS), atol=5e-6)
    np.testing.assert_array_equal(function(torch.from_numpy(ROWS[1])), double[1])  # one row


@pytest.mark.slow
def test_derivatives_pass_gradcheck_and_are_those_of_shift_rules() -> None:
    function = qhw.expectation_function(circuit(), OBSERVABLES)
    x = torch.from_numpy(ROWS[:2]).requires_grad_()
    assert torch.autograd.gradcheck(function, (x,), atol=1e-8)
    found = torch.autograd.functional.jacobian(function, x)
    shift = qhw.expect(
        circuit(), ROWS[:2], OBSERVABLES, "exact", shots=100, mitigation="none", gradient="shift"
    )
    assert shift.exact_gradient is not None
    for row in range(2):
        np.testing.assert_allclose(found[row, :, row], shift.exact_gradient[row], atol=1e-10)


def test_weights_that_rows_share_are_trained() -> None:
    function = qhw.expectation_function(circuit(), "ZII")
    data = torch.from_numpy(ROWS[:, :2])
    weights = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([weights], lr=0.2)

    def loss() -> torch.Tensor:
        return function(torch.cat([data, weights.expand(len(data), -1)], 1)).mean()

    first = loss().item()
    for _ in range(30):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    assert loss().item() < first - 0.2


def test_observables_act_on_the_bits_that_are_written() -> None:
    measured = QuantumCircuit(3, 2)
    measured.ry(S, 0)
    measured.ry(0.5, 2)
    measured.measure([2, 0], [0, 1])
    function = qhw.expectation_function(measured, ["ZI", "Z0"])
    found = function(torch.tensor([[0.3]], dtype=torch.float64))
    np.testing.assert_allclose(found, [[np.cos(0.3), np.cos(0.5)]])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (ROWS, "must be a tensor"),
        (torch.zeros(2, 4, dtype=torch.int64), "float32 or float64"),
        (torch.zeros(2, 3), "must have shape"),
        (torch.full((1, 4), torch.nan), "finite"),
    ],
)
def test_bad_angles_are_one_line(given: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        qhw.expectation_function(circuit(), "ZZZ")(given)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_bad_circuits_are_one_line() -> None:
    squared = QuantumCircuit(1)
    squared.rx(S * S, 0)
    for given, observable, said in (
        (squared, "Z", "linear"),
        (QuantumCircuit(21), "Z0", "at most 20 qubits"),
        ("c.qasm", "Z", "QuantumCircuit"),
        (circuit(), "ZZ", "3 measured wires"),
    ):
        with pytest.raises(ValueError, match=said):
            qhw.expectation_function(given, observable)  # type: ignore[arg-type]
