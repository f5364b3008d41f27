"""Derivatives of invariants by coordinates, a column each: coordinates are few, invariants many."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from qhw.forces.compiled import ATOMS, multiply_forward, products_of
from qhw.forces.invariants import Invariants, pairs_of


def invariant_slopes(
    invariants: Invariants, numbers: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """Invariants ``(B, A, F)`` and slopes ``(B, A, F, 3 A)``; those of padding mean nothing.

    Args:
        invariants: which.
        numbers: ``(B, A)``, 0 where there is no atom.
        positions: ``(B, A, 3)``, Å.
    """
    products = products_of(invariants.config)
    given, slopes = (part.numpy() for part in _given(invariants, numbers, positions))
    atoms, directions = len(given), slopes.shape[2]
    wide = -(-directions // ATOMS) * ATOMS
    rows = np.zeros((atoms, products.rows), given.dtype)
    rows[:, : products.given], rows[:, products.given] = given, 1.0
    tangents = np.zeros((atoms, products.rows, wide), given.dtype)
    tangents[:, : products.given, :directions] = slopes
    values = np.zeros((atoms, invariants.count), given.dtype)
    found = np.zeros((atoms, invariants.count, wide), given.dtype)
    for terms, out, by in ((products.pairs, rows, tangents), (products.invariants, values, found)):
        multiply_forward(rows, terms.place, terms.weight.astype(given.dtype), tangents, out, by)
    shape = (*numbers.shape, invariants.count)
    return (
        torch.from_numpy(values).view(shape),
        torch.from_numpy(found).view(*shape, wide)[..., :directions],
    )


def _given(invariants: Invariants, numbers: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Density and two-body invariants ``(B * A, R)``, and their slopes ``(B * A, R, 3 A)``."""
    c = invariants.config
    bodies, density = invariants.density(numbers, positions)
    pair, apart = pairs_of(numbers, positions)

    def of_pairs(x: Tensor) -> Tensor:
        radial, harmonics = invariants.pairs(pair, x)
        near = radial[..., : c.wide, None] * harmonics[..., None, :]
        return torch.cat([near.flatten(-2), radial[..., : c.pair_radial]], dim=-1)

    with forward_ad.dual_level():  # all three directions as one
        ways = torch.eye(3).to(apart)[:, None, None, None].expand(3, *apart.shape)
        places = apart.expand_as(ways).contiguous()
        dual = forward_ad.make_dual(places, ways.contiguous())  # type: ignore[no-untyped-call]
        found = forward_ad.unpack_dual(of_pairs(dual))  # type: ignore[no-untyped-call]
    each: Tensor = found.tangent  # (3, B, A, A, R / S)
    kind = (numbers[..., None] == torch.tensor(c.species)).to(each)
    dense = c.wide * (c.largest + 1) ** 2
    parts = [
        torch.einsum("bjs,xbijq->bisqjx", kind, part).flatten(2, 3)
        for part in (each[..., :dense], each[..., dense:])
    ]
    slopes = torch.cat(parts, dim=2)  # (B, A, R, A, 3)
    place = torch.arange(numbers.shape[1])
    slopes[:, place, :, place] = -slopes.sum(dim=3).transpose(0, 1)
    given = torch.cat([density.flatten(2), bodies], dim=2)
    return given.flatten(0, 1), slopes.flatten(3).flatten(0, 1)
