"""A small network that takes the noise off latents, and the sampler that draws with it.

The denoiser is preconditioned and trained as in Karras et al., NeurIPS 2022 (EDM): ``D(x; s) =
c_skip x + c_out F(c_in x; ln(s)/4)`` has unit-variance input and target at every noise level s.
Latents are scaled so that their coordinates have the rms :data:`SIGMA_DATA`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

SIGMA_DATA = 0.5
_EMBEDDING = 64
_LOG_SIGMA_MEAN, _LOG_SIGMA_SPREAD = -1.0, 1.3
_SIGMA_MAX, _SIGMA_MIN, _RHO = 10.0, 0.01, 7.0

Denoise = Callable[[Tensor, Tensor], Tensor]
"""From noisy points ``(n, d)`` and one noise level ``()`` to what the points are without noise."""


class DenoiserConfig(BaseModel):
    """Shape of the network.

    Attributes:
        width: of its layers.
        blocks: residual blocks, two linear layers each.
        frequencies: Fourier features of the noise level.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=384, ge=8, le=4096)
    blocks: int = Field(default=4, ge=1, le=64)
    frequencies: int = Field(default=16, ge=1, le=256)


class Denoiser(nn.Module):
    """Residual MLP on latents, the noise level and, where there are any, conditions.

    Args:
        dim: dimension d of the latents.
        conditions: numbers m that a latent may be asked to belong to; 0 for none.
        config: of the network.
        generator: draws the initial weights.
    """

    frequencies: Tensor

    def __init__(
        self, dim: int, conditions: int, config: DenoiserConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.dim, self.conditions, self.config = dim, conditions, config
        width, n = config.width, config.frequencies
        frequencies = torch.logspace(-1, 1, n) * 2 * math.pi
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.embed = _linear(2 * n + 2 * conditions, _EMBEDDING, generator)
        self.enter = _linear(dim, width, generator)
        self.blocks = nn.ModuleList(_Block(width, generator) for _ in range(config.blocks))
        self.leave = _linear(width, dim, generator)

    def forward(self, x: Tensor, sigma: Tensor, asked: Tensor) -> Tensor:
        """Points without their noise.

        Args:
            x: noisy points ``(n, d)``.
            sigma: their noise levels ``(n, 1)``.
            asked: ``(n, m)`` conditions in units of their spread, NaN where one is left open.
        """
        total = (sigma.square() + SIGMA_DATA**2).sqrt()
        raw = self._network(x / total, sigma.log() / 4, asked)
        return x * (SIGMA_DATA / total).square() + raw * (sigma * SIGMA_DATA / total)

    def loss(self, x: Tensor, asked: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of the network's own target, at random noise levels.

        Args:
            x: points without noise ``(n, d)``.
            asked: as in :meth:`forward`.
            generator: of noise and its levels.
        """
        level = torch.randn(len(x), 1, generator=generator)
        sigma = (_LOG_SIGMA_MEAN + _LOG_SIGMA_SPREAD * level).exp()
        noisy = x + sigma * torch.randn(x.shape, generator=generator)
        total = (sigma.square() + SIGMA_DATA**2).sqrt()
        target = (x - noisy * (SIGMA_DATA / total).square()) / (sigma * SIGMA_DATA / total)
        raw = self._network(noisy / total, sigma.log() / 4, asked)
        return (raw.float() - target).square().mean()

    def _network(self, x: Tensor, level: Tensor, asked: Tensor) -> Tensor:
        waves = level * self.frequencies
        given = ~asked.isnan()
        features = [waves.cos(), waves.sin(), asked.nan_to_num(), given.to(x.dtype)]
        embedded = functional.silu(self.embed(torch.cat(features, dim=1)))
        hidden = self.enter(x)
        for block in self.blocks:
            hidden = block(hidden, embedded)
        out: Tensor = self.leave(hidden)
        return out


class _Block(nn.Module):
    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = _linear(width, width, generator)
        self.shift = _linear(_EMBEDDING, width, generator)
        self.second = _linear(width, width, generator, scale=0.1)

    def forward(self, hidden: Tensor, embedded: Tensor) -> Tensor:
        inner = self.first(self.norm(hidden)) + self.shift(embedded)
        out: Tensor = hidden + self.second(functional.silu(inner))
        return out


def _linear(inputs: int, outputs: int, generator: torch.Generator, scale: float = 1.0) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    bound = scale / math.sqrt(inputs)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.zero_()
    return layer


def heun(denoise: Denoise, noise: Tensor, steps: int) -> Tensor:
    """Follow the probability-flow equation from noise to a sample, second order.

    Args:
        denoise: of noisy points.
        noise: normal numbers ``(n, d)``; their spread is the sample's temperature.
        steps: noise levels; all but the last take two evaluations.

    Returns:
        Samples ``(n, d)``.
    """
    ends = _SIGMA_MAX ** (1 / _RHO), _SIGMA_MIN ** (1 / _RHO)
    ramp = torch.linspace(0, 1, steps, dtype=noise.dtype)
    sigmas = torch.cat([(ends[0] + ramp * (ends[1] - ends[0])) ** _RHO, noise.new_zeros(1)])
    x = noise * sigmas[0]
    for now, then in pairwise(sigmas):
        slope = (x - denoise(x, now)) / now
        moved = x + (then - now) * slope
        if then > 0:
            slope = 0.5 * (slope + (moved - denoise(moved, then)) / then)
            moved = x + (then - now) * slope
        x = moved
    return x
