"""Bootstrap intervals: coverage, agreement with scipy, degenerate samples."""

import numpy as np
import pytest
from scipy import stats

from qhw.analysis.scores.bootstrap import always_something_to_beat, mean_interval, skill_interval


def test_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(1.5, size=35)
    ours = mean_interval(values, np.random.default_rng(1), resamples=20000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.value == pytest.approx(values.mean())
    assert abs(ours.low - theirs.low) < 0.03 * width
    assert abs(ours.high - theirs.high) < 0.03 * width


def test_skill_agrees_with_scipy() -> None:
    rng = np.random.default_rng(3)
    error, baselines = rng.gamma(2.0, 0.05, size=35), rng.gamma(4.0, 0.1, size=(2, 35))
    ours = skill_interval(error, baselines, np.random.default_rng(1), resamples=20000)
    theirs = stats.bootstrap(
        (error, *baselines),
        lambda e, *b, axis: 1 - e.mean(axis) / np.min([x.mean(axis) for x in b], axis=0),
        paired=True,
        vectorized=True,
        n_resamples=20000,
        method="BCa",
        rng=np.random.default_rng(2),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert abs(ours.low - theirs.low) < 0.04 * width
    assert abs(ours.high - theirs.high) < 0.04 * width
    assert ours.low < ours.value < ours.high


def test_coverage() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(400):
        interval = mean_interval(rng.exponential(size=30), rng, level=0.9, resamples=500)
        covered += interval.low <= 1.0 <= interval.high
    # Nominal 90 %; skewed samples of 30 lose a few points; binomial error 1.5 %.
    assert 0.83 < covered / 400 < 0.95


@pytest.mark.parametrize("latents", [2, 3, 5, 10])
def test_coverage_of_few_latents(latents: int) -> None:
    """A bootstrap alone covers 50, 71, 83 and 89 %."""
    rng = np.random.default_rng(5)
    mean = skill = 0
    for _ in range(500):
        values = rng.normal(1.0, 0.3, size=latents)
        found = mean_interval(values, rng, resamples=200)
        mean += found.low <= 1.0 <= found.high
        shared = rng.lognormal(0.0, 0.2, size=latents)
        error, first, second = shared * rng.lognormal(0.0, 0.2, size=(3, latents))
        # equal spread, so a ratio of means is that of the factors
        found = skill_interval(
            0.1 * error, np.stack([0.4 * first, 0.8 * second]), rng, resamples=200
        )
        skill += found.low <= 0.75 <= found.high <= 1.0
    # binomial error 1 %
    assert 0.92 < mean / 500 < 0.99
    assert 0.92 < skill / 500 < 0.99


def test_few_latents_by_hand() -> None:
    values = np.array([0.2, 0.5, 0.3])
    half = stats.t.ppf(0.95, 2) * values.std(ddof=1) / np.sqrt(3)
    found = mean_interval(values, np.random.default_rng(0), level=0.9)
    assert (found.low, found.high) == pytest.approx((1 / 3 - half, 1 / 3 + half))
    cut = mean_interval(values, np.random.default_rng(0), within=(0.1, 0.6))
    assert (cut.low, cut.high) == (0.1, 0.6)


def test_a_baseline_that_few_latents_may_leave_without_error() -> None:
    exact_on_one = np.array([[0.0, 0.5, 0.6], [0.1, 0.1, 0.1]])
    assert not always_something_to_beat(exact_on_one)
    assert not always_something_to_beat(exact_on_one[:, 1:] - 0.1)
    assert always_something_to_beat(exact_on_one[:, 1:])
    rounded = np.array([[2e-16, 1e-8, 3e-17], [0.1, 0.1, 0.1]])  # 1e-8: sqrt(1 - fidelity)
    assert not always_something_to_beat(rounded)
    with pytest.raises(ValueError, match="no more than rounding"):
        skill_interval(np.full(3, 0.05), rounded, np.random.default_rng(0))
    many = np.tile(exact_on_one, 20)
    assert always_something_to_beat(many)
    found = skill_interval(np.full(60, 0.05), many, np.random.default_rng(0))
    assert found.low == found.value == pytest.approx(0.5)


def test_wider_level_wider_interval_and_seed() -> None:
    values = np.random.default_rng(0).normal(size=20)
    narrow, wide, again = (
        mean_interval(values, np.random.default_rng(1), level=level) for level in (0.5, 0.99, 0.99)
    )
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide == again


def test_constant_sample() -> None:
    interval = mean_interval([0.3, 0.3, 0.3], np.random.default_rng(0))
    assert interval.low == interval.value == interval.high


def test_large_samples_are_drawn_in_chunks() -> None:
    values = np.random.default_rng(0).normal(size=30000)
    interval = mean_interval(values, np.random.default_rng(1), resamples=100)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 / np.sqrt(30000), rel=0.3)


def test_bad_arguments() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="K >= 2"):
        mean_interval([1.0], rng)
    with pytest.raises(ValueError, match="`values` must be finite"):
        mean_interval([1.0, np.inf], rng)
    with pytest.raises(ValueError, match="`level` must be in"):
        mean_interval([1.0, 2.0], rng, level=95)
    with pytest.raises(ValueError, match="`resamples` must be"):
        mean_interval([1.0, 2.0], rng, resamples=10)
    with pytest.raises(ValueError, match="`baseline_errors` must be"):
        skill_interval([0.1, 0.2], [0.1, 0.2], rng)
