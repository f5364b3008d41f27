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
from collections.abc import Iterator
from functools import cache
from itertools import combinations_with_replacement, permutations, product

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from qhw.forces.harmonics import spherical_harmonics, triple_integrals

UNLIKE = float(np.float32(math.sqrt(2)))
"""Weight of products of two different channels; rounded, as trained weights know it."""


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

    @property
    def wide(self) -> int:
        """Radial functions of the density."""
        return max(self.radial, self.triple_radial)

    @property
    def largest(self) -> int:
        """Degree of the density."""
        return max(self.degree, self.triple_degree if self.triple_radial else 0)


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
        triples = sum(len(places) for _, places in self._triples)
        return len(c.species) * c.pair_radial + pairs * (c.degree + 1) + triples

    def of(self, numbers: Tensor, positions: Tensor) -> Tensor:
        """Invariants ``(B, A, F)`` of every atom; those of padding mean nothing.

        Args:
            numbers: atomic numbers ``(B, A)``, 0 where there is no atom.
            positions: ``(B, A, 3)``, Å; differentiable, also forwards.
        """
        bodies, density = self.density(numbers, positions)
        found = self._products(bodies.flatten(0, 1), density.flatten(0, 1))
        return found.view(*numbers.shape, -1)

    def density(self, numbers: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Two-body invariants ``(B, A, .)``, and the density ``(B, A, S * N, (l + 1)**2)``.

        Arguments as of :meth:`of`.
        """
        c = self.config
        species = torch.tensor(c.species, device=numbers.device)
        kind = (numbers[..., None] == species).to(positions.dtype)  # (B, A, S)
        radial, harmonics = self.pairs(*pairs_of(numbers, positions))
        bodies = torch.einsum("bjs,bijn->bisn", kind, radial[..., : c.pair_radial]).flatten(2)
        near = radial[..., None, : c.wide].permute(0, 1, 3, 4, 2)  # (B, A, 1, N, A)
        near = kind.transpose(1, 2)[:, None, :, None, :] * near
        return bodies, near.flatten(2, 3) @ harmonics

    def pairs(self, pair: Tensor, apart: Tensor) -> tuple[Tensor, Tensor]:
        """What every pair adds to the density: radial functions, zero of no pair, and harmonics.

        Args:
            pair: which there are, ``(B, A, A)``.
            apart: from the first to the second, ``(B, A, A, 3)`` Å, not zero.
        """
        c = self.config
        distance = apart.norm(dim=-1)
        radial = radial_functions(distance, c.cutoff, max(c.pair_radial, c.wide)) * pair[..., None]
        return radial, torch.cat(spherical_harmonics(apart / distance[..., None], c.largest), -1)

    def _products(self, bodies: Tensor, density: Tensor) -> Tensor:
        """All invariants of M atoms, ``(M, F)``."""
        c = self.config
        degrees = [density[:, :, n * n : (n + 1) ** 2] for n in range(math.isqrt(density.shape[2]))]
        by_species = [d.reshape(len(d), len(c.species), -1, d.shape[2]) for d in degrees]
        parts = [
            bodies,
            _pairs([d[:, :, : c.radial].flatten(1, 2) for d in by_species[: c.degree + 1]]),
        ]
        if c.triple_radial:
            few = [d[:, :, : c.triple_radial].flatten(1, 2) for d in by_species]
            parts.extend(_triple_products(few, self._triples))
        return torch.cat(parts, dim=-1)


def pairs_of(numbers: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Which pairs there are ``(B, A, A)``, and from the first to the second ``(B, A, A, 3)``."""
    exists = numbers > 0
    pair = exists[:, :, None] & exists[:, None, :]
    pair = pair & ~torch.eye(numbers.shape[1], dtype=torch.bool, device=numbers.device)
    apart = positions[:, None, :, :] - positions[:, :, None, :]
    return pair, torch.where(pair[..., None], apart, torch.ones_like(apart))


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


def _pairs(density: list[Tensor]) -> Tensor:
    """Products of two, ``(M, pairs * degrees)``, scaled to equal norms of all pairs."""
    channels = density[0].shape[1]
    rows, columns = torch.triu_indices(channels, channels, device=density[0].device)
    both = torch.where(rows == columns, 1.0, UNLIKE).to(density[0].dtype)
    products = torch.stack([d @ d.transpose(1, 2) for d in density], 1).flatten(2)
    found = products.index_select(2, rows * channels + columns) * both
    return found.flatten(1)


Triples = list[tuple[tuple[int, int, int], Tensor]]


@cache
def _triples(channels: int, largest: int) -> Triples:
    """Degrees of every product of three, and where its distinct triples of channels stand.

    Of two equal degrees, which come first or last, only the pairs ``p <= q`` are formed.
    """
    found: Triples = []
    if not channels:
        return found
    for degrees in combinations_with_replacement(range(largest + 1), 3):
        one, two, three = degrees
        if sum(degrees) % 2 or three > one + two:
            continue
        seen, places = set(), []
        for place, triple in enumerate(_formed(channels, degrees)):
            alike = min(
                tuple(triple[p] for p in order)
                for order in permutations(range(3))
                if all(degrees[p] == degrees[q] for q, p in enumerate(order))
            )
            if alike not in seen:
                seen.add(alike)
                places.append((alike, place))
        found.append((degrees, torch.tensor([place for _, place in sorted(places)])))
    return found


def distinct_triples(
    channels: int, largest: int
) -> Iterator[tuple[tuple[int, int, int], list[tuple[int, ...]]]]:
    """Degrees of every product of three, and its triples of channels, in the invariants' order."""
    for degrees, places in _triples(channels, largest):
        formed = list(_formed(channels, degrees))
        yield degrees, [formed[place] for place in places.tolist()]


def _formed(channels: int, degrees: tuple[int, int, int]) -> Iterator[tuple[int, ...]]:
    """Triples of channels in the order in which :func:`_triple_products` forms them."""
    pairs = list(combinations_with_replacement(range(channels), 2))
    if degrees[0] == degrees[1]:
        return ((i, j, k) for i, j in pairs for k in range(channels))
    if degrees[1] == degrees[2]:
        return ((i, j, k) for i in range(channels) for j, k in pairs)
    return product(range(channels), repeat=3)


def _triple_products(density: list[Tensor], triples: Triples) -> list[Tensor]:
    channels = density[0].shape[1]
    rows, columns = torch.triu_indices(channels, channels, device=density[0].device)
    pairs = rows * channels + columns
    parts = []
    for (one, two, three), places in triples:
        integrals = torch.from_numpy(triple_integrals(one, two, three)).to(density[0])
        if two == three != one:
            coupled = _coupled(density[two], density[three], integrals.permute(1, 2, 0))
            found = density[one] @ coupled.index_select(2, pairs)
        else:
            coupled = _coupled(density[one], density[two], integrals)
            if one == two:
                coupled = coupled.index_select(2, pairs)
            found = coupled.transpose(1, 2) @ density[three].transpose(1, 2)
        found = found.flatten(1)
        if len(places) < found.shape[1]:
            found = found.index_select(1, places.to(found.device))
        parts.append(found)
    return parts


def _coupled(first: Tensor, second: Tensor, integrals: Tensor) -> Tensor:
    """``sum G[i, j, k] first[p, i] second[q, j]``, ``(M, k, p * q)``."""
    atoms, channels, _ = first.shape
    turned = first @ integrals.permute(0, 2, 1).flatten(1)  # (M, p, k * j)
    both = turned.reshape(atoms, -1, second.shape[2]) @ second.transpose(1, 2)  # (M, p * k, q)
    return both.view(atoms, channels, -1, channels).transpose(1, 2).flatten(2)
