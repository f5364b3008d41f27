from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.engine.quadrature import gaussian_nodes


def moment(power: int) -> int:
    """Of a standard normal variable: (power - 1)!! for even powers."""
    return 0 if power % 2 else math.prod(range(power - 1, 0, -2))


@given(n=st.integers(1, 7), level=st.integers(0, 3), data=st.data())
def test_polynomials_up_to_the_degree_are_exact(n: int, level: int, data: st.DataObject) -> None:
    nodes, weights = gaussian_nodes(n, level)
    assert weights.sum() == pytest.approx(1.0)
    powers, left = [], 2 * level + 1
    for _ in range(n):
        powers.append(data.draw(st.integers(0, left)))
        left -= powers[-1]
    average = weights @ (nodes ** np.array(powers)).prod(axis=1)
    assert average == pytest.approx(math.prod(map(moment, powers)), abs=1e-9)


def test_numbers_of_nodes() -> None:
    assert [len(gaussian_nodes(7, level)[1]) for level in (0, 1, 2)] == [1, 15, 99]
    nodes, weights = gaussian_nodes(0, 2)
    assert (nodes.shape, weights.tolist()) == ((1, 0), [1.0])
    with pytest.raises(ValueError, match="must be 0 or more"):
        gaussian_nodes(-1, 2)
