"""Linear combinations of invariants and their derivatives by positions, computed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.func import jvp, vmap

from qhw.chem.geometries import Geometries
from qhw.forces.forward import invariant_slopes
from qhw.forces.invariants import Invariants
from qhw.models.training_run import shown

_CHUNK_VALUES = 20_000_000
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

    def of(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Both in a precision."""
        return self.center.to(dtype), self.weights.to(dtype)


def kinds_of(numbers: Tensor, species: tuple[int, ...]) -> Tensor:
    """Index of each atom's species, -1 where there is no atom, shaped as ``numbers``."""
    known = torch.tensor(species, device=numbers.device)
    same = numbers[..., None] == known
    return torch.where(same.any(-1), same.int().argmax(-1), -1)


def project(values: Tensor, kinds: Tensor, projection: Projection) -> Tensor:
    """Inputs ``(B, A, K)`` of invariants ``(B, A, F)``, zero where there is no atom.

    Args:
        values: invariants.
        kinds: ``(B, A)``.
        projection: which combinations.
    """
    found = values.new_zeros(*kinds.shape, projection.weights.shape[2])
    for kind, (center, weights) in enumerate(zip(*projection.of(values.dtype), strict=True)):
        found[kinds == kind] = (values[kinds == kind] - center) @ weights
    return found


def project_slopes(slopes: Tensor, kinds: Tensor, projection: Projection) -> Tensor:
    """Derivatives of inputs ``(B, A, K, X)`` of those of invariants ``(B, A, F, X)``.

    Arguments as of :func:`project`.
    """
    found = slopes.new_zeros(*kinds.shape, projection.weights.shape[2], slopes.shape[3])
    for kind, weights in enumerate(projection.of(slopes.dtype)[1]):
        found[kinds == kind] = weights.T @ slopes[kinds == kind]
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
    invariants: Inputs, geometries: Geometries, dtype: torch.dtype, title: str = ""
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Frames' rows, invariants ``(n, A, F)``, their derivatives by positions ``(n, A, F, 3 A)``.

    A bar of this title is shown on stderr, if there is one.
    """
    numbers, positions = _tensors(geometries, dtype)
    step = _chunk(invariants, geometries, 3 * numbers.shape[1])
    parts = -(-len(numbers) // step)
    for part in shown(range(parts), title, parts, bool(title), "parts"):
        rows = slice(part * step, (part + 1) * step)
        if isinstance(invariants, Invariants):
            yield rows, *invariant_slopes(invariants, numbers[rows], positions[rows])
        else:
            yield rows, *_forwards(invariants, numbers[rows], positions[rows])


def _forwards(inputs: Inputs, numbers: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    atoms = numbers.shape[1]
    ways = torch.eye(3 * atoms, dtype=positions.dtype).reshape(3 * atoms, 1, atoms, 3)

    def values(x: Tensor) -> Tensor:
        return inputs.of(numbers, x)

    def slope(way: Tensor) -> Tensor:
        found: Tensor = jvp(values, (positions,), (way.expand_as(positions),))[1]
        return found

    return values(positions), vmap(slope)(ways).permute(1, 2, 3, 0)


def _tensors(geometries: Geometries, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(geometries.numbers), torch.from_numpy(geometries.positions).to(dtype)


def _chunk(invariants: Inputs, geometries: Geometries, directions: int) -> int:
    each = directions * geometries.numbers.shape[1] * invariants.count
    return max(1, _CHUNK_VALUES // each)
