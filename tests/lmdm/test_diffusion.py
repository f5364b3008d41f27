"""Schedules keep their identities; samplers recover what the true score belongs to."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from qhw.lmdm.diffusion import (
    SamplingConfig,
    polynomial_alpha,
    polynomial_noise,
    preconditioning,
    sample,
)


@given(st.floats(1e-3, 1e3), st.floats(0.05, 10))
def test_preconditioning_keeps_variances_at_one(sigma: float, spread: float) -> None:
    """Karras et al., appendix B.6: input and target have unit variance at every noise."""
    into, keep, change = (
        c.item() for c in preconditioning(torch.tensor([sigma], dtype=torch.float64), spread)
    )
    assert into**2 * (spread**2 + sigma**2) == pytest.approx(1)
    # target (x - keep z) / change of x of variance spread^2 and noise sigma
    left = (1 - keep) ** 2 * spread**2 + keep**2 * sigma**2
    assert left / change**2 == pytest.approx(1)
    # keep z is the best linear guess: what it leaves is uncorrelated with z
    assert spread**2 - keep * (spread**2 + sigma**2) == pytest.approx(0, abs=1e-9 * spread**2)


@pytest.mark.parametrize("steps", [1, 7, 50, 1000])
def test_polynomial_schedule_preserves_variance_and_its_signal_falls(steps: int) -> None:
    alpha, noise = polynomial_alpha(steps), polynomial_noise(steps)
    assert alpha.shape == noise.shape == (steps,)
    # SNR_t = alpha^2 / sigma^2 with sigma^2 = 1 - alpha^2, and noise is its inverse root
    torch.testing.assert_close(noise.pow(-2), alpha.square() / (1 - alpha.square()))
    assert (noise.diff() > 0).all()
    assert alpha[-1].square() == pytest.approx(1e-5, rel=0.2) or steps < 50


def test_polynomial_schedule_has_the_published_values() -> None:
    """(1 - 2s)(1 - (t/T)^2)^2 + s of T = 1000, away from the clipped end."""
    alpha = polynomial_alpha(1000)
    for t in (1, 10, 500, 900):
        clean = (1 - (t / 1000) ** 2) ** 2
        assert alpha[t - 1].square() == pytest.approx((1 - 2e-5) * clean + 1e-5, rel=1e-9)


SAMPLERS: list[dict[str, Any]] = [
    {"sampler": "churn", "steps": 400},
    {"sampler": "churn", "steps": 400, "churn": 0},
    {"sampler": "heun", "steps": 30},
    {"sampler": "ancestral", "steps": 150},
]


@pytest.mark.parametrize("settings", SAMPLERS)
def test_the_true_score_of_a_gaussian_gives_the_gaussian(settings: dict[str, Any]) -> None:
    spread_x, spread_h, atoms = 1.5, 0.7, 4

    def denoise(x: Tensor, h: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        level = sigma.view(-1, 1, 1).square()
        return (
            x * spread_x**2 / (spread_x**2 + level),
            0.3 + (h - 0.3) * spread_h**2 / (spread_h**2 + level),
        )

    config = SamplingConfig(highest=40.0, lowest=0.01, **settings)
    generator = torch.Generator().manual_seed(0)
    x, h = sample(denoise, (1000, atoms, 2), config, generator)
    assert x.mean(dim=1).abs().max() < 1e-4
    # without its mean a set of n normals has a variance of 1 - 1/n
    error = 6 / math.sqrt(2 * x.numel())  # about six standard errors and what steps leave
    assert x.std(unbiased=False) == pytest.approx(
        spread_x * math.sqrt(1 - 1 / atoms), rel=error + 0.02
    )
    assert h.std() == pytest.approx(spread_h, rel=error + 0.02)
    assert h.mean() == pytest.approx(0.3, abs=0.06)
    moment = (x.flatten() / x.std()).pow(4).mean()
    assert moment == pytest.approx(3, abs=0.25)  # normal, not only of that variance


def test_more_steps_come_closer() -> None:
    def denoise(x: Tensor, h: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        level = sigma.view(-1, 1, 1).square()
        return x / (1 + level), h / (1 + level)

    found = []
    for steps in (4, 16, 64):
        config = SamplingConfig(sampler="heun", steps=steps)
        x, _ = sample(denoise, (3000, 3, 1), config, torch.Generator().manual_seed(1))
        found.append(abs(float(x.std(unbiased=False)) - math.sqrt(2 / 3)))
    assert found[0] > found[1] > found[2]


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"steps": 0}, "steps"), ({"sampler": "ddim"}, "sampler"), ({"highest": -1}, "highest"),
     ({"highest": 0.01}, "highest"), ({"lowest": math.inf}, "lowest")],
)  # fmt: skip
def test_samplings_that_cannot_be_are_refused(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        SamplingConfig.model_validate(settings)


@pytest.mark.parametrize("sampler", ["churn", "heun", "ancestral"])
@pytest.mark.parametrize("steps", [1, 2])
def test_few_steps_pass(sampler: str, steps: int) -> None:
    config = SamplingConfig.model_validate({"sampler": sampler, "steps": steps})
    levels = config.levels()
    assert len(levels) == steps + 1 and levels[-1] == 0 and (levels.diff() < 0).all()
    x, h = sample(lambda x, h, _: (x, h), (2, 3, 1), config, torch.Generator().manual_seed(0))
    assert x.isfinite().all() and h.isfinite().all()
