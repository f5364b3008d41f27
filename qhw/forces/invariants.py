"""Smooth invariants of an atom's environment: what a force field's head is told.

The neighbours' density around atom ``i`` is expanded, per species ``s``, in radial functions and
real spherical harmonics, ``A[s, n, lm] = sum_j R_n(r_ij) Y_lm(r_ij / |r_ij|)`` over neighbours of
species ``s``. Invariant are

* of two bodies: ``sum_j R_n(r_ij)``,
* of three: ``sum_m A[c, lm] A[c', lm]``, ``c = (s, n)``,
* of four: ``sum G(l1 m1, l2 m2, l3 m3) A[c1, l1 m1] A[c2, l2 m2] A[c3, l3 m3]`` with the integral
  ``G`` of three harmonics, of even ``l1 + l2 + l3``.

All of them are unchanged by translation, rotation, inversion and by exchanging equal atoms, and
vanish smoothly (value and slope) where a neighbour leaves the cutoff.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations_with_replacement, permutations

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from qhw.forces.harmonics import spherical_harmonics, triple_integrals


class InvariantsConfig(BaseModel):
    """Which invariants.

    Attributes:
        species: atomic numbers, ascending; an atom of another is refused.
        cutoff: Å.
        pair_radial: radial functions of two-body invariants.
        radial: radial functions of three-body invariants.
        degree: largest ``l`` of three-body invariants.
        triple_radial: radial functions of four-body invariants; 0 for none.
        triple_degree: largest ``l`` of four-body invariants.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    species: tuple[int, ...] = Field(min_length=1, max_length=8)
    cutoff: float = Field(default=5.0, gt=0.5, le=20)
    pair_radial: int = Field(default=8, ge=1, le=32)
    radial: int = Field(default=6, ge=1, le=16)
    degree: int = Field(default=4, ge=0, le=8)
    triple_radial: int = Field(default=0, ge=0, le=8)
    triple_degree: int = Field(default=2, ge=0, le=4)


class Invariants:
    """Invariants of molecules' atoms.

    Args:
        config: which.
    """

    def __init__(self, config: InvariantsConfig) -> None:
        self.config = config
        self._triples = _triples(len(config.species) * config.triple_radial, config.triple_degree)

    @property
    def count(self) -> int:
        """Invariants of an atom, F."""
        c = self.config
        channels = len(c.species) * c.radial
        pairs = channels * (channels + 1) // 2
        triples = sum(len(rows) for _, rows in self._triples)
        return len(c.species) * c.pair_radial + pairs * (c.degree + 1) + triples

    def of(self, numbers: Tensor, positions: Tensor) -> Tensor:
        """Invariants ``(B, A, F)`` of every atom; those of padding mean nothing.

        Args:
            numbers: atomic numbers ``(B, A)``, 0 where there is no atom.
            positions: ``(B, A, 3)``, Å; differentiable, also forwards.
        """
        c = self.config
        species = torch.tensor(c.species, device=numbers.device)
        kind = (numbers[..., None] == species).to(positions.dtype)  # (B, A, S)
        exists = numbers > 0
        pair = exists[:, :, None] & exists[:, None, :]
        pair = pair & ~torch.eye(numbers.shape[1], dtype=torch.bool, device=numbers.device)
        apart = positions[:, None, :, :] - positions[:, :, None, :]
        apart = torch.where(pair[..., None], apart, torch.ones_like(apart))
        distance = apart.norm(dim=-1)
        most = max(c.pair_radial, c.radial, c.triple_radial)
        radial = radial_functions(distance, c.cutoff, most) * pair[..., None]
        parts = [_by_species(kind, radial[..., : c.pair_radial]).sum(dim=-1).flatten(2)]
        degrees = max(c.degree, c.triple_degree if c.triple_radial else 0)
        harmonics = spherical_harmonics(apart / distance[..., None], degrees)
        wide = _by_species(kind, radial[..., : max(c.radial, c.triple_radial)])
        density = [torch.einsum("bisnj,bijm->bisnm", wide, y) for y in harmonics]
        parts.append(
            _pairs([d[:, :, :, : c.radial].flatten(2, 3) for d in density[: c.degree + 1]])
        )
        if c.triple_radial:
            few = [d[:, :, :, : c.triple_radial].flatten(2, 3) for d in density]
            parts.extend(_triple_products(few, self._triples))
        return torch.cat(parts, dim=-1)


def radial_functions(distance: Tensor, cutoff: float, count: int) -> Tensor:
    """Bessel functions ``sin(n pi r / r_c) / r`` that go to zero smoothly at the cutoff.

    Args:
        distance: ``(...)``, Å, above zero.
        cutoff: Å.
        count: functions.

    Returns:
        ``(..., count)``, with two continuous derivatives at the cutoff.
    """
    order = torch.arange(1, count + 1, dtype=distance.dtype, device=distance.device)
    share = (distance / cutoff).clamp(max=1.0)[..., None]
    wave = torch.sin(order * math.pi * share) / (share * cutoff) * math.sqrt(2 / cutoff)
    fade: Tensor = wave * (0.5 + 0.5 * torch.cos(math.pi * share))
    return fade


def _by_species(kind: Tensor, radial: Tensor) -> Tensor:
    """``(B, A, S, N, A)``: radial functions of neighbours of each species."""
    return torch.einsum("bjs,bijn->bisnj", kind, radial)


def _pairs(density: list[Tensor]) -> Tensor:
    """Products of two, ``(B, A, pairs * degrees)``, scaled to equal norms of all pairs."""
    channels = density[0].shape[2]
    rows, columns = torch.triu_indices(channels, channels, device=density[0].device)
    both = torch.where(rows == columns, 1.0, math.sqrt(2)).to(density[0].dtype)
    products = [torch.einsum("bicm,bidm->bicd", d, d)[:, :, rows, columns] * both for d in density]
    return torch.cat(products, dim=-1)


Triples = list[tuple[tuple[int, int, int], list[tuple[int, int, int]]]]


@cache
def _triples(channels: int, largest: int) -> Triples:
    """Degrees of every product of three, and its distinct triples of channels."""
    found: Triples = []
    if not channels:
        return found
    for degrees in combinations_with_replacement(range(largest + 1), 3):
        one, two, three = degrees
        if sum(degrees) % 2 or three > one + two:
            continue
        seen, rows = set(), []
        for triple in (
            (i, j, k) for i in range(channels) for j in range(channels) for k in range(channels)
        ):
            alike = min(
                tuple(triple[p] for p in order)
                for order in permutations(range(3))
                if all(degrees[p] == degrees[q] for q, p in enumerate(order))
            )
            if alike not in seen:
                seen.add(alike)
                rows.append(triple)
        found.append((degrees, rows))
    return found


def _triple_products(density: list[Tensor], triples: Triples) -> list[Tensor]:
    parts = []
    channels = density[0].shape[2]
    for (one, two, three), rows in triples:
        integrals = torch.from_numpy(triple_integrals(one, two, three)).to(density[0])
        coupled = torch.einsum("ijk,bcpi,bcqj->bcpqk", integrals, density[one], density[two])
        found = torch.einsum("bcpqk,bcrk->bcpqr", coupled, density[three]).flatten(2)
        index = [(i * channels + j) * channels + k for i, j, k in rows]
        parts.append(found[:, :, torch.tensor(index, device=found.device)])
    return parts
