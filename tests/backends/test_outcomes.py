from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.outcomes import DENSE_BITS, Outcomes, columns, count_shots, pack_bits, stacked, union


@given(st.integers(1, 130), st.data())
def test_integers_bits_and_bytes_are_the_same_outcome(bits: int, data: st.DataObject) -> None:
    values = sorted(data.draw(st.sets(st.integers(0, 2**bits - 1), min_size=1, max_size=20)))
    outcomes = Outcomes.of_integers(values, bits)
    assert outcomes.integers() == values
    written = ["".join(map(str, row)) for row in outcomes.bits()]
    assert [int(word, 2) for word in written] == values
    np.testing.assert_array_equal(pack_bits(outcomes.bits()), outcomes.packed)


def test_shots_are_counted_by_row_and_outcome() -> None:
    rng = np.random.default_rng(0)
    shots = [rng.integers(0, 2, (300, 70), dtype=np.uint8) * (np.arange(70) > 65) for _ in range(3)]
    shots[1] = shots[1][:0]
    outcomes, counts = count_shots([pack_bits(one.astype(np.uint8)) for one in shots], 70)
    assert counts.sum(axis=1).tolist() == [300, 0, 300]
    for row in (0, 2):
        words = ["".join(map(str, bits)) for bits in shots[row]]
        for value, count in zip(outcomes.integers(), counts[row], strict=True):
            assert words.count(f"{value:070b}") == count


def test_tables_get_the_same_columns() -> None:
    a, b = Outcomes.of_integers([1, 2**40], 41), Outcomes.of_integers([0, 2**40], 41)
    counts, outcomes = stacked([(np.array([[5, 6]]), a), (np.array([[7, 8]]), b)])
    assert outcomes is not None and outcomes.integers() == [0, 1, 2**40]
    assert counts.tolist() == [[0, 5, 6], [7, 0, 8]]
    assert union([a, b]).integers() == [0, 1, 2**40]


def test_columns_that_do_not_fit_are_none() -> None:
    wide = Outcomes.of_integers([3], DENSE_BITS + 1)
    assert columns(DENSE_BITS, None) == 2**DENSE_BITS
    assert columns(DENSE_BITS + 1, wide) == 1
    assert columns(DENSE_BITS + 1, None) == 0 == columns(DENSE_BITS + 2, wide)
    with pytest.raises(ValueError, match="`packed` must be"):
        Outcomes(np.zeros((1, 2), dtype=np.uint8), 30)
