"""Metrics: known values, bounds and inequalities between them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr

from qhw.analysis.scores import metrics

P, Q = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.25, 0.25, 0.25, 0.25])


def test_known_values() -> None:
    assert metrics.total_variation(P, Q) == pytest.approx(0.5)
    assert metrics.hellinger_fidelity(P, Q) == pytest.approx(0.5)
    assert metrics.hellinger_distance(P, Q) == pytest.approx(np.sqrt(1 - np.sqrt(0.5)))
    assert metrics.kl_divergence(P, Q) == pytest.approx(np.log(2))
    assert metrics.kl_divergence(Q, P) == np.inf
    assert metrics.mean_direction_angle([1, 0], [1, 1]) == pytest.approx(45)


def test_smoothed_kl() -> None:
    # (8 * 0.5 + 1/2) / (8 + 2) = 0.45 and 0.5 / 10 = 0.05.
    expected = 0.5 * np.log(0.25 / 0.45) + 0.5 * np.log(0.25 / 0.05)
    assert metrics.kl_divergence(Q, P, shots=8) == pytest.approx(expected)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), bins=st.integers(1, 40), sparse=st.booleans())
def test_inequalities(seed: int, bins: int, sparse: bool) -> None:
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.full(bins, 0.05 if sparse else 2.0), size=(2, 3))
    tv, fidelity = metrics.total_variation(p, q), metrics.hellinger_fidelity(p, q)
    distance, kl = metrics.hellinger_distance(p, q), metrics.kl_divergence(p, q)
    np.testing.assert_allclose(distance**2, 1 - np.sqrt(fidelity), atol=1e-12)
    assert (distance**2 <= tv + 1e-12).all()
    assert (tv <= np.sqrt(1 - fidelity) + 1e-7).all()
    assert (kl >= 2 * tv**2 - 1e-12).all()  # Pinsker
    np.testing.assert_allclose(kl, rel_entr(p, q).sum(axis=-1), rtol=1e-9, atol=1e-12)
    for metric in (metrics.total_variation, metrics.hellinger_distance, metrics.kl_divergence):
        np.testing.assert_allclose(metric(p, p), 0.0, atol=1e-12)


def test_fidelity_is_the_overlap_of_square_roots() -> None:
    a, b = np.abs(np.random.default_rng(0).standard_normal((2, 16)))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    assert metrics.hellinger_fidelity(a**2, b**2) == pytest.approx((a @ b) ** 2)


def test_angles_small_large_and_unscaled() -> None:
    tiny = 1e-9
    mu = np.array([[1.0, 0.0], [1.0, 0.0]])
    hat = np.array([[3 * np.cos(tiny), 3 * np.sin(tiny)], [-1.0, 0.0]])
    np.testing.assert_allclose(
        metrics.mean_direction_angle(mu, hat), [np.degrees(tiny), 180.0], rtol=1e-6
    )


def test_skill_score() -> None:
    error = np.array([0.1, 0.3])
    baselines = np.array([[0.4, 0.4], [0.9, 0.1]])
    assert metrics.skill_score(error, baselines) == pytest.approx(0.5)
    assert metrics.skill_score(baselines[0], baselines) == 0.0
    assert metrics.skill_score([0.0, 0.0], baselines) == 1.0
    assert metrics.skill_score([0.8, 0.8], baselines) == pytest.approx(-1.0)
    # The best baseline is chosen for each batch entry.
    batch = metrics.skill_score(
        [[0.1, 0.1], [0.1, 0.1]], [[[0.2, 0.2]] * 2, [[0.4, 0.4], [0.1, 0.1]]]
    )
    np.testing.assert_allclose(batch, [0.5, 0.0])


def test_broadcasting() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=(5, 3))
    for metric in (metrics.total_variation, metrics.hellinger_fidelity, metrics.kl_divergence):
        assert metric(p, Q).shape == (5, 3)


def test_bad_arguments() -> None:
    for bad, message in (
        ([0.5, 0.6], "sum to 1"),
        ([1.5, -0.5], "non-negative"),
        ([np.nan, 1.0], "finite"),
        ([0.5, 0.25, 0.25], "as many entries as"),
    ):
        with pytest.raises(ValueError, match=message):
            metrics.total_variation([0.5, 0.5], bad)
    with pytest.raises(ValueError, match="`shots` must be"):
        metrics.kl_divergence(P, Q, shots=0)
    with pytest.raises(ValueError, match="zero vector"):
        metrics.mean_direction_angle([0.0, 0.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="positive mean"):
        metrics.skill_score([0.1], [[0.0]])
    with pytest.raises(ValueError, match="`baseline_errors` must be"):
        metrics.skill_score([0.1, 0.2], [0.1, 0.2])
    with pytest.raises(ValueError, match="finite and non-negative"):
        metrics.skill_score([-0.1], [[0.1]])
