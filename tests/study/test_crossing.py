from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qhw.study.crossing import crossing

SCALES = np.array([0.0, 0.5, 1.0, 2.0])


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


@given(slope=st.floats(0.05, 5), start=st.floats(0, 0.2), level=st.floats(0.3, 0.9))
def test_straight_lines_cross_where_algebra_says(slope: float, start: float, level: float) -> None:
    tvd = np.repeat((start + slope * SCALES)[:, None], 6, axis=1)
    # two constants, the better one counts
    found = crossing(SCALES, tvd, np.stack([np.full(6, level), np.full(6, 2.0)]), _rng())
    wanted = (level - start) / slope
    assume(abs(wanted - SCALES[-1]) > 1e-9)  # on the very end, rounding decides
    if wanted >= SCALES[-1]:
        assert found.state == "above"
        assert found.scale is None
    else:
        assert found.state == "crosses"
        assert found.scale == pytest.approx(wanted, abs=1e-9)
        # equal rows leave nothing to resample
        assert found.low == pytest.approx(wanted, abs=1e-9)
        assert found.high == pytest.approx(wanted, abs=1e-9)


def test_worse_from_the_start() -> None:
    found = crossing(SCALES, np.full((4, 5), 0.6), np.full((2, 5), 0.5), _rng())
    assert found.state == "below"
    assert "already at 0" in found.words


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits, tries = 0, 150
    for _ in range(tries):
        # distance grows as 0.4 s on average, baseline 0.4: they meet at 1
        slopes = rng.normal(0.4, 0.1, size=40)
        level = rng.normal(0.4, 0.1, size=(1, 40))
        found = crossing(SCALES, SCALES[:, None] * slopes, level, rng)
        assert found.low is not None
        hits += found.low <= 1 and (found.high is None or found.high >= 1)
    assert 0.88 <= hits / tries <= 0.995


@pytest.mark.parametrize("latents", [2, 4])
def test_interval_of_few_latents_covers_the_truth(latents: int) -> None:
    """A bootstrap alone covers 50 and 80 %."""
    rng = np.random.default_rng(3)
    hits, tries = 0, 300
    for _ in range(tries):
        slopes = rng.normal(0.4, 0.02, size=latents)
        level = rng.normal(0.4, 0.02, size=(1, latents))
        found = crossing(SCALES, SCALES[:, None] * slopes, level, rng)
        low = -np.inf if found.low is None else found.low
        hits += low <= 1 and (found.high is None or found.high >= 1)
    assert 0.91 <= hits / tries <= 0.99


def test_ends_beyond_the_scales_are_said_so() -> None:
    rng = np.random.default_rng(2)
    slopes = rng.normal(0.26, 0.12, size=12)
    found = crossing(SCALES, SCALES[:, None] * slopes, np.full((1, 12), 0.5), rng)
    assert found.state == "crosses"
    assert found.high is None
    assert "over 2" in found.words


def test_too_little_to_say_anything() -> None:
    assert crossing(SCALES[:1], np.ones((1, 5)), np.ones((1, 5)), _rng()).state == "unknown"
    assert crossing(SCALES, np.ones((4, 1)), np.ones((1, 1)), _rng()).words == ""
