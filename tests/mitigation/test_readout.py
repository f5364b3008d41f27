"""Readout correction: bit order, exact inversion, asymmetric wires, pairs misread together."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.noise import apply_confusion
from calibration.readout import PairReadout, QubitReadout, ReadoutCalibration
from qhw.mitigation.base import MitigationError
from qhw.mitigation.calibrate import calibration_template
from qhw.mitigation.readout import Factors, confusion_factors, inverse, joint
from tests.mitigation.misread import DOWN, PAIR, UP, confusion_matrices


def singles(up: np.ndarray, down: np.ndarray) -> Factors:
    return {(w,): matrix for w, matrix in enumerate(confusion_matrices(up, down))}


def calibration(
    *pairs: PairReadout, up: np.ndarray = UP, down: np.ndarray = DOWN
) -> ReadoutCalibration:
    """Of device qubits 20, 21 and 22."""
    qubits = tuple(
        QubitReadout(qubit=20 + q, p10=u, p10_error=0.0, p01=d, p01_error=0.0)
        for q, (u, d) in enumerate(zip(up, down, strict=True))
    )
    return ReadoutCalibration(
        device="test", taken=datetime.now(UTC), shots=1, states=8, qubits=qubits, pairs=pairs
    )


def pair(qubits: tuple[int, int], matrix: np.ndarray, significance: float = 20.0) -> PairReadout:
    rows = tuple(map(tuple, matrix.tolist()))
    return PairReadout(
        qubits=qubits, matrix=rows, errors=rows, correlation=0.1, significance=significance
    )


def test_wire_0_is_the_most_significant_bit() -> None:
    whole = joint(singles(UP, DOWN))
    # Prepared |011>: wire 0 reads 1 with probability 0.01, wires 1 and 2 read 0 with 0.1 and 0.02.
    read = whole[:, 0b011]
    assert read[0b111] == pytest.approx(0.01 * 0.9 * 0.98)
    assert read[0b001] == pytest.approx(0.99 * 0.1 * 0.98)
    assert read[0b010] == pytest.approx(0.99 * 0.9 * 0.02)
    # Prepared |000>: only the 0 -> 1 rates appear.
    assert whole[0b100, 0] == pytest.approx(0.01 * 0.95 * 0.8)


def test_equals_the_kronecker_product_and_its_inverse() -> None:
    factors = singles(UP, DOWN)
    full = reduce(np.kron, factors.values())
    np.testing.assert_allclose(joint(factors), full, atol=1e-15)
    np.testing.assert_allclose(inverse(factors), np.linalg.inv(full), atol=1e-12)


@settings(max_examples=50)
@given(wires=st.integers(1, 7), seed=st.integers(0, 2**32 - 1))
def test_inverse_undoes_forward(wires: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    factors = singles(*rng.uniform(0, 0.35, size=(2, wires)))
    p = rng.dirichlet(np.full(2**wires, 0.3), size=3)
    read = apply_confusion(p, list(factors.values()))
    np.testing.assert_allclose(read @ inverse(factors).T, p, atol=1e-10)


def test_pairs_are_undone_wherever_their_wires_are() -> None:
    # qubits measured in another order than they were calibrated in: the pair is wires 1 and 2
    compiled = calibration_template(None, [22, 20, 21])
    known = calibration(pair((20, 21), PAIR))
    truth = np.kron([[0.8, 0.02], [0.2, 0.98]], PAIR)
    factors = confusion_factors(compiled, known)
    np.testing.assert_allclose(joint(factors), truth, atol=1e-12)
    np.testing.assert_allclose(inverse(factors) @ truth, np.eye(8), atol=1e-12)
    # apart, what is left of a distribution's error is the correlation
    apart = confusion_factors(compiled, known, pairs=False)
    assert np.abs(inverse(apart) @ truth - np.eye(8)).max() > 0.02


def test_pairs_that_are_products_correct_as_singles_do() -> None:
    compiled = calibration_template(None, [20, 21, 22])
    alone = confusion_factors(compiled, calibration())
    product = np.kron(alone[(2,)], alone[(0,)])
    together = confusion_factors(compiled, calibration(pair((22, 20), product)))
    assert sorted(together) == [(1,), (2, 0)]
    np.testing.assert_allclose(inverse(together), inverse(alone), atol=1e-12)


def test_what_cannot_be_inverted_is_named() -> None:
    compiled = calibration_template(None, [20, 21, 22])
    half = np.array([0.0, 0.5, 0.0])
    with pytest.raises(MitigationError, match="on wire 1 they add to 1"):
        confusion_factors(compiled, calibration(up=half, down=half))
    flipped = np.array([0.7, 0.0, 0.0])
    with pytest.raises(MitigationError, match=r"on wire 0 they add to 1\.3"):
        confusion_factors(compiled, calibration(up=flipped, down=flipped - [0.1, 0.0, 0.0]))
    with pytest.raises(MitigationError, match=r"condition number .* wires 0 and 2"):
        confusion_factors(compiled, calibration(pair((20, 22), np.full((4, 4), 0.25))))
    with pytest.raises(ValueError, match=r"among the calibrated \[20, 21, 22\], but holds \[3\]"):
        confusion_factors(calibration_template(None, [20, 3]), calibration())


def test_more_pairs_have_to_be_more_significant() -> None:
    """Three sigmas of one pair are 3.32 of three: the same chance of any false one."""
    doubtful = [pair(q, np.eye(4), 3.2) for q in ((20, 21), (20, 22), (21, 22))]
    assert calibration(*doubtful[:1]).correlated_pairs([20, 21, 22]) == doubtful[:1]
    known = calibration(*doubtful)
    assert known.correlated_pairs([20, 21, 22]) == []
    assert known.correlated_pairs([20, 22]) == doubtful[1:2]
