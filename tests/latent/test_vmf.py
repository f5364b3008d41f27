"""von Mises-Fisher: closed forms, identities, moments of samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from qhw.latent import vmf

CASES = [(2, 0.0), (2, 3.0), (2, 1e5), (3, 0.5), (3, 50.0), (32, 0.1), (32, 300.0), (32, 1e5)]
WIDE_CASES = [*CASES, (1024, 0.0), (1024, 300.0), (1024, 1e5)]


def direction(dim: int, seed: int = 0) -> np.ndarray:
    v = np.random.default_rng(seed).standard_normal(dim)
    return v / np.linalg.norm(v)


@pytest.mark.parametrize("kappa", [0.0, 0.3, 5.0, 700.0, 1e5])
def test_dim_2_is_von_mises(kappa: float) -> None:
    mu = np.array([np.cos(0.4), np.sin(0.4)])
    angle = np.linspace(-3, 3, 13)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    # scipy refuses kappa = 0.
    expected = stats.vonmises(kappa, 0.4).logpdf(angle) if kappa else -np.log(2 * np.pi)
    np.testing.assert_allclose(vmf.log_density(x, mu, kappa), expected, rtol=1e-12, atol=1e-9)
    if kappa:
        assert vmf.entropy(2, kappa) == pytest.approx(stats.vonmises(kappa).entropy(), abs=1e-9)


@pytest.mark.parametrize("kappa", [1e-3, 0.5, 5.0, 300.0, 1e5])
def test_dim_3_explicit(kappa: float) -> None:
    log_sinh = kappa + np.log1p(-np.exp(-2 * kappa)) - np.log(2)
    assert vmf.log_normalizer(3, kappa) == pytest.approx(
        np.log(kappa) - np.log(4 * np.pi) - log_sinh, rel=1e-12
    )
    assert vmf.mean_resultant_length(3, kappa) == pytest.approx(
        1 / np.tanh(kappa) - 1 / kappa, rel=1e-9
    )


@pytest.mark.parametrize(("dim", "kappa"), [(2, 1.0), (5, 0.0), (5, 20.0), (32, 300.0), (256, 0.1)])
def test_density_integrates_to_one(dim: int, kappa: float) -> None:
    ring = vmf.log_sphere_area(dim - 1) if dim > 2 else np.log(2.0)

    def weight(theta: float, power: int) -> float:
        log = kappa * np.cos(theta) + (dim - 2) * np.log(np.sin(theta))
        return np.cos(theta) ** power * np.exp(log + ring + vmf.log_normalizer(dim, kappa))

    mass, mean = (
        integrate.quad(weight, 1e-12, np.pi - 1e-12, args=(n,), points=[np.pi / 2], limit=200)[0]
        for n in (0, 1)
    )
    assert mass == pytest.approx(1.0, abs=1e-8)
    assert mean == pytest.approx(vmf.mean_resultant_length(dim, kappa), abs=1e-8)


def test_published_resultant_lengths() -> None:
    # I16/I15 at kappa 0.1, 20, 100, 300, 1000, computed independently with mpmath.
    lengths = vmf.mean_resultant_length(32, np.array([0.1, 20.0, 100.0, 300.0, 1000.0]))
    np.testing.assert_allclose(lengths, [0.003, 0.484, 0.856, 0.950, 0.985], atol=5e-4)


@pytest.mark.parametrize("dim", [2, 3, 32, 1024])
def test_kl_and_entropy(dim: int) -> None:
    kappa = np.concatenate([[0.0], np.geomspace(1e-6, 1e5, 60)])
    kl = vmf.kl_to_uniform(dim, kappa)
    assert kl[0] == 0.0
    assert (np.diff(kl) > 0).all()
    # kappa -> 0: kappa^2 / 2d, in relative precision.
    np.testing.assert_allclose(kl[1:4], kappa[1:4] ** 2 / (2 * dim), rtol=1e-8)
    # KL + entropy = log area.
    np.testing.assert_allclose(
        kl + vmf.entropy(dim, kappa), vmf.log_sphere_area(dim), rtol=1e-9, atol=1e-9
    )


@settings(max_examples=60)
@given(
    dim=st.integers(2, 1024),
    log_kappa=st.floats(-6.0, 5.0),
)
def test_inverse_resultant_length(dim: int, log_kappa: float) -> None:
    kappa = 10.0**log_kappa
    length = vmf.mean_resultant_length(dim, kappa)
    # A change of one ulp of the length moves kappa by eps * length / (kappa A').
    slope = 1 - length**2 - (dim - 1) * length / kappa
    tolerance = max(1e-12, 1e-15 * length / max(kappa * slope, 1e-12))
    assert vmf.kappa_from_resultant_length(dim, length) == pytest.approx(kappa, rel=tolerance)


def test_inverse_at_the_ends() -> None:
    out = vmf.kappa_from_resultant_length(32, np.array([0.0, 1.0]))
    assert out.tolist() == [0.0, vmf.KAPPA_MAX]


@pytest.mark.parametrize(("dim", "kappa"), WIDE_CASES)
def test_sample_moments(dim: int, kappa: float) -> None:
    n, mu = 4000, direction(dim, 3)
    z = vmf.sample(np.broadcast_to(mu, (n, dim)), kappa, np.random.default_rng(7))
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, atol=1e-12)
    cosine = z @ mu
    length = vmf.mean_resultant_length(dim, kappa)
    error = cosine.std() / np.sqrt(n)
    assert abs(cosine.mean() - length) < 4.5 * error
    # Var<mu, z> = A'(kappa) = 1 - A^2 - (d-1) A / kappa.
    ratio = length / kappa if kappa else 1 / dim
    variance = 1 - length**2 - (dim - 1) * ratio
    assert cosine.var() == pytest.approx(variance, rel=0.2)
    # No preferred direction in the tangent space.
    tangent = (z - cosine[:, None] * mu).mean(axis=0)
    spread = np.sqrt((1 - cosine**2).mean() / n)
    assert np.linalg.norm(tangent) < 1.6 * spread + 4 * spread / np.sqrt(dim)


@pytest.mark.parametrize(("dim", "kappa"), [(2, 2.0), (3, 10.0), (6, 0.0), (32, 100.0)])
def test_sampled_cosine_distribution(dim: int, kappa: float) -> None:
    mu = direction(dim, 1)
    z = vmf.sample(np.broadcast_to(mu, (4000, dim)), kappa, np.random.default_rng(2))
    theta = np.linspace(0, np.pi, 20001)
    density = np.sin(theta) ** (dim - 2) * np.exp(kappa * (np.cos(theta) - 1))
    cdf = integrate.cumulative_simpson(density, x=theta, initial=0)
    result = stats.kstest(np.arccos(z @ mu), lambda t: np.interp(t, theta, cdf / cdf[-1]))
    assert result.pvalue > 1e-3


def test_sample_with_one_kappa_a_row_and_same_seed() -> None:
    mu = np.stack([direction(32, s) for s in range(3)])
    kappa = np.array([0.0, 100.0, 1e5])
    z = vmf.sample(mu, kappa, np.random.default_rng(0))
    assert np.array_equal(z, vmf.sample(mu, kappa, np.random.default_rng(0)))
    assert (z[2] @ mu[2]) > 0.999
    assert vmf.sample(mu[0], 5.0, np.random.default_rng(0)).shape == (32,)


def test_first_axis_and_its_opposite() -> None:
    for sign in (1.0, -1.0):
        mu = np.zeros(8)
        mu[0] = sign
        z = vmf.sample(mu, 1e5, np.random.default_rng(0))
        assert z @ mu > 0.99


@pytest.mark.parametrize(("dim", "kappa"), [(3, 2.0), (32, 300.0), (256, 2000.0)])
def test_fit_recovers(dim: int, kappa: float) -> None:
    mu = direction(dim, 5)
    x = vmf.sample(np.broadcast_to(mu, (20000, dim)), kappa, np.random.default_rng(11))
    mu_hat, kappa_hat = vmf.fit(x)
    assert mu_hat @ mu > 0.999
    assert kappa_hat == pytest.approx(kappa, rel=0.05)


def test_bad_arguments() -> None:
    mu = direction(4)
    rng = np.random.default_rng(0)
    for dim in (1, 1025, 2.5):
        with pytest.raises(ValueError, match=r"`dim` must be a whole number in 2\.\.1024"):
            vmf.log_normalizer(dim, 1.0)  # type: ignore[arg-type]
    for kappa in (-1.0, 1.1e5, np.nan):
        with pytest.raises(ValueError, match="`kappa` must be in"):
            vmf.sample(mu, kappa, rng)
    with pytest.raises(ValueError, match="`mu` must hold unit vectors"):
        vmf.sample(2 * mu, 1.0, rng)
    with pytest.raises(ValueError, match="`mu` must be finite"):
        vmf.sample(mu * np.nan, 1.0, rng)
    with pytest.raises(ValueError, match="dimension of `x`"):
        vmf.log_density(mu, direction(5), 1.0)
    with pytest.raises(ValueError, match="`length` must be in"):
        vmf.kappa_from_resultant_length(4, 1.5)
    with pytest.raises(ValueError, match="exactly zero"):
        vmf.fit(np.stack([mu, -mu]))
    with pytest.raises(ValueError, match="n >= 1"):
        vmf.fit(mu)
