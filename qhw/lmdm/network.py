"""An equivariant network of atoms: all pairs, and the few within a bond's length of their own.

A layer is EGNN's (Satorras et al., arXiv 2102.09844): messages of pairs from both atoms' features
and their distance, a gate, a sum. The dual form (MDM, arXiv 2209.05710, which LMDM takes up) has a
second set of messages for the pairs within 2 Å, the covalent ones; all pairs up to 10 Å are the
van der Waals ones. Distances are of the current estimate of the positions, since those of noisy
ones mean nothing to a cutoff, and of the noisy ones.
"""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.functional import silu

_RADII = (0.6, 0.75, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.65, 1.9, 2.2, 2.6, 3.2, 4.2, 6.0)
"""Å; closer where bonds of one and of two pairs of electrons differ by 0.1."""
_MIXING = 10.0
"""Divides sums over atoms: about half of QM9's."""
_SOFT = 0.3
"""Å; keeps unit vectors finite where atoms meet."""


class NetworkConfig(BaseModel):
    """Shape of a network.

    Attributes:
        width: of features and messages.
        layers: how many.
        local: neighbours an atom has at most in the local branch; 0 leaves the branch out.
        local_cutoff: of the local branch, Å; messages fall smoothly to zero there.
        global_cutoff: of coordinate updates by all pairs, Å.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    width: int = Field(default=64, ge=8, le=512)
    layers: int = Field(default=5, ge=1, le=16)
    local: int = Field(default=0, ge=0, le=16)
    local_cutoff: float = Field(default=2.0, gt=0)
    global_cutoff: float = Field(default=10.0, gt=0)


def centred(x: Tensor) -> Tensor:
    """Positions ``(B, n, 3)`` with zero centre of mass."""
    return x - x.mean(dim=1, keepdim=True)


def normals(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers where ``like`` is: the same on every device, since the CPU draws."""
    return torch.randn(shape, generator=generator).to(like.device)


class EquivariantNetwork(nn.Module):
    """Positions and features in, a vector and new features for every atom out.

    Invariant under translation, equivariant under rotation, reflection and permutation of atoms.

    Args:
        config: its shape.
        inputs: features an atom comes with.
        outputs: features it leaves with.
        context: numbers that belong to the whole molecule, such as its noise level.
        generator: draws the weights.
    """

    def __init__(
        self,
        config: NetworkConfig,
        inputs: int,
        outputs: int,
        context: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.config = config
        width = config.width
        radii = torch.tensor(_RADII)
        self.register_buffer("radii", radii, persistent=False)
        self.register_buffer("sharpness", 1 / radii.diff(append=torch.tensor([8.5])) ** 2, False)
        self.radii: Tensor
        self.sharpness: Tensor
        self.embed = nn.Linear(inputs, width)
        self.context = nn.Sequential(nn.Linear(context, width), nn.SiLU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.out = nn.Linear(width, outputs)
        for name, weight in self.named_parameters():
            draw_weight(name, weight, generator)

    def forward(
        self, x: Tensor, h: Tensor, context: Tensor, scales: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """One pass.

        Args:
            x: positions ``(B, n, 3)``, Å.
            h: features ``(B, n, inputs)``.
            context: ``(B, context)``.
            scales: ``(B, 1, 1)`` each: of the positions as inputs; of positions and of the answer
                in the estimate of the noiseless positions, Å.

        Returns:
            Vectors ``(B, n, 3)`` with zero mean, features ``(B, n, outputs)``.
        """
        into, keep, change = scales
        there = self.context(context)
        features = self.embed(h) + there.unsqueeze(1)
        distance = _distances(x)
        noisy = torch.cat([self._waves(distance), (into * distance).unsqueeze(-1)], dim=-1)
        vector = torch.zeros_like(x)
        for layer in self.layers:
            estimate = keep * x + change * vector
            now = _distances(estimate)
            seen = torch.cat([noisy, self._waves(now)], dim=-1)
            features, moved = layer(features, there, seen, now, estimate, x * into, distance * into)
            vector = vector + moved
        return centred(vector), self.out(features).float()

    def _waves(self, distance: Tensor) -> Tensor:
        return torch.exp(-((distance.unsqueeze(-1) - self.radii) ** 2) * self.sharpness)


def _distances(x: Tensor) -> Tensor:
    return ((x.unsqueeze(2) - x.unsqueeze(1)).square().sum(-1) + 1e-8).sqrt()


def _pull(x: Tensor, distance: Tensor, strength: Tensor) -> Tensor:
    """Sum over the others of (x_i - x_j) strength_ij / (d_ij + 0.3), without its 3-vectors."""
    weight = strength / (distance + _SOFT)
    with torch.autocast(x.device.type, enabled=False):  # products of positions in single precision
        return x * weight.sum(-1, keepdim=True) - weight @ x


class _Layer(nn.Module):
    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.shift = nn.Linear(width, 2 * width)
        self.all = _Messages(width)
        self.local = _Messages(width) if config.local else None
        parts = 3 if config.local else 2
        self.mix = nn.Sequential(
            nn.Linear(parts * width, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(
        self,
        h: Tensor,
        there: Tensor,
        seen: Tensor,
        now: Tensor,
        estimate: Tensor,
        noisy: Tensor,
        noisy_distance: Tensor,
    ) -> tuple[Tensor, Tensor]:
        scale, shift = self.shift(silu(there)).unsqueeze(1).chunk(2, dim=-1)
        g = self.norm(h) * (1 + scale) + shift
        atoms = h.shape[1]
        other = 1 - torch.eye(atoms, device=h.device, dtype=h.dtype)
        summed, pulls = self.all(g, seen, None, other.unsqueeze(-1))
        pulls = pulls.float() * (now < self.config.global_cutoff).unsqueeze(-1)
        moved = _pull(noisy, noisy_distance, pulls[..., 0]) + _pull(estimate, now, pulls[..., 1])
        parts = [g, summed]
        if self.local is not None:
            near, picks = self._nearest(now)
            summed, pulls = self.local(g, picks @ seen.to(picks.dtype), picks, near.unsqueeze(-1))
            parts.append(summed)
            # products with picks, since gathering and scattering are slow to differentiate
            strength = (pulls[..., 1].float().unsqueeze(2) @ picks).squeeze(2)
            moved = moved + _pull(estimate, now, strength)
        return h + self.mix(torch.cat(parts, dim=-1)), moved

    def _nearest(self, distance: Tensor) -> tuple[Tensor, Tensor]:
        """Of the nearest atoms: how much they count, ``(B, n, k)``, from 1 to 0 at the cutoff, and
        which they are, one-hot, ``(B, n, k, n)``."""
        atoms = distance.shape[1]
        apart = distance + torch.eye(atoms, device=distance.device) * 1e6
        found, picked = apart.topk(min(self.config.local, max(atoms - 1, 1)), largest=False)
        share = (found / self.config.local_cutoff).clamp(max=1.0)
        places = torch.arange(atoms, device=distance.device)
        return 0.5 * (1 + torch.cos(math.pi * share)), (picked.unsqueeze(-1) == places).float()


class _Messages(nn.Module):
    """Messages of pairs, summed, and two strengths of each pair."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.into, self.of = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.seen = nn.Linear(2 * len(_RADII) + 1, width, bias=False)
        self.deep = nn.Linear(width, width)
        self.gate, self.pull = nn.Linear(width, 1), nn.Linear(width, 2)

    def forward(
        self, h: Tensor, seen: Tensor, picks: Tensor | None, share: Tensor
    ) -> tuple[Tensor, Tensor]:
        sent = self.of(h).unsqueeze(1)
        if picks is not None:
            sent = picks @ sent.to(picks.dtype)
        message = silu(self.deep(silu(self.into(h).unsqueeze(2) + sent + self.seen(seen))))
        kept = message * torch.sigmoid(self.gate(message)) * share
        return kept.sum(dim=2) / _MIXING, self.pull(message) * share / _MIXING


def draw_weight(name: str, weight: Tensor, generator: torch.Generator) -> None:
    """Torch's own ranges, from a generator of ours; what ends a layer starts small."""
    with torch.no_grad():
        if weight.dim() < 2:
            weight.zero_()
            return
        bound = 1 / math.sqrt(weight.shape[1])
        if name.endswith(("pull.weight", "out.weight", "mix.2.weight", "shift.weight")):
            bound *= 0.1
        weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * bound)
