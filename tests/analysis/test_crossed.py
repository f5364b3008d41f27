"""Means over rows and repeats: variances that hold, and differences that are found."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t as student

from qhw.analysis.bench.pipelines import holm
from qhw.analysis.scores.crossed import crossed_mean, paired_difference, paired_ratio

K, R, TIMES = 12, 5, 2000


def _tables(rows: float, repeats: float, rest: float) -> NDArray[np.float64]:
    """Tables ``(TIMES, K, R)`` of mean 1 with effects of these standard deviations."""
    rng = np.random.default_rng(3)
    return (
        1
        + rows * rng.normal(size=(TIMES, K, 1))
        + repeats * rng.normal(size=(TIMES, 1, R))
        + rest * rng.normal(size=(TIMES, K, R))
    )


@pytest.mark.parametrize("effects", [(1.0, 0.5, 0.3), (1.0, 0.0, 0.3), (0.2, 0.6, 0.1)])
def test_error_is_the_spread_of_the_mean(effects: tuple[float, float, float]) -> None:
    found = [crossed_mean(table) for table in _tables(*effects)]
    spread = np.std([f.value for f in found])
    expected = np.sqrt(effects[0] ** 2 / K + effects[1] ** 2 / R + effects[2] ** 2 / (K * R))
    assert spread == pytest.approx(expected, rel=0.05)
    assert np.sqrt(np.mean([f.error**2 for f in found])) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("effects", [(1.0, 0.0, 0.3), (1.0, 0.5, 0.3), (0.0, 0.0, 1.0)])
def test_no_difference_is_found_as_often_as_said(effects: tuple[float, float, float]) -> None:
    p = [paired_difference(table, np.ones((K, R)))[1] for table in _tables(*effects)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.07


U = np.array([1.0, 1.0, -1.0, -1.0])
V = np.array([1.0, -1.0, 1.0, -1.0])
W = np.array([1.0, -1.0])


@pytest.mark.parametrize(
    ("rows", "repeats", "variance", "freedom"),
    # squares of 4 rows x 2 repeats: rows 8 a^2 / 3, repeats 8 b^2, the rest 8 / 3
    [
        (0.1, 0.0, 1.01 / 7, 7),  # neither effect: the plain variance of eight numbers
        (0.0, 0.1, 1.01 / 7, 7),
        (2.0, 0.0, 4 / 3, 3),  # rows alone
        (0.5, 2.0, 4.0, 1),  # repeats alone
        (2.0, 2.0, 5.0, 40**2 / ((32 / 3) ** 2 / 3 + 32**2 + (8 / 3) ** 2 / 3)),
    ],
)
def test_table_made_of_known_squares(
    rows: float, repeats: float, variance: float, freedom: float
) -> None:
    table = 0.7 + rows * V[:, None] + repeats * W + U[:, None] * W
    found, p = paired_difference(table, np.zeros((4, 2)))
    assert found.value == pytest.approx(0.7)
    assert found.error == pytest.approx(np.sqrt(variance))
    assert p == pytest.approx(2 * student.sf(0.7 / np.sqrt(variance), freedom))


def test_pairs_find_what_rows_hide() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(K, 1)) + 5
    first, second = rows + 0.01 * rng.normal(size=(2, K, R)) + np.array([0.05, 0.0])[:, None, None]
    found, p = paired_difference(first, second)
    assert abs(found.value - 0.05) < 5 * found.error < 0.05
    assert p < 1e-6
    assert paired_difference(first, first) == (found.model_copy(update={"value": 0, "error": 0}), 1)


def test_ratio_of_proportional_tables_is_certain() -> None:
    table = np.random.default_rng(1).uniform(1, 2, (K, R))
    found = paired_ratio(3 * table, table)
    assert found.value == pytest.approx(3)
    assert found.error == pytest.approx(0, abs=1e-12)


def test_holm_against_its_definition() -> None:
    # 0.01 <= .05/4, 0.02 > .05/3: the second falls only where fewer are asked
    assert holm({"a": 0.01, "b": 0.02, "c": 0.6, "d": 0.7}) == {"a"}
    assert holm({"a": 0.01, "b": 0.02, "c": 0.6}) == {"a", "b"}
    assert holm({"a": 0.06}) == set()


def test_one_repeat_is_refused() -> None:
    with pytest.raises(ValueError, match="two or more of both"):
        crossed_mean(np.ones((5, 1)))
