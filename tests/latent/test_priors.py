"""Priors: densities, samples, mixture fits, persistence."""

import json
from pathlib import Path

import numpy as np
import pytest

from qhw.latent import vmf
from qhw.latent.movmf import fit_mixture
from qhw.latent.priors import (
    PRIORS,
    PositiveOrthant,
    Prior,
    UniformSphere,
    VMFMixture,
    prior_from_dict,
)

GOLDEN = Path(__file__).parent / "golden"
MEANS = np.eye(6)[:3]
MIXTURE = VMFMixture(np.array([0.2, 0.3, 0.5]), MEANS, np.array([40.0, 120.0, 400.0]))
ALL: list[Prior] = [UniformSphere(6), PositiveOrthant(6), MIXTURE]


@pytest.mark.parametrize("prior", ALL, ids=lambda p: p.kind)
def test_density_integrates_to_one_over_the_sphere(prior: Prior) -> None:
    # Importance sampling from the uniform sphere mixed with the prior itself.
    rng = np.random.default_rng(0)
    x = np.concatenate([UniformSphere(6).sample(20000, rng), prior.sample(20000, rng)])
    log_p = prior.log_density(x)
    log_q = np.logaddexp(UniformSphere(6).log_density(x), log_p) - np.log(2)
    assert np.exp(log_p - log_q).mean() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("prior", ALL, ids=lambda p: p.kind)
def test_samples_are_unit_and_seeded(prior: Prior) -> None:
    x, y = (prior.sample(50, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(x, y)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1.0, atol=1e-12)
    assert prior.sample(0, np.random.default_rng(3)).shape == (0, 6)


def test_orthant_is_the_folded_sphere() -> None:
    x = PositiveOrthant(32).sample(4000, np.random.default_rng(1))
    assert (x >= 0).all()
    np.testing.assert_allclose((x**2).mean(axis=0), 1 / 32, rtol=0.15)
    assert PositiveOrthant(2).log_density([0.6, 0.8]) == pytest.approx(np.log(2 / np.pi))
    assert PositiveOrthant(2).log_density([-0.6, 0.8]) == -np.inf


def test_mixture_of_one_is_a_vmf() -> None:
    x = UniformSphere(6).sample(10, np.random.default_rng(0))
    one = VMFMixture(np.ones(1), MEANS[:1], np.array([7.0]))
    np.testing.assert_allclose(one.log_density(x), vmf.log_density(x, MEANS[0], 7.0))
    assert one.log_density(x[0]).shape == ()


def test_fit_recovers_a_mixture() -> None:
    x = MIXTURE.sample(6000, np.random.default_rng(4))
    fitted = VMFMixture.fit(x, 3, np.random.default_rng(5))
    order = (fitted.means @ MEANS.T).argmax(axis=0)
    np.testing.assert_allclose(fitted.weights[order], MIXTURE.weights, atol=0.02)
    np.testing.assert_allclose(fitted.kappas[order], MIXTURE.kappas, rtol=0.1)
    assert ((fitted.means[order] * MEANS).sum(axis=1) > 0.999).all()


def test_fit_never_loses_likelihood_and_is_seeded() -> None:
    x = PositiveOrthant(32).sample(800, np.random.default_rng(6))
    first, second = (fit_mixture(x, 5, np.random.default_rng(7)) for _ in range(2))
    assert (np.diff(first.log_likelihood) > -1e-9).all()
    assert np.array_equal(first.means, second.means)
    # A mixture over the orthant must beat the uniform sphere on it.
    assert first.log_likelihood[-1] > UniformSphere(32).log_density(x).mean() + 1


def test_one_component_is_the_plain_fit() -> None:
    x = vmf.sample(np.broadcast_to(MEANS[0], (500, 6)), 30.0, np.random.default_rng(8))
    mu, kappa = vmf.fit(x)
    one = fit_mixture(x, 1, np.random.default_rng(0))
    np.testing.assert_allclose(one.means[0], mu)
    assert one.kappas[0] == pytest.approx(kappa)
    assert one.converged


def test_repeated_points_are_clipped_not_singular() -> None:
    x = np.repeat(MEANS[:2], 5, axis=0)
    fitted = fit_mixture(x, 4, np.random.default_rng(0), kappa_max=500.0)
    assert len(fitted.weights) == 2
    assert fitted.kappas.tolist() == [500.0, 500.0]


@pytest.mark.parametrize("prior", ALL, ids=lambda p: p.kind)
def test_json_round_trip(prior: Prior) -> None:
    again = prior_from_dict(json.loads(json.dumps(prior.to_dict())))
    x = prior.sample(20, np.random.default_rng(0))
    assert np.array_equal(again.log_density(x), prior.log_density(x))
    assert set(PRIORS) >= {again.kind}


def test_golden_file_still_loads() -> None:
    prior = prior_from_dict(json.loads((GOLDEN / "prior_vmf_mixture_v1.json").read_text()))
    assert isinstance(prior, VMFMixture)
    assert prior.dim == 3
    assert prior.kappas.tolist() == [10.0, 200.0]


def test_bad_arguments() -> None:
    good = MIXTURE.to_dict()
    with pytest.raises(ValueError, match=r"`kind` .* 'gauss' \(all: .*uniform-sphere"):
        prior_from_dict({"kind": "gauss"})
    with pytest.raises(ValueError, match="version 1"):
        prior_from_dict({**good, "version": 2})
    with pytest.raises(ValueError, match="lacks means"):
        prior_from_dict({k: v for k, v in good.items() if k != "means"})
    with pytest.raises(ValueError, match="`weights` must be positive"):
        prior_from_dict({**good, "weights": [0.5, 0.5, 0.5]})
    with pytest.raises(ValueError, match="`dim` must be"):
        UniformSphere(1)
    with pytest.raises(ValueError, match="prior's dimension 6"):
        UniformSphere(6).log_density([1.0, 0.0])
    with pytest.raises(ValueError, match="`components` must be in"):
        fit_mixture(MEANS, 4, np.random.default_rng(0))
    with pytest.raises(ValueError, match="`n` must be"):
        UniformSphere(6).sample(-1, np.random.default_rng(0))


def test_directions_that_cancel_are_a_uniform_component() -> None:
    x = np.vstack([np.eye(3), -np.eye(3)])
    fitted = fit_mixture(x, 1, np.random.default_rng(0))
    assert fitted.weights.tolist() == [1.0] and fitted.kappas.tolist() == [0.0]
    assert fitted.converged
    prior = VMFMixture.from_fit(fitted)
    np.testing.assert_allclose(prior.log_density(x), -np.log(4 * np.pi))
