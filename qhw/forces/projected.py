"""Linear combinations of invariants and their derivatives by positions, computed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.func import jvp, vmap

from qhw.chem.geometries import Geometries

_CHUNK_VALUES = 6_000_000
"""Numbers in the largest array of derivatives held at once, about."""


class Inputs(Protocol):
    """What atoms' environments are described by."""

    @property
    def count(self) -> int:
        """Of an atom, F."""

    def of(self, numbers: Tensor, positions: Tensor) -> Tensor:
        """``(B, A, F)`` of numbers ``(B, A)``, 0 for no atom, and positions ``(B, A, 3)``, Å."""


@dataclass(frozen=True, eq=False)
class Projection:
    """Inputs of species ``s``: ``(invariants - center[s]) @ weights[s]``.

    Attributes:
        center: ``(S, F)``.
        weights: ``(S, F, K)``.
    """

    center: Tensor
    weights: Tensor


def kinds_of(numbers: Tensor, species: tuple[int, ...]) -> Tensor:
    """Index of each atom's species, -1 where there is no atom, shaped as ``numbers``."""
    known = torch.tensor(species, device=numbers.device)
    same = numbers[..., None] == known
    return torch.where(same.any(-1), same.int().argmax(-1), -1)


def project(values: Tensor, kinds: Tensor, projection: Projection, *, slopes: bool) -> Tensor:
    """Inputs ``(..., A, K)`` of invariants ``(..., A, F)``, zero where there is no atom.

    Args:
        values: invariants, or derivatives of them.
        kinds: ``(B, A)``, the last two axes of atoms.
        projection: which combinations.
        slopes: ``values`` are derivatives, which have no center.
    """
    found = values.new_zeros(*values.shape[:-1], projection.weights.shape[-1])
    for kind in range(len(projection.center)):
        frame, atom = (kinds == kind).nonzero(as_tuple=True)
        picked = values[..., frame, atom, :]
        if not slopes:
            picked = picked - projection.center[kind].to(values.dtype)
        found[..., frame, atom, :] = picked @ projection.weights[kind].to(values.dtype)
    return found


def invariants_in_chunks(
    invariants: Inputs, geometries: Geometries, dtype: torch.dtype
) -> Iterator[tuple[slice, Tensor]]:
    """Frames' rows and their invariants ``(n, A, F)``."""
    numbers, positions = _tensors(geometries, dtype)
    step = _chunk(invariants, geometries, 1)
    for first in range(0, len(numbers), step):
        rows = slice(first, first + step)
        yield rows, invariants.of(numbers[rows], positions[rows])


def slopes_in_chunks(
    invariants: Inputs, geometries: Geometries, dtype: torch.dtype
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Frames' rows, invariants ``(n, A, F)``, their derivatives by positions ``(3 A, n, A, F)``.

    The derivatives are had forwards, a coordinate at a time: coordinates are few, invariants many.
    """
    numbers, positions = _tensors(geometries, dtype)
    atoms = numbers.shape[1]
    step = _chunk(invariants, geometries, 3 * atoms)
    directions = torch.eye(3 * atoms, dtype=dtype).reshape(3 * atoms, 1, atoms, 3)
    for first in range(0, len(numbers), step):
        rows = slice(first, first + step)
        there, places = numbers[rows], positions[rows]

        def values(x: Tensor, there: Tensor = there) -> Tensor:
            return invariants.of(there, x)

        def slope(direction: Tensor, places: Tensor = places) -> Tensor:
            found: Tensor = jvp(values, (places,), (direction.expand_as(places),))[1]
            return found

        yield rows, values(places), vmap(slope)(directions)


def _tensors(geometries: Geometries, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(geometries.numbers), torch.from_numpy(geometries.positions).to(dtype)


def _chunk(invariants: Inputs, geometries: Geometries, directions: int) -> int:
    each = directions * geometries.numbers.shape[1] * invariants.count
    return max(1, _CHUNK_VALUES // each)
