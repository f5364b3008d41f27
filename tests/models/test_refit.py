from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from qhw.chem.qm9 import sample_molecules
from qhw.chem.validity import judge
from qhw.models.base import ReadsOut
from qhw.models.checkpoint import load, weights_sha256
from qhw.models.exact import ExactModel
from qhw.models.refit import LinearMap, left_out_errors, refit, ridge

FloatArray = NDArray[np.float64]
Problem = tuple[FloatArray, FloatArray, LinearMap]


@pytest.fixture
def problem() -> Problem:
    rng = np.random.default_rng(0)
    start = LinearMap(rng.normal(size=(3, 6)), rng.normal(size=3))
    x = rng.normal(size=(40, 6)) + 2
    return x, start(x) + rng.normal(size=(40, 3)) * 0.3 + x[:, :1], start


@pytest.mark.parametrize("strength", [1e-6, 0.7, 50.0])
def test_ridge_is_least_squares_with_augmented_rows(problem: Problem, strength: float) -> None:
    """Rows ``sqrt(s) D = 0`` beside the data, the intercept free."""
    x, y, start = problem
    columns = np.hstack([x, np.ones((len(x), 1))])
    more = np.hstack([np.sqrt(strength) * np.eye(6), np.zeros((6, 1))])
    wanted = np.vstack([y - x @ start.weight.T, np.zeros((6, 3))])
    solved = np.linalg.lstsq(np.vstack([columns, more]), wanted, rcond=None)[0]
    found = ridge(x, y, start, strength)
    np.testing.assert_allclose(found.weight - start.weight, solved[:-1].T, atol=1e-9)
    np.testing.assert_allclose(found.bias, solved[-1], atol=1e-9)


def test_errors_of_left_out_rows_are_those_of_leaving_each_out(problem: Problem) -> None:
    x, y, start = problem
    strengths = (0.05, 4.0)
    slow = [
        np.mean(
            [
                (y[i] - ridge(np.delete(x, i, 0), np.delete(y, i, 0), start, s)(x[i])) ** 2
                for i in range(len(x))
            ],
            axis=0,
        )
        for s in strengths
    ]
    np.testing.assert_allclose(left_out_errors(x, y, start, strengths), slow, rtol=1e-9)


def test_linear_noise_on_distributions_is_undone_exactly() -> None:
    """Readout errors and a depolarised floor: a map of distributions that has an inverse."""
    rng = np.random.default_rng(1)
    exact = rng.dirichlet(np.ones(8), size=30)
    confusion = 0.8 * np.eye(8) + 0.2 * rng.dirichlet(np.ones(8), size=8).T
    noisy = 0.9 * exact @ confusion.T + 0.1 / 8
    start = LinearMap(rng.normal(size=(4, 8)), rng.normal(size=4))
    found = ridge(noisy, start(exact), start, 0.0)
    others = rng.dirichlet(np.ones(8), size=20)
    undone = found(0.9 * others @ confusion.T + 0.1 / 8)
    np.testing.assert_allclose(undone, start(others), atol=1e-9)
    chosen = refit(noisy, start(exact), start)
    assert chosen.strength is not None and chosen.error < 1e-4


def test_without_noise_the_map_stays() -> None:
    rng = np.random.default_rng(2)
    start = LinearMap(rng.normal(size=(4, 8)), rng.normal(size=4))
    exact = rng.dirichlet(np.ones(8), size=30)
    for measured in (exact, np.tile(exact[:1], (30, 1))):
        found = refit(measured, start(measured), start)
        assert found.map is start and found.strength is None and found.error == 1
    # shot noise alone, which the map cannot know of
    shots = rng.multinomial(10**7, exact) / 10**7
    found = refit(shots, start(exact), start)
    np.testing.assert_allclose(found.map(exact), start(exact), atol=1e-2)


@pytest.mark.parametrize(("rows", "inputs"), [(2, 6), (5, 4)])
def test_what_cannot_be_fitted_is_refused(rows: int, inputs: int) -> None:
    start = LinearMap(np.zeros((3, 6)), np.zeros(3))
    with pytest.raises(ValueError, match=r"must be \(n, 6\) and \(n, 3\) with n 3 or more"):
        refit(np.zeros((rows, inputs)), np.zeros((rows, 3)), start)


def test_a_model_decodes_by_another_map_and_stays_as_it_is() -> None:
    model, _ = load("nisq-chain5")
    assert isinstance(model, ReadsOut)
    exact = ExactModel(model.double())
    own: Any = model
    p = torch.from_numpy(exact.decoder(exact.directions(sample_molecules().molecules[:20])))
    before, weights = model.decode(p), weights_sha256(model)
    weight, bias = model.read_out_map()
    positions = own.read_out(p)[0]
    found = model.read_out_features(p) @ weight.T + bias
    np.testing.assert_allclose(2.0 * found[:, :27].reshape(-1, 9, 3), positions.detach())
    twice = model.with_read_out(2 * weight, 2 * bias)
    np.testing.assert_allclose(twice.decode(p).positions, 2 * before.positions)
    assert weights_sha256(model) == weights == weights_sha256(load("nisq-chain5")[0])
    assert weights_sha256(twice) != weights
    with pytest.raises(ValueError, match="must have shapes"):
        model.with_read_out(weight[:, 1:], bias)


def test_molecules_come_back_through_noise() -> None:
    """Readout errors and depolarisation of the shipped decoder: most of what is lost comes back."""
    from qhw.analysis.head.measure import known_inputs
    from qhw.analysis.head.refitted import refit_decoder, with_map

    model, _ = load("nisq-chain5")
    exact = ExactModel(model.double())
    one = np.array([[0.985, 0.025], [0.015, 0.975]])
    confusion = np.eye(1)
    for _ in range(7):
        confusion = np.kron(confusion, one)

    def noisy(p: FloatArray, shots: int, seed: int) -> FloatArray:
        q = 0.96 * p @ confusion.T + 0.04 / 128
        return np.random.default_rng(seed).multinomial(shots, q / q.sum(1, keepdims=True)) / shots

    latents = known_inputs(exact, "decoder", 200, 0)
    np.testing.assert_allclose(np.linalg.norm(latents, axis=1), 1)
    fit = refit_decoder(exact, latents, noisy(exact.decoder(latents), 10_000, 1))
    rows = exact.decoder(exact.directions(sample_molecules().molecules[:150]))
    seen = noisy(rows, 100_000, 2)
    valid = [judge(m.molecules(p)).valid for m, p in ((exact, rows), (exact, seen))]
    refitted = judge(with_map(exact, fit.map).molecules(seen)).valid
    assert valid[1] < 0.8 * valid[0]
    assert refitted > 0.92 * valid[0]
    # the ridge itself makes no molecules: without noise the exact rows keep theirs
    calm = np.random.default_rng(3).multinomial(10_000, exact.decoder(latents)) / 10_000
    control = refit_decoder(exact, latents, calm)
    assert judge(with_map(exact, control.map).molecules(rows)).valid == valid[0]
