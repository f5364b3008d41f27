from __future__ import annotations

import pytest

from qhw.analysis.compare.result import Estimate
from qhw.report.format import interval


@pytest.mark.parametrize(
    ("low", "high", "as_percent", "told"),
    [
        (0.041, 0.0435, False, "0.0410 to 0.0435"),
        (0.2831, 0.3, False, "0.283 to 0.300"),
        (0.97, 0.9731, True, "97.0 % to 97.3 %"),
        (99.51, 101.3, False, "99.5 to 101"),
        (0.0, 0.0123, False, "0 to 0.0123"),
        (0.00012, 12.3, False, "0.000120 to 12.3"),
        (0.0611, 0.136, False, "0.0611 to 0.136"),
        (0.0, 1.0, True, "0 % to 100 %"),
        (1.0, 2.0, False, "1 to 2"),
    ],
)
def test_both_ends_of_an_interval_are_as_exact(
    low: float, high: float, as_percent: bool, told: str
) -> None:
    assert interval(Estimate(value=low, low=low, high=high), as_percent=as_percent) == told
