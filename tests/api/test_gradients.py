"""Derivatives by shift rules against the derivative of the statevector itself."""

from __future__ import annotations

import itertools

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
        forms = [first, 2 * first + 0.3, first - 0.5 * second, 0.25 * first, first * second]
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
            (value(row + h * unit) - value(row - h * unit)) / (2 * h)
            for h in (0.16, 0.08, 0.04, 0.02, 0.01)
        ]
        for order in range(1, len(table)):
            table = [
                (4**order * fine - coarse) / (4**order - 1)
                for coarse, fine in itertools.pairwise(table)
            ]
        columns.append(table[0])
    return np.array(columns).T


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_random_circuits_have_the_derivative_of_the_statevector(seed: int, n_gates: int) -> None:
    circuit, t = random_circuit(seed, n_gates)
    row = np.random.default_rng(seed + 1).uniform(-2, 2, (1, 3))
    found = qhw.expect(
        circuit, row, OBSERVABLES, "exact", shots=100, mitigation="none", gradient="shift"
    )
    assert found.exact_gradient is not None
    np.testing.assert_allclose(
        found.exact_gradient[0], derivative(circuit, list(t), row[0]), atol=1e-9
    )


@pytest.mark.parametrize(
    ("build", "circuits"),
    [
        (lambda c, t: c.rz(t, 0), 2),
        (lambda c, t: c.rzz(t, 0, 1), 2),
        (lambda c, t: c.crx(t, 0, 1), 4),
        (lambda c, t: c.crz(t, 1, 2), 4),
        (lambda c, t: [c.ry(t, q) for q in range(3)], 6),
        (lambda c, t: [c.ry(t, 0), c.rx(2 * t, 1)], 6),
        (lambda c, t: c.rx(0.37 * t + 1, 2), 2),
        (
            lambda c, t: [c.ry(t, 0), c.ry(np.sqrt(2) * t, 1)],
            8,
        ),  # 1, sqrt 2, and their sum, difference
    ],
)
def test_a_rule_runs_twice_as_many_circuits_as_there_are_frequencies(
    build: object, circuits: int
) -> None:
    t, circuit = Parameter("t"), QuantumCircuit(3)
    circuit.h([0, 1, 2])
    circuit.cx(0, 1)
    build(circuit, t)  # type: ignore[operator]
    circuit.rx(0.4, range(3))
    found = qhw.expect(
        circuit, [[0.7]], OBSERVABLES, "exact", shots=100, mitigation="none", gradient="shift"
    )
    assert len(found.shifted.work) == 1 + circuits
    assert found.evaluated.result.circuits == len(found.evaluated.result.bases)  # one batch a basis
    assert found.exact_gradient is not None
    known = derivative(circuit, [t], np.array([0.7]))
    np.testing.assert_allclose(found.exact_gradient[0], known, atol=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.floats(0.05, 4), min_size=1, max_size=4), st.integers(0, 2**16))
def test_a_rule_is_exact_for_every_sum_of_its_frequencies(steps: list[float], seed: int) -> None:
    omega = np.array(frequencies(steps))
    a, b = np.random.default_rng(seed).normal(size=(2, len(omega)))
    rule = shift_rule(omega)

    def value(t: np.ndarray) -> np.ndarray:
        angle = np.multiply.outer(t, omega)
        return np.cos(angle) @ a + np.sin(angle) @ b

    slope = (-a * omega * np.sin(0.3 * omega) + b * omega * np.cos(0.3 * omega)).sum()
    found = rule.weights @ value(0.3 + rule.shifts)
    assert found == pytest.approx(slope, abs=1e-9 * (1 + np.abs(rule.weights).sum()))


def turned() -> tuple[QuantumCircuit, ParameterVector]:
    t, circuit = ParameterVector("t", 2), QuantumCircuit(2)
    circuit.ry(t[0], 0)
    circuit.crx(t[1], 0, 1)
    circuit.ry(0.5 * t[0], 1)
    return circuit, t


@pytest.mark.slow
@pytest.mark.parametrize("mitigation", ["none", "readout(share=0.3)"])
def test_errors_of_derivatives_are_true(mitigation: str) -> None:
    circuit, _ = turned()
    asked = (circuit, [[0.4, 1.1], [1.3, -0.6]], ["ZI", "XX + 0.5*IZ"], "engine:ibm_fez")
    found = [
        qhw.expect(*asked, shots=1000, mitigation=mitigation, gradient="shift", seed=seed)
        for seed in range(20)
    ]
    values = np.array([one.gradient for one in found])
    errors = np.array([one.gradient_error for one in found])
    assert values.shape == (20, 2, 2, 2) and (errors > 0).all()
    scores = (values - values.mean(axis=0)) / errors * np.sqrt(20 / 19)
    assert 0.78 < scores.std() < 1.22  # 160 of them
    np.testing.assert_allclose(values.mean(axis=0), found[0].exact_gradient, atol=0.06)


def test_columns_are_chosen_by_name_and_told_by_name() -> None:
    circuit, t = turned()
    asked = (circuit, [[0.4, 1.1]], ["ZI", "IZ"], "exact")
    options = {"shots": 100, "mitigation": "none", "gradient": "shift"}
    whole = qhw.expect(*asked, **options)  # type: ignore[call-overload]
    assert whole.parameters == ("t[0]", "t[1]") and whole.gradient.shape == (1, 2, 2)
    for wrt in ("t[1]", ["t[1]"], t[1]):
        one = qhw.expect(*asked, wrt=wrt, **options)  # type: ignore[call-overload]
        assert one.parameters == ("t[1]",)
        np.testing.assert_allclose(one.exact_gradient[..., 0], whole.exact_gradient[..., 1])
    assert qhw.expect(*asked, wrt="t", **options).parameters == whole.parameters  # type: ignore[call-overload]
    table = whole.to_dataframe()
    assert table["parameter"].tolist() == ["t[0]", "t[1]"] * 2 and "t[1]" in repr(whole)
    np.testing.assert_allclose(table["exact"], whole.exact_gradient.ravel())
    assert whole.exact[0, 1] == pytest.approx(np.cos(0.4))  # bit 0


def test_a_gradient_is_paid_once(ibm: tuple[IBMPlatform, LoopbackServer]) -> None:
    circuit, _ = turned()
    place = qhw.device("ibm:ibm_lagos", budget="90usd")
    asked = (circuit, [[0.4, 1.1]], "ZI", place)
    options = {"shots": 1000, "mitigation": "none", "gradient": "shift"}
    first = qhw.expect(*asked, **options)  # type: ignore[call-overload]
    sent = ibm[0].queue.accepted
    again = qhw.expect(*asked, **options)  # type: ignore[call-overload]
    assert again.run == first.run and ibm[0].queue.accepted == sent == 1
    np.testing.assert_array_equal(again.gradient, first.gradient)
    assert (np.abs(first.gradient - first.exact_gradient) < 0.1 + 5 * first.gradient_error).all()


SQUARED = QuantumCircuit(1)
SQUARED.ry(Parameter("s") ** 2, 0)


@pytest.mark.parametrize(
    ("circuit", "change", "said"),
    [
        (turned()[0], {"wrt": "u"}, "`wrt` must name parameters of the circuit"),
        (turned()[0], {"wrt": []}, "at least one"),
        (turned()[0], {"gradient": "adjoint"}, "`gradient`"),
        (turned()[0], {"gradient": None, "wrt": "t"}, "`wrt` must be left out"),
        (SQUARED, {}, "linear in, but s stands in"),
        (QuantumCircuit(1), {}, "without parameters"),
    ],
)
def test_bad_input_is_one_line(circuit: QuantumCircuit, change: dict, said: str) -> None:
    n = circuit.num_parameters
    with pytest.raises(ValueError, match=said) as caught:
        qhw.expect(
            circuit,
            [[0.3] * n] if n else None,
            "Z" * circuit.num_qubits,
            "exact",
            **{"shots": 10, "mitigation": "none", "gradient": "shift", **change},
        )
    assert "\n" not in str(caught.value)


def test_too_many_frequencies_are_refused() -> None:
    with pytest.raises(ShiftError, match="at most 500 frequencies"):
        frequencies([1.0 + 0.1 * np.sqrt(k) for k in range(12)])
