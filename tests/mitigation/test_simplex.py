"""Projection onto the simplex: optimality conditions on arbitrary input, known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize

from qhw.mitigation.simplex import project_to_simplex

ROWS = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=20),
    elements=st.floats(-1e3, 1e3),
)


@given(values=ROWS)
def test_optimality(values: np.ndarray) -> None:
    # The nearest point x of a convex set is the one with <v - x, y - x> <= 0 for all y in it;
    # over the simplex the worst y is a corner.
    x = project_to_simplex(values).probabilities
    assert (x >= 0).all()
    np.testing.assert_allclose(x.sum(axis=-1), 1.0, atol=1e-9)
    residual = values - x
    worst = residual.max(axis=-1) - (residual * x).sum(axis=-1)
    assert (worst <= 1e-9 * (1 + np.abs(values).max())).all()


@given(values=ROWS)
def test_diagnostics_and_idempotence(values: np.ndarray) -> None:
    first = project_to_simplex(values)
    np.testing.assert_allclose(
        first.distance, np.sqrt(((values - first.probabilities) ** 2).sum(-1)), rtol=1e-12
    )
    np.testing.assert_allclose(first.negative_mass, np.where(values < 0, -values, 0).sum(-1))
    again = project_to_simplex(first.probabilities)
    assert (again.distance < 1e-9).all()
    assert (again.negative_mass == 0).all()


def test_known_answers() -> None:
    out = project_to_simplex([[0.5, 0.5, 0.0], [1.2, -0.2, 0.0], [0.6, 0.6, -0.2]])
    np.testing.assert_allclose(out.probabilities, [[0.5, 0.5, 0], [1, 0, 0], [0.5, 0.5, 0]])
    np.testing.assert_allclose(out.negative_mass, [0.0, 0.2, 0.2])
    np.testing.assert_allclose(out.distance, [0.0, np.sqrt(0.08), np.sqrt(0.06)], atol=1e-15)


def test_against_a_quadratic_program() -> None:
    v = np.random.default_rng(0).normal(0.1, 0.3, size=8)
    solved = optimize.minimize(
        lambda x: ((x - v) ** 2).sum(),
        np.full(8, 1 / 8),
        jac=lambda x: 2 * (x - v),
        bounds=[(0, 1)] * 8,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(project_to_simplex(v).probabilities, solved.x, atol=1e-6)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="`values` must be finite"):
        project_to_simplex([np.nan, 1.0])
    with pytest.raises(ValueError, match=r"`values` must be \(\.\.\., D\)"):
        project_to_simplex(1.0)
