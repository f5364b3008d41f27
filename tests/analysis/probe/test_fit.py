"""One factor from circuits of known answer: closed forms, and how often its interval is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhw.analysis.probe.fit import Probed, fit_noise

SIGNALS = (0.93, 0.86, 0.7)


def _counted(predicted: float, factor: float, shots: int, width: int = 4) -> Probed:
    floor = 2.0**-width
    right = round(shots * (floor + (1 - floor) * predicted**factor))
    return Probed(predicted, floor, right, shots)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 4.0))
def test_circuits_without_shot_noise_give_the_factor_itself(factor):
    fit = fit_noise([_counted(s, factor, 10**9) for s in SIGNALS], 0.8)
    assert fit.factor == pytest.approx(factor, rel=1e-5)
    assert fit.low < factor < fit.high
    assert fit.scatter < 0.1


def test_no_noise_measured_is_a_factor_of_nearly_none():
    fit = fit_noise([_counted(s, 0.0, 4000) for s in SIGNALS], 0.8)
    assert 0 <= fit.low <= fit.factor < 0.01


def test_weights_follow_what_shots_tell():
    """Two circuits that disagree: by hand the slope through the origin, weighted by 1/sigma^2."""
    far, near = Probed(0.5, 0.0, 2500, 10_000), Probed(0.5, 0.0, 50, 100)
    fit = fit_noise([far, near], 0.8)
    weights = [n / ((1 - p) / p) for n, p in ((10_000, 0.25), (100, 0.5))]
    by_hand = np.average([2.0, 1.0], weights=weights)
    assert fit.factor == pytest.approx(by_hand, rel=2e-3)
    assert fit.scatter > 3
    assert fit.high - fit.low > 1


def test_at_the_floor_a_circuit_says_little():
    lost = Probed(0.4, 2.0**-5, 128, 4096)
    fit = fit_noise([_counted(0.9, 1.5, 4096), _counted(0.85, 1.5, 4096), lost], 0.8)
    assert fit.factor == pytest.approx(1.5, rel=0.1)


def test_too_few_or_noiseless_circuits_give_no_factor():
    assert fit_noise([_counted(0.9, 1.0, 100)], 0.8) is None
    assert fit_noise([_counted(1.0, 1.0, 100)] * 3, 0.8) is None


def test_the_interval_holds_the_factor_as_often_as_it_says():
    rng, hits = np.random.default_rng(5), 0
    for _ in range(400):
        seen = []
        for signal in SIGNALS:
            share = 1 / 16 + 15 / 16 * signal**1.7
            seen.append(Probed(signal, 1 / 16, int(rng.binomial(4096, share)), 4096))
        fit = fit_noise(seen, 0.8)
        hits += fit.low <= 1.7 <= fit.high
    assert hits / 400 > 0.76  # never shorter than shots alone make it, so rather longer
