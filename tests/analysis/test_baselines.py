"""Baselines and the shot floor."""

import itertools
from math import factorial

import numpy as np
import pytest

from qhw.analysis.scores import baselines, metrics


def exact(rows: int = 6, bins: int = 16) -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.full(bins, 0.5), size=rows)


def test_uniform_and_prior_mean() -> None:
    p = exact()
    assert (baselines.uniform(p) == 1 / 16).all()
    prior = baselines.prior_mean(p)
    for i in range(len(p)):
        np.testing.assert_allclose(prior[i], np.delete(p, i, axis=0).mean(axis=0), atol=1e-15)


def test_prior_mean_does_not_see_its_own_latent() -> None:
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert np.array_equal(baselines.prior_mean(p), p[::-1])


@pytest.mark.parametrize("shots", [1, 2, 5])
def test_floor_by_enumeration(shots: int) -> None:
    p = np.array([0.6, 0.3, 0.1, 0.0])
    expected = 0.0
    for counts in itertools.product(range(shots + 1), repeat=4):
        if sum(counts) == shots:
            ways = factorial(shots) / np.prod([factorial(c) for c in counts])
            weight = ways * np.prod(p ** np.array(counts))
            expected += weight * 0.5 * np.abs(np.array(counts) / shots - p).sum()
    assert baselines.shot_floor_total_variation(p, shots) == pytest.approx(expected)


@pytest.mark.parametrize("shots", [20, 1000, 100_000])
def test_floor_against_simulation(shots: int) -> None:
    p, rng = exact(), np.random.default_rng(1)
    simulated = np.mean(
        [metrics.total_variation(p, rng.multinomial(shots, p) / shots) for _ in range(400)], axis=0
    )
    floor = baselines.shot_floor(p, shots, np.random.default_rng(2))
    np.testing.assert_allclose(floor.total_variation, simulated, rtol=0.06)
    # 1 - fidelity is half the squared angle... to first order: sum g - 1 over 4N, at most (D-1)/4N.
    if shots == 100_000:
        bound = (p.shape[1] - 1) / (4 * shots)
        np.testing.assert_allclose(1 - floor.hellinger_fidelity, bound, rtol=0.25)
        # KL between p and its frequencies: (D-1)/2N.
        np.testing.assert_allclose(floor.kl_divergence, 2 * bound, rtol=0.25)
    assert (floor.hellinger_distance > 0).all()


def test_a_certain_outcome_has_no_floor() -> None:
    floor = baselines.shot_floor([[0.0, 1.0]], 10, np.random.default_rng(0))
    assert floor.total_variation[0] == 0.0
    assert floor.hellinger_fidelity[0] == 1.0


def test_same_seed_same_floor() -> None:
    first, second = (
        baselines.shot_floor(exact(), 100, np.random.default_rng(3), repeats=4) for _ in range(2)
    )
    assert np.array_equal(first.kl_divergence, second.kl_divergence)


def test_bad_arguments() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="K >= 2"):
        baselines.prior_mean(exact(1))
    with pytest.raises(ValueError, match="`shots` must be"):
        baselines.shot_floor(exact(), 0, rng)
    with pytest.raises(ValueError, match="`repeats` must be"):
        baselines.shot_floor(exact(), 10, rng, repeats=0)
