"""On public results: what smaller circuits of the same day are worth for a larger one."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from statistics import median

import pytest

from calibration.catalog import load_snapshot
from calibration.fitted import fitted_to_counts
from qhw.analysis.validate.interval import interval_for, judged_as, noise_factors
from qhw.analysis.validate.probed import probed_results
from qhw.analysis.validate.records import shipped_results


@pytest.fixture(scope="module")
def rows():
    return probed_results(shipped_results())


def test_probes_take_two_fifths_off_the_error_of_larger_circuits(rows):
    before, after = (median(getattr(r, name) for r in rows) for name in ("error", "error_left"))
    assert len(rows) == 56
    assert (round(before, 3), round(after, 3)) == (0.276, 0.114)
    assert after <= 0.6 * before
    for device in {row.record.device for row in rows}:
        own = [row for row in rows if row.record.device == device]
        assert median(r.error_left for r in own) < 0.6 * median(r.error for r in own)


def test_only_smaller_circuits_of_the_same_day_are_looked_at(rows):
    for row in rows:
        assert 2 <= len(row.probes) <= 3
        assert max(row.probes) < row.record.circuit.n
        noise = math.exp(math.log(row.predicted) * row.fit.factor * row.factor_left)
        assert row.record.signal(row.record.measured) == pytest.approx(noise)


def test_a_fitted_model_is_judged_by_fitted_models():
    base = load_snapshot("ibm_fez")
    fitted = fitted_to_counts(base, 2.0, taken=datetime.now(UTC), counts="probes")
    assert judged_as(base) == "ibm"
    plain, after = noise_factors(judged_as(base)), noise_factors(judged_as(fitted))
    assert (after.n, after.devices, after.vendor) == (56, 4, "IBM")
    assert math.log(after.high / after.low) < 0.75 * math.log(plain.high / plain.low)
    assert interval_for(judged_as(fitted), 0.5).low > interval_for("IBM", 0.5).low
    assert noise_factors("iqm fitted") is None
