"""Intervals of real devices about what a model predicts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qhw.analysis.validate.interval import (
    distance_interval_of_success,
    distance_with,
    factors_of,
    interval_for,
    interval_of_distance,
    noise_factors,
    untimed_warning,
    usable,
    words,
)
from qhw.analysis.validate.records import shipped_results


def test_the_shortest_interval_of_known_numbers():
    # nine of ten logarithms are wanted of one more than there are: all but the outlier
    values = np.exp([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 5.0])
    assert factors_of(values, 0.8) == pytest.approx((1.0, math.exp(0.8)))


def test_ibm_is_as_wide_as_the_study_allows_and_the_median_error_is_known():
    found = noise_factors("IBM")
    assert (found.n, found.devices) == (108, 4)
    assert (found.low, found.high) == pytest.approx((0.815, 2.785), abs=0.01)
    assert math.log(found.high / found.low) <= 1.1 * math.log(2.78 / 0.85)
    records = [r for r in shipped_results().records if r.predicted]
    errors = [
        abs(math.log(r.signal(r.measured) / r.signal(r.predicted.value)))
        for r in records
        if r.unfit(r.predicted.value) is None
    ]
    assert len(errors) == 124
    assert np.median(errors) <= 0.16


def test_three_quarters_to_85_percent_of_a_left_out_device_is_inside():
    rows = [row for row in usable(shipped_results()) if row[0] == "IBM"]
    inside = 0
    for device in {row[1] for row in rows}:
        low, high = factors_of([row[3] for row in rows if row[1] != device])
        inside += sum(low <= row[3] <= high for row in rows if row[1] == device)
    assert 0.75 <= inside / len(rows) <= 0.85


def test_words_and_ends_of_a_success():
    found, factors = interval_for("ibm", 0.62), noise_factors("ibm")
    assert found.low == pytest.approx(0.62**factors.high)
    assert found.high == pytest.approx(0.62**factors.low)
    assert words(found) == "on real IBM devices 0.26 to 0.68 (80 %, N = 108)"
    assert "one device" in words(interval_for("iqm", 0.62))


def test_nothing_public_is_said_so():
    for vendor in ("rigetti", "ionq", "aqt", "quantinuum", None):
        assert interval_for(vendor, 0.5) is None
        assert words(interval_for(vendor, 0.5)) == "no public result to judge by"


def test_a_distance_is_scaled_between_0_and_that_of_the_uniform_distribution():
    assert distance_with(1.0, 0.1, 0.5) == pytest.approx(0.1)
    assert distance_with(2.0, 0.1, 0.5) == pytest.approx(0.5 * (1 - 0.8**2))
    assert interval_of_distance("ibm", 0.6, 0.5) is None  # worse than uniform already
    simulated = interval_of_distance("ibm", 0.5 * (1 - 0.62), 0.5)
    of_success = distance_interval_of_success("ibm", 0.62, 0.5)
    assert simulated.low == pytest.approx(of_success.low)
    assert simulated.high == pytest.approx(of_success.high)


def test_a_deep_circuit_without_gate_times_is_warned_of():
    assert untimed_warning(1e-6, 500) is None
    assert untimed_warning(0.0, 20) is None
    assert "500 two-qubit gates" in untimed_warning(0.0, 500)


def test_a_success_beyond_1_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        interval_for("ibm", 1.5)
