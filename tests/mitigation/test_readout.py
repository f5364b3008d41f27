"""Readout correction: bit order, exact inversion, asymmetric wires."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhw.mitigation.readout import apply_confusion, confusion_matrices, correct_readout

UP = np.array([0.01, 0.05, 0.2])
DOWN = np.array([0.03, 0.1, 0.02])
CONFUSION = confusion_matrices(UP, DOWN)


def test_wire_0_is_the_most_significant_bit() -> None:
    # Prepared |011>: wire 0 reads 1 with probability 0.01, wires 1 and 2 read 0 with 0.1 and 0.02.
    read = apply_confusion(np.eye(8)[0b011], CONFUSION)
    assert read[0b111] == pytest.approx(0.01 * 0.9 * 0.98)
    assert read[0b001] == pytest.approx(0.99 * 0.1 * 0.98)
    assert read[0b010] == pytest.approx(0.99 * 0.9 * 0.02)
    # Prepared |000>: only the 0 -> 1 rates appear.
    read = apply_confusion(np.eye(8)[0], CONFUSION)
    assert read[0b100] == pytest.approx(0.01 * 0.95 * 0.8)


def test_equals_the_kronecker_product() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(8), size=(2, 5))
    full = reduce(np.kron, CONFUSION)
    np.testing.assert_allclose(apply_confusion(p, CONFUSION), p @ full.T, atol=1e-15)
    noisy = np.random.default_rng(1).dirichlet(np.ones(8), size=4)
    np.testing.assert_allclose(
        correct_readout(noisy, CONFUSION).quasi, noisy @ np.linalg.inv(full).T, atol=1e-12
    )


@settings(max_examples=50, deadline=None)
@given(wires=st.integers(1, 7), seed=st.integers(0, 2**32 - 1))
def test_inverse_undoes_forward(wires: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    confusion = confusion_matrices(*rng.uniform(0, 0.35, size=(2, wires)))
    p = rng.dirichlet(np.full(2**wires, 0.3), size=3)
    out = correct_readout(apply_confusion(p, confusion), confusion)
    np.testing.assert_allclose(out.probabilities, p, atol=1e-10)
    assert (out.negative_mass < 1e-9).all()
    assert (out.distance < 1e-9).all()


def test_noisy_frequencies_leave_as_distributions() -> None:
    rng = np.random.default_rng(2)
    frequencies = rng.multinomial(200, apply_confusion(np.eye(8)[5], CONFUSION), size=10) / 200
    out = correct_readout(frequencies, CONFUSION)
    assert (out.quasi.min(axis=1) < 0).any()
    assert (out.probabilities >= 0).all()
    np.testing.assert_allclose(out.probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(out.quasi.sum(axis=1), 1.0)
    np.testing.assert_allclose(
        out.negative_mass, np.abs(np.minimum(out.quasi, 0)).sum(axis=1), atol=1e-15
    )
    np.testing.assert_allclose(
        out.distance, np.linalg.norm(out.quasi - out.probabilities, axis=1), atol=1e-15
    )
    # It helps: most of the lost weight comes back.
    assert 1 - out.probabilities[:, 5].mean() < 0.25 * (1 - frequencies[:, 5].mean())


def test_bad_arguments() -> None:
    p = np.full(8, 1 / 8)
    with pytest.raises(ValueError, match="on wire 1 they add to 1"):
        correct_readout(p, confusion_matrices([0.0, 0.5, 0.0], [0.0, 0.5, 0.0]))
    with pytest.raises(ValueError, match=r"on wire 0 they add to 1\.3"):
        correct_readout([0.5, 0.5], confusion_matrices([0.7], [0.6]))
    with pytest.raises(ValueError, match=r"2\*\*3 = 8 outcomes"):
        correct_readout([0.5, 0.5], CONFUSION)
    with pytest.raises(ValueError, match="columns"):
        apply_confusion(p, CONFUSION.swapaxes(1, 2))
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        confusion_matrices([np.nan], [0.1])
    with pytest.raises(ValueError, match="`p01` must match"):
        confusion_matrices([0.1, 0.2], [0.1])
    with pytest.raises(ValueError, match="sum to 1"):
        correct_readout(p * 2, CONFUSION)
