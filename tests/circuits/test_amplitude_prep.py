from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector

from qhw.circuits.amplitude_prep import tree_angle_count, tree_angles, tree_circuit


def prepare(angles: np.ndarray, n_wires: int) -> np.ndarray:
    parameters = [Parameter(f"a{i}") for i in range(tree_angle_count(n_wires))]
    circuit = tree_circuit(n_wires, parameters)
    return Statevector(circuit.assign_parameters(dict(zip(parameters, angles, strict=True)))).data


@given(st.integers(1, 4).flatmap(lambda m: arrays(float, 2**m, elements=st.floats(-1e3, 1e3))))
def test_any_real_vector_is_prepared_with_its_signs(a: np.ndarray) -> None:
    if np.abs(a).max() == 0:
        with pytest.raises(ValueError, match="row 0 cannot be normalised"):
            tree_angles(a[None])
        return
    unit = a / np.abs(a).max()
    unit = unit / np.linalg.norm(unit)
    state = prepare(tree_angles(a[None])[0], len(a).bit_length() - 1)
    np.testing.assert_allclose(state, unit, atol=1e-12)


@pytest.mark.parametrize("index", [0, 1, 64, 126])
def test_single_negative_amplitude_lands_on_its_own_index(index: int) -> None:
    a = np.zeros(128)
    a[index] = -2.0
    expected = np.zeros(128)
    expected[index] = -1.0
    np.testing.assert_allclose(prepare(tree_angles(a[None])[0], 7), expected, atol=1e-12)


def test_denormal_and_huge_rows_neither_vanish_nor_overflow() -> None:
    a = np.array([[3e-310, -4e-310, 0, 0], [3e300, -4e300, 0, 0]])
    angles = tree_angles(a)
    np.testing.assert_allclose(prepare(angles[1], 2), [0.6, -0.8, 0, 0], atol=1e-12)
    np.testing.assert_allclose(angles[0], angles[1], atol=1e-9)


def test_angles_of_empty_subtrees_are_zero_even_for_negative_zeros() -> None:
    np.testing.assert_array_equal(tree_angles(np.array([[1.0, -0.0, -0.0, -0.0]])), 0.0)


@pytest.mark.parametrize("n_wires", [1, 2, 5, 7])
def test_gate_count_is_two_to_the_m_minus_two(n_wires: int) -> None:
    circuit = tree_circuit(n_wires, [Parameter(f"a{i}") for i in range(2**n_wires - 1)])
    counts = circuit.count_ops()
    assert counts.get("cx", 0) == 2**n_wires - 2
    assert counts["ry"] == 2**n_wires - 1
    assert set(counts) <= {"cx", "ry"}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 4)), "row 0 cannot be normalised"),
        (np.array([[1.0, 0.0], [np.nan, 1.0]]), "must be finite, but row 1"),
        (np.array([[1.0, np.inf]]), "must be finite"),
        (np.ones((1, 3)), r"shape \(B, 2\*\*m\)"),
        (np.ones(4), r"shape \(B, 2\*\*m\)"),
        (np.ones((1, 1)), r"shape \(B, 2\*\*m\)"),
        (np.ones((1, 2), dtype=complex), "must be real"),
    ],
)
def test_bad_amplitudes_are_named(bad: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tree_angles(bad)


def test_wrong_number_of_parameters_is_named() -> None:
    with pytest.raises(ValueError, match="must have 7 entries for 3 wires, but has 1"):
        tree_circuit(3, [Parameter("a")])
