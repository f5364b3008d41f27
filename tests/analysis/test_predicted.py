"""What is predicted before a job is sent: the formulas, and the judgement after."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhw.analysis.compare.noise_interval import NoiseInterval
from qhw.analysis.compare.predicted import Prediction, _distances, at_noise, judged
from qhw.analysis.scores.baselines import expected_total_variation, shot_floor_total_variation

EXACT = np.array([[0.5, 0.0, 0.1, 0.4], [0.1, 0.2, 0.3, 0.4]])
PREDICTED = np.array([[0.4, 0.1, 0.2, 0.3], [0.2, 0.2, 0.3, 0.3]])


@pytest.mark.parametrize("shots", [1, 7, 100, 5000])
def test_expected_distance_is_that_of_drawn_shots(shots: int) -> None:
    rng = np.random.default_rng(1)
    drawn = rng.multinomial(shots, PREDICTED[0], size=20_000) / shots
    distances = 0.5 * np.abs(drawn - EXACT[0]).sum(axis=1)
    error = distances.std() / np.sqrt(len(distances))
    found = expected_total_variation(PREDICTED[0], EXACT[0], shots)
    assert found == pytest.approx(distances.mean(), abs=4.5 * error)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=8),
    st.integers(1, 10**6),
)
def test_expected_distance_to_itself_is_the_shot_floor(weights: list[float], shots: int) -> None:
    p = np.array(weights) / sum(weights)
    floor = shot_floor_total_variation(p, shots)
    assert expected_total_variation(p, p, shots) == pytest.approx(float(floor), rel=1e-5, abs=1e-9)


def test_noise_is_a_power_of_the_signal() -> None:
    """Twice the noise of a depolarising channel that keeps s: s squared is kept."""
    q = np.array([0.7, 0.1, 0.1, 0.1])
    for s in (0.9, 0.5):
        once, twice = (0.5 * np.abs(k * q + (1 - k) / 4 - q).sum() for k in (s, s**2))
        uniform = 0.5 * np.abs(q - 0.25).sum()
        assert at_noise(once, 0.0, uniform, 2.0) == pytest.approx(twice)
        assert at_noise(once, 0.0, uniform, 1.0) == pytest.approx(once)
    assert at_noise(0.5, 0.1, 0.4, 3.0) == 0.5  # no signal is left to lose


def prediction(**changed: object) -> Prediction:
    values = {
        "role": "circuit",
        "made": datetime(2026, 11, 28, tzinfo=UTC),
        "version": "0.1.0",
        "device": "mine",
        "taken": None,
        "snapshot_sha256": "0" * 64,
        "qubits": (0, 1),
        "shots": 1000,
        "rows": 2,
        "predicted_success": 0.8,
        "exact": EXACT.tolist(),
        "predicted": PREDICTED.tolist(),
        "tvd_floor": 0.02,
        "tvd": 0.15,
        "tvd_uniform": 0.35,
        "interval": NoiseInterval(low=0.5, high=2.0, level=0.8, results=9),
    }
    return Prediction.model_validate(values | changed)


@pytest.mark.parametrize(("mixed", "inside"), [(0.0, False), (0.4, True), (1.0, False)])
def test_measured_inside_or_outside(mixed: float, inside: bool) -> None:
    """Counts between exact and uniform; the interval by hand from signals."""
    counts = np.rint(1000 * ((1 - mixed) * EXACT + mixed / 4)).astype(np.int64)
    told = prediction()
    found = judged(told.to_bytes(), [0, 1], counts, EXACT)
    signal = (0.35 - 0.15) / (0.35 - 0.02)
    assert found.interval is not None and found.measured is not None
    assert found.interval.low == pytest.approx(0.35 - 0.33 * signal**0.5)
    assert found.interval.high == pytest.approx(0.35 - 0.33 * signal**2.0)
    assert found.measured == pytest.approx(mixed * 0.3, abs=2e-3)
    assert found.inside is inside


def test_rows_that_failed_are_left_out_on_both_sides() -> None:
    counts = np.rint(1000 * EXACT[1:]).astype(np.int64)
    found = judged(prediction().to_bytes(), [1], counts, EXACT[1:])
    assert found.rows == 1 and found.measured == pytest.approx(0.0)
    alone = expected_total_variation(PREDICTED[1], EXACT[1], 1000)
    assert found.predicted == pytest.approx(float(alone))


def test_without_public_results_nothing_is_claimed() -> None:
    found = judged(prediction(interval=None).to_bytes(), [0, 1], np.full((2, 4), 250), EXACT)
    assert (found.interval, found.inside, found.predicted) == (None, None, 0.15)


def test_a_later_version_is_refused() -> None:
    with pytest.raises(ValueError, match="schema_version 1 to 2, but has 3"):
        Prediction.from_bytes(prediction(schema_version=3).to_bytes())


def test_few_shots_widen_the_interval_by_what_they_scatter() -> None:
    """Many experiments of the model itself lie inside as often as the interval says, or more."""
    shots, rng = 300, np.random.default_rng(8)
    told = prediction(shots=shots, **_distances(EXACT, PREDICTED, shots))
    narrow = told.model_copy(
        update={"interval": NoiseInterval(low=1, high=1, level=0.8, results=9)}
    )
    counts = [np.array([rng.multinomial(shots, p) for p in PREDICTED]) for _ in range(300)]
    inside = [judged(narrow.to_bytes(), [0, 1], one, EXACT).inside for one in counts]
    assert 0.72 < np.mean(inside) < 0.88
    assert told.expected.low < narrow.expected.low < narrow.expected.high < told.expected.high
