"""Shot noise of the latent direction against simulation, closed forms and the planner's table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from qhw.latent import from_shots, shot_plan, vmf


def latents(rows: int, dim: int = 32, seed: int = 0, concentration: float = 0.7) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(dim, concentration), size=rows)


@pytest.mark.parametrize("x", [1e-6, 0.3, 1.0, 20.0, 99.9, 100.1, 250.0])
def test_rare_bin_factor_is_the_poisson_mean(x: float) -> None:
    k = np.arange(0, 600)
    mean_root = (np.sqrt(k) * stats.poisson.pmf(k, x)).sum()
    expected = 8 * (x - np.sqrt(x) * mean_root)
    assert from_shots.rare_bin_factor(x) == pytest.approx(expected, rel=1e-7, abs=1e-12)


def test_rare_bin_factor_limits() -> None:
    assert from_shots.rare_bin_factor(0.0) == 0.0
    assert from_shots.rare_bin_factor(1e-5) == pytest.approx(8e-5, rel=0.01)
    assert from_shots.rare_bin_factor(1e9) == pytest.approx(1.0, abs=1e-8)
    assert from_shots.rare_bin_factor(np.linspace(0.1, 3, 100)).max() == pytest.approx(
        1.8, abs=0.03
    )


@pytest.mark.parametrize("shots", [100, 300, 1000, 3000, 10_000, 100_000, 1_000_000])
def test_expected_angle_against_simulation(shots: int) -> None:
    p = latents(100)
    rng = np.random.default_rng(shots)
    angles = []
    for _ in range(40):
        mu_hat = from_shots.estimate_mean_direction(rng.multinomial(shots, p) / shots)
        chord = np.linalg.norm(mu_hat - np.sqrt(p), axis=-1)
        angles.append(2 * np.arcsin(chord / 2))
    simulated = np.sqrt(np.mean(np.square(angles)))
    expected = np.sqrt(from_shots.expected_squared_angle(p, shots).mean())
    # The formula counts chords, not arcs: 1 % at 20 degrees.
    assert expected == pytest.approx(simulated, rel=0.02)


def test_expected_angle_of_populated_bins() -> None:
    flat = np.full(32, 1 / 32)
    assert from_shots.expected_squared_angle(flat, 10**6) == pytest.approx(31 / 4e6, rel=1e-3)
    assert from_shots.expected_squared_angle(flat, 1) > 0


def test_estimate_mean_direction() -> None:
    mu = from_shots.estimate_mean_direction([[0.25, 0.75, 0.0, 0.0]])
    np.testing.assert_allclose(mu, [[0.5, np.sqrt(0.75), 0.0, 0.0]])
    with pytest.raises(ValueError, match="non-negative"):
        from_shots.estimate_mean_direction([1.2, -0.2])


@pytest.mark.parametrize(("kappa", "shots"), [(100.0, 1000), (300.0, 1000), (3000.0, 10_000)])
def test_corrected_draws_have_the_intended_resultant_length(kappa: float, shots: int) -> None:
    p = np.repeat(latents(20, seed=1), 200, axis=0)
    rng = np.random.default_rng(5)
    counts = rng.multinomial(shots, p)
    wanted = vmf.mean_resultant_length(32, kappa)
    lengths = {}
    for corrected in (True, False):
        draw = from_shots.sample_latent(counts, kappa, rng, corrected=corrected)
        np.testing.assert_allclose(np.linalg.norm(draw.z, axis=1), 1.0, atol=1e-12)
        lengths[corrected] = (draw.z * np.sqrt(p)).sum(axis=1)
    error = lengths[True].std() / np.sqrt(len(p))
    # Plugging in measured frequencies leaves 3-6 % of the correction undone at these shots.
    undone = 0.07 * (1 - from_shots.corrected_kappa(kappa, shots, dim=32).shot_cosine)
    assert abs(lengths[True].mean() - wanted) < 4 * error + undone
    assert lengths[False].mean() < wanted - 4 * error


def test_correction_with_the_exact_distribution() -> None:
    p = latents(3, seed=2)
    plan = from_shots.corrected_kappa(300.0, 1000, p=p)
    reached = vmf.mean_resultant_length(32, plan.kappa) * plan.shot_cosine
    np.testing.assert_allclose(reached, vmf.mean_resultant_length(32, 300.0), rtol=1e-12)
    # Concentrated limit: 1/kappa' = 1/kappa - 1/4N.
    flat = from_shots.corrected_kappa(2000.0, 10**4, dim=32)
    assert flat.kappa == pytest.approx(1 / (1 / 2000 - 1 / 40000), rel=2e-3)


def test_shots_that_already_spread_more() -> None:
    counts = np.random.default_rng(0).multinomial(100, latents(4))
    draw = from_shots.sample_latent(counts, 1e4, np.random.default_rng(0))
    assert not draw.attainable.any()
    assert np.isinf(draw.kappa).all()
    assert np.array_equal(draw.z, draw.mu_hat)
    plain = from_shots.sample_latent(counts, 1e4, np.random.default_rng(0), corrected=False)
    assert plain.attainable.all()
    assert (plain.kappa == 1e4).all()


def test_mitigated_frequencies_replace_counts() -> None:
    counts = np.random.default_rng(0).multinomial(1000, latents(2))
    f = latents(2, seed=9)
    draw = from_shots.sample_latent(counts, 50.0, np.random.default_rng(0), frequencies=f)
    np.testing.assert_allclose(draw.mu_hat, np.sqrt(f))


def test_zero_kappa_stays_uniform() -> None:
    plan = from_shots.corrected_kappa(0.0, 10, dim=32)
    assert plan.kappa == 0.0
    assert plan.attainable


@pytest.mark.parametrize(
    ("kappa", "degrees", "shots"),
    [
        (0.1, 90.4, 311),
        (20.0, 61.3, 678),
        (100.0, 31.1, 2600),
        (300.0, 18.3, 7600),
        (1e3, 10.1, 25e3),
    ],
)
def test_plan_against_the_table(kappa: float, degrees: float, shots: float) -> None:
    plan = shot_plan.plan_shots(kappa, 32, 0.1)
    assert np.degrees(plan.vmf_angle_rad) == pytest.approx(degrees, abs=0.06)
    # The table takes every bin as populated (31/4N); few shots need some more than that.
    assert plan.shots == pytest.approx(shots, rel=0.06)
    assert plan.shots >= 31 / (4 * (0.1 * plan.vmf_angle_rad) ** 2)
    assert plan.extra_spread == pytest.approx(0.005, rel=0.02)


@settings(max_examples=25)
@given(
    log_kappa=st.floats(-2, 5),
    dim=st.sampled_from([2, 3, 32, 1024]),
    share=st.floats(0.02, 1.0),
)
def test_plan_is_tight(log_kappa: float, dim: int, share: float) -> None:
    plan = shot_plan.plan_shots(10**log_kappa, dim, share)
    assert 0 < plan.share <= share
    if plan.shots > 1:
        flat = np.full(dim, 1 / dim)
        before = np.sqrt(from_shots.expected_squared_angle(flat, plan.shots - 1))
        assert before / plan.vmf_angle_rad > share


@pytest.mark.parametrize(("dim", "kappa"), [(2, 0.0), (3, 0.0), (32, 300.0), (2, 1e5), (1024, 1e5)])
def test_vmf_rms_angle_against_samples(dim: int, kappa: float) -> None:
    mu = np.zeros((4000, dim))
    mu[:, 0] = 1.0
    z = vmf.sample(mu, kappa, np.random.default_rng(1))
    chord = np.linalg.norm(z - mu, axis=1)
    simulated = np.sqrt(np.mean((2 * np.arcsin(np.minimum(chord / 2, 1))) ** 2))
    assert shot_plan.vmf_rms_angle(dim, kappa) == pytest.approx(simulated, rel=0.04)


def test_closed_form_rms_angle() -> None:
    # Uniform on the circle: E theta^2 = pi^2 / 3. Uniform on S^2: (pi^2 - 4) / 2.
    assert shot_plan.vmf_rms_angle(2, 0.0) == pytest.approx(np.pi / np.sqrt(3), rel=1e-10)
    assert shot_plan.vmf_rms_angle(3, 0.0) == pytest.approx(np.sqrt((np.pi**2 - 4) / 2), rel=1e-6)


def test_bad_arguments() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="`p` or `dim`"):
        from_shots.corrected_kappa(1.0, 10)
    with pytest.raises(ValueError, match="`shots` must be"):
        from_shots.corrected_kappa(1.0, 0, dim=4)
    with pytest.raises(ValueError, match="same shots in every row"):
        from_shots.sample_latent([[1, 2], [1, 1]], 1.0, rng)
    with pytest.raises(ValueError, match="row is empty"):
        from_shots.sample_latent([[0, 0]], 1.0, rng)
    with pytest.raises(ValueError, match="integers"):
        from_shots.sample_latent([[0.5, 0.5]], 1.0, rng)
    with pytest.raises(ValueError, match="shape of `counts`"):
        from_shots.sample_latent([[1, 2]], 1.0, rng, frequencies=[0.5, 0.5])
    with pytest.raises(ValueError, match="`share` must be in"):
        shot_plan.plan_shots(1.0, 4, 0.0)
    with pytest.raises(ValueError, match=r"shape \(4,\)"):
        shot_plan.plan_shots(1.0, 4, 0.1, p=[0.5, 0.5])
