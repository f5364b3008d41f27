"""The latent diffusion prior: sampler against closed forms, conditions, files, refusals."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from qhw.latent import diffusion
from qhw.latent.denoiser import SIGMA_DATA, Denoiser, DenoiserConfig, heun
from qhw.latent.diffusion import (
    CARD,
    TENSORS,
    Condition,
    Drawing,
    LatentDiffusion,
    LatentMap,
    Owner,
    PriorCard,
    PriorError,
    card_text,
    load_prior,
    stored,
)
from qhw.latent.priors import Prior, fitted_prior

DIM = 6
GOLDEN = Path(__file__).parent / "golden"
ATOMS = Condition(
    name="atoms", mean=8.0, spread=1.0, low=7, high=9, levels=(7, 8, 9), shares=(0.2, 0.3, 0.5)
)
LOGP = Condition(name="logp", mean=0.5, spread=2.0, low=-3, high=4)


def made(folder: Path, conditions: tuple[Condition, ...] = (ATOMS, LOGP)) -> LatentDiffusion:
    network = DenoiserConfig(width=8, blocks=1, frequencies=2)
    rng = np.random.default_rng(1)
    latents = rng.normal(size=(200, DIM)) * np.arange(1, DIM + 1)
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    denoiser = Denoiser(DIM, len(conditions), network, torch.Generator().manual_seed(2))
    card = PriorCard(
        name="tiny",
        model=Owner(name="small", weights_sha256="a" * 64),
        dim=DIM,
        network=network,
        conditions=conditions,
        seed=0,
        created=datetime(2026, 11, 28, tzinfo=UTC),
    )
    blob, card = stored(card, denoiser, LatentMap.of(latents))
    (folder / TENSORS).write_bytes(blob)
    (folder / CARD).write_bytes(card_text(card))
    return load_prior(folder)


@pytest.fixture
def prior(tmp_path: Path) -> LatentDiffusion:
    return made(tmp_path)


# -- sampler -----------------------------------------------------------------------------------
def gaussian_error(steps: int) -> float:
    """Largest error against the flow of a Gaussian, whose denoiser and flow are known."""
    variance = torch.tensor([0.04, 0.25, 1.0], dtype=torch.float64)
    noise = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = heun(lambda x, s: x * variance / (variance + s**2), noise, steps)
    exact = 10.0 * noise * (variance / (variance + 100.0)).sqrt()
    return float((found - exact).abs().max())


def test_true_score_of_a_gaussian_gives_that_gaussian_to_second_order() -> None:
    coarse, fine = gaussian_error(40), gaussian_error(80)
    assert fine < 0.01
    assert coarse / fine == pytest.approx(4.0, rel=0.25)


def test_a_point_is_found_whatever_the_steps() -> None:
    point = torch.tensor([0.3, -0.2])
    for steps in (1, 2, 8):
        found = heun(lambda x, _: point.expand_as(x), torch.randn(5, 2), steps)
        torch.testing.assert_close(found, point.expand(5, 2), atol=1e-5, rtol=0)


def test_denoiser_leaves_points_without_noise_and_guesses_the_mean_of_pure_noise() -> None:
    network = Denoiser(4, 0, DenoiserConfig(width=8, blocks=1), torch.Generator().manual_seed(0))
    x, none = torch.randn(20, 4), torch.empty(20, 0)
    torch.testing.assert_close(network(x, torch.full((20, 1), 1e-4), none), x, atol=1e-3, rtol=0)
    far = network(100 * x, torch.full((20, 1), 100.0), none)
    assert float(far.detach().square().mean().sqrt()) < 4 * SIGMA_DATA


def test_map_turns_to_principal_axes_with_one_scale() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, DIM)) * np.arange(1, DIM + 1)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    found = LatentMap.of(z)
    u = found.inward(z)
    assert float(u.square().mean().sqrt()) == pytest.approx(SIGMA_DATA, rel=1e-5)
    covariance = np.cov(u.double().numpy().T, bias=True)
    off = covariance - np.diag(np.diag(covariance))
    assert np.abs(off).max() < 1e-5
    assert (np.diff(np.diag(covariance)) <= 0).all()
    np.testing.assert_allclose(
        np.linalg.norm(z[0] - z[1]) / float(found.scale), float((u[0] - u[1]).norm()), rtol=1e-4
    )
    np.testing.assert_allclose(found.outward(u), z, atol=1e-6)


# -- drawing -----------------------------------------------------------------------------------
def test_samples_are_unit_seeded_and_begin_alike(prior: LatentDiffusion) -> None:
    assert isinstance(prior, Prior)
    x, y = (prior.sample(n, np.random.default_rng(3)) for n in (40, 25))
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(x[:25], y, atol=1e-5)
    assert np.abs(x - prior.sample(40, np.random.default_rng(4))).max() > 0.1
    assert prior.sample(0, np.random.default_rng(0)).shape == (0, DIM)
    with pytest.raises(ValueError, match="`n` must be >= 0, but is -1"):
        prior.sample(-1, np.random.default_rng(0))


def told(prior: LatentDiffusion, n: int) -> torch.Tensor:
    """What the network is told of its conditions, ``(n, m)``."""
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x: torch.Tensor, sigma: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
            seen.append(c)
            return x * 0.5

    one = LatentDiffusion(prior.card, Spy(), prior.map, prior.drawing)  # type: ignore[arg-type]
    one.sample(n, np.random.default_rng(0))
    return seen[0]


def test_levels_are_drawn_as_in_training_and_other_conditions_left_open(
    prior: LatentDiffusion,
) -> None:
    found = told(prior, 2000)
    atoms, numbers = np.unique(found[:, 0].numpy(), return_counts=True)
    np.testing.assert_allclose(atoms, [-1, 0, 1])  # (n - 8) / 1
    np.testing.assert_allclose(numbers / 2000, [0.2, 0.3, 0.5], atol=0.04)
    assert found[:, 1].isnan().all()


def test_levels_are_left_open_where_a_property_is_asked_for(prior: LatentDiffusion) -> None:
    # the number of atoms then is that of molecules with the property, not of all
    found = told(prior.drawn(Drawing(asked={"logp": 2.5})), 5)
    assert found[:, 0].isnan().all()
    torch.testing.assert_close(found[:, 1], torch.ones(5))


def test_open_conditions_leave_the_network_that_has_none() -> None:
    config, rng = DenoiserConfig(width=8, blocks=1, frequencies=2), torch.Generator()
    asked = Denoiser(DIM, 3, config, rng.manual_seed(1))
    plain = Denoiser(DIM, 0, config, rng.manual_seed(2))
    state = asked.state_dict()
    state["embed.weight"] = state["embed.weight"][:, : 2 * config.frequencies]
    plain.load_state_dict(state)
    x, sigma = torch.randn(9, DIM), torch.rand(9, 1) + 0.1
    none = torch.full((9, 3), torch.nan)
    torch.testing.assert_close(asked(x, sigma, none), plain(x, sigma, torch.empty(9, 0)))
    # each has a mask of its own: 0 is a value, not an open one, and leaves the others open
    outputs = [asked(x, sigma, none)]
    for i in range(3):
        one = none.clone()
        one[:, i] = 0.0
        outputs.append(asked(x, sigma, one))
    for i, first in enumerate(outputs):
        for second in outputs[:i]:
            assert not torch.allclose(first, second)


def test_own_guidance_is_used_where_something_is_asked(tmp_path: Path) -> None:
    def drawn(own: float, **options: float) -> NDArray[np.float64]:
        found = made(tmp_path)
        found = replace(found, card=found.card.model_copy(update={"guidance": own}))
        return found.drawn(Drawing.of(options)).sample(9, np.random.default_rng(0))

    np.testing.assert_array_equal(drawn(3.0), drawn(1.0))
    np.testing.assert_array_equal(drawn(3.0, logp=2), drawn(1.0, logp=2, guidance=3))
    assert np.abs(drawn(3.0, logp=2) - drawn(1.0, logp=2)).max() > 1e-4


def test_asked_properties_decide_which_shipped_prior_is_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cards = {
        name: made(tmp_path, conditions).card
        for name, conditions in (("a", (ATOMS, LOGP)), ("b", (ATOMS,)))
    }
    monkeypatch.setattr(diffusion, "shipped_priors", lambda: cards)
    own = "a" * 64
    found = [diffusion.shipped_for(own, asked) for asked in ((), ("atoms",), ("logp",), ("x",))]
    assert found == ["b", "b", "a", "a"]
    assert diffusion.shipped_for("b" * 64, ("logp",)) is None


def test_what_is_asked_is_told_in_units_of_its_spread(prior: LatentDiffusion) -> None:
    found = told(prior.drawn(Drawing(asked={"atoms": 7, "logp": 2.5})), 5)
    torch.testing.assert_close(found, torch.tensor([[-1.0, 1.0]]).expand(5, 2))


def test_temperature_steps_and_guidance_change_samples(prior: LatentDiffusion) -> None:
    def drawn(**options: float) -> NDArray[np.float64]:
        return prior.drawn(Drawing.of(options)).sample(30, np.random.default_rng(0))

    plain = drawn()
    assert np.array_equal(plain, drawn(steps=8, temperature=1, guidance=1))
    cold = drawn(temperature=0, atoms=9)
    np.testing.assert_allclose(cold, np.broadcast_to(cold[0], cold.shape), atol=1e-6)
    for other in ({"steps": 3}, {"temperature": 0.5}, {"guidance": 2}):
        assert np.abs(drawn(**other) - plain).max() > 1e-4, other


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temperature": float("nan")}, r"`temperature` must be in 0\.\.2, but is nan"),
        ({"temperature": -0.1}, r"`temperature` must be in 0\.\.2, but is -0.1"),
        ({"steps": 0}, r"`steps` must be in 1\.\.1000, but is 0"),
        ({"steps": 2.5}, "`steps` must be a whole number, but is 2.5"),
        ({"guidance": 11}, r"`guidance` must be in 0\.\.10, but is 11"),
        ({"atoms": 12}, "`atoms` must be one of 7, 8, 9, but is 12"),
        ({"atoms": 7.5}, "`atoms` must be one of 7, 8, 9, but is 7.5"),
        ({"logp": 5}, r"`logp` must be in -3\.\.4, what the prior was trained on, but is 5"),
        ({"logp": float("nan")}, "`logp` must be in .* but is nan"),
        ({"qed": 1}, r"`qed` must be a condition of prior tiny \(atoms, logp\), but is not"),
    ],
)
def test_bad_options_are_refused(
    prior: LatentDiffusion, options: dict[str, float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        prior.drawn(Drawing.of(options))


# -- files -------------------------------------------------------------------------------------
def test_prior_of_another_model_is_refused(prior: LatentDiffusion) -> None:
    assert prior.of_model("a" * 64, "small") is prior
    with pytest.raises(PriorError, match="small with weights aaaaaaaaaaaa, but the model is big"):
        prior.of_model("b" * 64, "big")


def test_no_prior_shipped_for_a_model_says_what_to_do() -> None:
    class Model:
        latent_dim, kappa, weights_sha256 = 4, 10.0, "c" * 64

    with pytest.raises(PriorError, match=r"must be trained for its model.*`qhw train`"):
        fitted_prior("latent-diffusion", Model(), None, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", ["missing", "text", "other", "card", "version", "nan", "shape"])
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, fault: str) -> None:
    made(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    if fault == "missing":
        (tmp_path / TENSORS).unlink()
    elif fault == "text":
        (tmp_path / TENSORS).write_text("no tensors")
    elif fault == "other":
        blob = (tmp_path / TENSORS).read_bytes()
        (tmp_path / TENSORS).write_bytes(blob[:-1] + bytes([blob[-1] ^ 1]))
    elif fault == "nan":
        card["conditions"][0]["mean"] = float("nan")
    elif fault == "shape":
        card["network"]["width"] = 16
    else:
        card |= {"card": {"dim": "x"}, "version": {"schema_version": 99}}[fault]
    (tmp_path / CARD).write_text(json.dumps(card))
    with pytest.raises(PriorError) as refused:
        load_prior(tmp_path)
    assert "prior." in str(refused.value)
    assert "\n" not in str(refused.value)


def test_unfinished_weights_are_not_stored() -> None:
    denoiser = Denoiser(DIM, 0, DenoiserConfig(width=8, blocks=1), torch.Generator().manual_seed(0))
    with torch.no_grad():
        denoiser.leave.bias[0] = 1e6  # beyond half precision
    card = PriorCard(
        name="x",
        model=Owner(name="m", weights_sha256="a"),
        dim=DIM,
        network=denoiser.config,
        seed=0,
        created=datetime(2026, 11, 28, tzinfo=UTC),
    )
    with pytest.raises(PriorError, match=r"network\.leave\.bias has values that are not finite"):
        stored(card, denoiser, LatentMap.of(np.eye(DIM)))


def test_golden_files_still_load_and_draw_the_same(tmp_path: Path) -> None:
    stem = "prior_latent_diffusion_v1"
    for suffix, name in ((".json", CARD), (".safetensors", TENSORS)):
        shutil.copy(GOLDEN / f"{stem}{suffix}", tmp_path / name)
    found = load_prior(tmp_path)
    assert found.card.conditions == (ATOMS, LOGP)
    expected = np.load(GOLDEN / f"{stem}.npy")
    np.testing.assert_allclose(found.sample(5, np.random.default_rng(0)), expected, atol=1e-4)


def test_every_shipped_prior_loads() -> None:
    for name in diffusion.shipped_priors():
        folder = Path(diffusion.__file__).parents[1] / "data" / "priors"
        assert load_prior(folder, name).sample(2, np.random.default_rng(0)).shape[0] == 2
