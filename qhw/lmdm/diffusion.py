"""Noise levels: preconditioning, a named polynomial schedule, samplers.

The default is EDM's continuous noise (Karras et al., arXiv 2206.00364): the network's answer is
scaled so that input and target have unit variance at every level. The polynomial
variance-preserving schedule of E(3) diffusion (Hoogeboom et al., arXiv 2203.17003, eq. 15 of the
appendix) is a change of variables of it: z_t / alpha_t is the clean state and noise of size
sigma_t / alpha_t.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from qhw.lmdm.network import centred, normals

Denoise = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Noisy positions ``(B, n, 3)``, noisy features ``(B, n, f)``, noise ``(B,)`` to clean ones."""
Sampler = Literal["churn", "heun", "ancestral"]

MOST_GUIDANCE = 20.0

POSITION_SPREAD = 1.5
"""Å, of atoms about their centre."""
FEATURE_SPREAD = 0.1
"""Of features as the network has them: they are resolved after the positions are."""


def preconditioning(sigma: Tensor, spread: float) -> tuple[Tensor, Tensor, Tensor]:
    """Scales of input, of what is kept, of the answer (table 1 of arXiv 2206.00364).

    Args:
        sigma: noise ``(B,)``.
        spread: standard deviation of the data.

    Returns:
        ``c_in``, ``c_skip``, ``c_out``, ``(B, 1, 1)`` each.
    """
    total = sigma.square() + spread**2
    found = (total.rsqrt(), spread**2 / total, sigma * spread * total.rsqrt())
    return tuple(c.view(-1, 1, 1) for c in found)  # type: ignore[return-value]


class SamplingConfig(BaseModel):
    """How molecules are drawn.

    Attributes:
        sampler: ``churn``, Euler steps with fresh noise at middle levels; ``heun``, two
            evaluations a step and no fresh noise; ``ancestral``, of the polynomial schedule.
        steps: how many.
        highest: noise at the start, Å.
        lowest: noise at the end, Å.
        bend: how much steps crowd at low noise (rho).
        churn: fresh noise, all steps together (S_churn), of ``churn`` alone.
        guidance: how far what is expected of a molecule that was asked for something goes from
            what is expected of any (0) to what is expected of it (1) and beyond, without a
            classifier (Ho and Salimans, arXiv 2207.12598); other than 1 it doubles the time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sampler: Sampler = "churn"
    steps: int = Field(default=50, ge=1, le=1000)
    highest: float = Field(default=10.0, gt=0)
    lowest: float = Field(default=0.02, gt=0)
    bend: float = Field(default=5.0, gt=0)
    churn: float = Field(default=30.0, ge=0)
    guidance: float = Field(default=1.0, ge=0, le=MOST_GUIDANCE)

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.highest <= self.lowest:
            raise ValueError(f"highest must be above lowest ({self.lowest}), but is {self.highest}")
        return self

    def levels(self) -> Tensor:
        """Noise before every step and 0 at the end, ``(steps + 1,)``, Å."""
        if self.sampler == "ancestral":
            return torch.cat([polynomial_noise(self.steps).flip(0), torch.zeros(1)]).double()
        if self.steps == 1:
            return torch.tensor([self.highest, 0.0], dtype=torch.float64)
        share = torch.arange(self.steps, dtype=torch.float64) / (self.steps - 1)
        ends = self.highest ** (1 / self.bend), self.lowest ** (1 / self.bend)
        found = (ends[0] + share * (ends[1] - ends[0])) ** self.bend
        return torch.cat([found, torch.zeros(1, dtype=torch.float64)])


def polynomial_alpha(steps: int) -> Tensor:
    """alpha_t of t = 1..steps: alpha² = (1 - 2s)(1 - (t/T)²)² + s, ratios of steps at least 0.001.

    s = 1e-5; alpha² + sigma² = 1.
    """
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    squared = (1 - t.square()).square()
    ratio = (squared[1:] / squared[:-1]).clamp(min=1e-3, max=1.0)
    squared = torch.cat([squared[:1], ratio]).cumprod(0)
    s = 1e-5
    return ((1 - 2 * s) * squared + s).sqrt()[1:]


def polynomial_noise(steps: int) -> Tensor:
    """sigma_t / alpha_t of the polynomial schedule, ``(steps,)``, rising."""
    alpha = polynomial_alpha(steps)
    return (1 - alpha.square()).sqrt() / alpha


_FRESH = (0.05, 3.0)
"""Å; levels between which fresh noise is added."""


@torch.no_grad()
def sample(
    denoise: Denoise,
    shape: tuple[int, int, int],
    config: SamplingConfig,
    generator: torch.Generator,
    like: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw states from noise.

    Args:
        denoise: the clean state it expects behind a noisy one.
        shape: molecules, atoms, features.
        config: sampler and steps.
        generator: draws every noise.
        like: is where states are to be; the CPU by default.

    Returns:
        Positions ``(B, n, 3)`` with zero mean, features ``(B, n, f)``.
    """
    molecules, atoms, features = shape

    there = torch.empty(0) if like is None else like

    def noise() -> tuple[Tensor, Tensor]:
        x = normals((molecules, atoms, 3), there, generator)
        return centred(x), normals((molecules, atoms, features), there, generator)

    levels = config.levels().tolist()
    first = levels[0]
    state = _each(lambda e: first * e, noise())
    more = min(config.churn / config.steps, math.sqrt(2) - 1) if config.sampler == "churn" else 0.0
    for level, then in pairwise(levels):
        now = level
        if more and _FRESH[0] < level < _FRESH[1]:
            now = level * (1 + more)
            state = _risen(state, noise(), math.sqrt(now**2 - level**2))
        if config.sampler == "ancestral" and then > 0:
            state = _ancestral(denoise, state, now, then, noise())
        else:
            state = _euler(denoise, state, now, then, heun=config.sampler == "heun")
    return state


_State = tuple[Tensor, Tensor]


def _each(f: Callable[..., Tensor], *states: _State) -> _State:
    """A function of the positions, and of the features."""
    return f(*(x for x, _ in states)), f(*(h for _, h in states))


def _risen(state: _State, fresh: _State, size: float) -> _State:
    return _each(lambda z, e: z + size * e, state, fresh)


def _slope(denoise: Denoise, state: _State, sigma: float) -> _State:
    clean = denoise(*state, torch.full((len(state[0]),), sigma, device=state[0].device))
    return _each(lambda z, c: (z - c) / sigma, state, clean)


def _euler(denoise: Denoise, state: _State, now: float, then: float, *, heun: bool) -> _State:
    step, slope = then - now, _slope(denoise, state, now)
    moved = _each(lambda z, s: z + step * s, state, slope)
    if not heun or then == 0:
        return moved
    again = _slope(denoise, moved, then)
    return _each(lambda z, s, t: z + step * (s + t) / 2, state, slope, again)


def _ancestral(denoise: Denoise, state: _State, now: float, then: float, fresh: _State) -> _State:
    """The posterior of the level below, which is DDPM's step in these variables."""
    share = then**2 / now**2
    spread = then * math.sqrt(1 - share)
    clean = denoise(*state, torch.full((len(state[0]),), now, device=state[0].device))
    return _each(lambda z, c, e: c + share * (z - c) + spread * e, state, clean, fresh)
