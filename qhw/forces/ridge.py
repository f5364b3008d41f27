"""The linear force field in closed form, and the inputs that heads are given.

Invariants are centred and divided by their spread (softly: what hardly varies is not blown up),
turned to principal axes for each species of central atom, and a ridge regression on energies and
forces together is solved on the leading ones. It is a control, what a hybrid's bypass starts as,
and the first input of every head. The other inputs are leading principal components, scaled all
alike but for the largest, which are capped: whitening would blow up what hardly varies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qhw.chem.geometries import FloatArray, Geometries
from qhw.forces.invariants import Invariants
from qhw.forces.projected import Projection, invariants_in_chunks, kinds_of, slopes_in_chunks

STRENGTHS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Ridge strengths, of which the validation frames choose."""
_SOFT = 0.05
"""Smallest divisor of an invariant, by the root mean square of all spreads."""
_ALONE = 1e-2
"""Weight of atoms' squared energies: those that cancel in every molecule would only cost shots."""
_FRAMES_AT_ONCE = 64
_CAPPED = 16
"""Leading components brought to the size of the last of them."""


@dataclass(frozen=True, eq=False)
class Ridge:
    """What is fitted in closed form.

    Attributes:
        reference: energies that depend on composition alone, eV by species, ``(S,)``.
        projection: inputs of heads, the first is the ridge's atomic energy in units of ``size``.
        weights: of the inputs, ``(S, K)``: ``size`` for the first, else 0.
        size: root mean square of the ridge's atomic energies, ``(S,)`` eV.
        strength: chosen.
    """

    reference: Tensor
    projection: Projection
    weights: Tensor
    size: Tensor
    strength: float


@dataclass(frozen=True, eq=False)
class _Linear:
    """Sums over a molecule's atoms, by species and component."""

    energy: Tensor
    slope: Tensor
    target: Tensor
    pull: Tensor


def fit_ridge(
    invariants: Invariants,
    train: Geometries,
    validation: Geometries,
    *,
    components: int,
    inputs: int,
    energy_weight: float,
    dtype: torch.dtype,
    title: str = "",
) -> Ridge:
    """Principal axes and ridge of a training set.

    Args:
        invariants: which.
        train: labelled.
        validation: labelled; chooses the strength.
        components: of each species that the ridge has, at most.
        inputs: of heads, K, the ridge's own included.
        energy_weight: of squared energy errors (eV²) against squared force errors ((eV/Å)²).
        dtype: that invariants and derivatives are computed in; the solution is in float64.
        title: of a bar on stderr, if there is one.
    """
    axes, spread = _principal_axes(invariants, train, components, dtype)
    reference = reference_energies(train, invariants.config.species)
    fitted = _linear(invariants, train, axes, reference, dtype, title)
    seen = _linear(invariants, validation, axes, reference, dtype)
    species, count = axes.center.shape[0], axes.weights.shape[2]
    atoms = torch.tensor([(train.numbers == z).sum() for z in invariants.config.species])
    alone = _ALONE * (atoms[:, None] * spread.square()).flatten()
    solution, strength = _solve(fitted, seen, energy_weight, alone)
    by_component = solution.reshape(species, count)
    direction = (axes.weights @ by_component[:, :, None])[:, :, 0]
    size = (by_component.square() * spread.square()).sum(1).sqrt().clamp_min(1e-12)
    kept = min(inputs - 1, count)
    largest = spread[:, [min(_CAPPED, kept) - 1]].clamp_min(1e-12) if kept else spread[:, :1]
    scale = torch.minimum(1 / largest, 1 / spread[:, :kept].clamp_min(1e-12))
    columns = [(direction / size[:, None])[:, :, None], axes.weights[:, :, :kept] * scale[:, None]]
    weights = torch.zeros(species, kept + 1, dtype=torch.float64)
    weights[:, 0] = size
    return Ridge(
        torch.from_numpy(reference),
        Projection(axes.center, torch.cat(columns, dim=2)),
        weights,
        size,
        strength,
    )


def _principal_axes(
    invariants: Invariants, train: Geometries, components: int, dtype: torch.dtype
) -> tuple[Projection, Tensor]:
    """Centre and axes of each species, and the spread along each axis ``(S, K)``."""
    species = invariants.config.species
    kinds = kinds_of(torch.from_numpy(train.numbers), species)
    values = torch.cat([found for _, found in invariants_in_chunks(invariants, train, dtype)])
    centers, weights, spreads = [], [], []
    for kind in range(len(species)):
        rows = values[kinds == kind].double()
        center = rows.mean(dim=0)
        rows = rows - center
        spread = rows.square().mean(dim=0)
        divisor = (spread + _SOFT**2 * spread.mean() + 1e-24).sqrt()
        rows = rows / divisor
        variances, axes = torch.linalg.eigh(rows.T @ rows / len(rows))
        variances, axes = variances.flip(0)[:components], axes.flip(1)[:, :components]
        centers.append(center)
        weights.append(axes / divisor[:, None])
        spreads.append(variances.clamp_min(0).sqrt())
    return Projection(torch.stack(centers), torch.stack(weights)), torch.stack(spreads)


def reference_energies(train: Geometries, species: tuple[int, ...]) -> FloatArray:
    """Energies of each species that fit the molecules' best; the smallest, where many do."""
    assert train.energies is not None
    counts = np.stack([(train.numbers == z).sum(axis=1) for z in species], axis=1).astype(float)
    found: FloatArray = np.linalg.lstsq(counts, train.energies, rcond=1e-9)[0]
    return found


def _linear(
    invariants: Invariants,
    geometries: Geometries,
    axes: Projection,
    reference: FloatArray,
    dtype: torch.dtype,
    title: str = "",
) -> _Linear:
    assert geometries.energies is not None
    assert geometries.forces is not None
    species = invariants.config.species
    numbers = torch.from_numpy(geometries.numbers)
    exists = (numbers[:, None] == torch.tensor(species)[:, None]).to(dtype)  # (N, S, A)
    center, weights = axes.center.to(dtype), axes.weights.to(dtype)
    energy, slope = [], []
    for rows, values, slopes in slopes_in_chunks(invariants, geometries, dtype, title):
        there = exists[rows]  # atoms are summed before anything is projected: far fewer products
        summed = there @ values - there.sum(-1, keepdim=True) * center
        energy.append(torch.einsum("nsf,sfk->nsk", summed, weights).flatten(1))
        pulled = there @ slopes.flatten(2)
        pulled = pulled.view(*there.shape[:2], *slopes.shape[2:])  # (n, S, F, 3 A)
        slope.append((weights.transpose(1, 2) @ pulled).flatten(1, 2).transpose(1, 2))
    counts = torch.stack([(numbers == z).sum(1) for z in species], 1).double()
    target = torch.from_numpy(geometries.energies) - counts @ torch.from_numpy(reference)
    pull = -torch.from_numpy(geometries.forces).flatten(1)
    return _Linear(torch.cat(energy), torch.cat(slope), target, pull)


def _solve(
    fitted: _Linear, seen: _Linear, energy_weight: float, alone: Tensor
) -> tuple[Tensor, float]:
    """Weights ``(S * K,)`` of the strength with the smallest loss on what was not fitted."""
    normal = energy_weight * fitted.energy.double().T @ fitted.energy.double()
    right = energy_weight * fitted.energy.double().T @ fitted.target
    for first in range(0, len(fitted.slope), _FRAMES_AT_ONCE):
        part = slice(first, first + _FRAMES_AT_ONCE)
        rows = fitted.slope[part].flatten(0, 1).double()
        normal += rows.T @ rows
        right += rows.T @ fitted.pull[part].flatten()
    best: tuple[float, Tensor, float] | None = None
    for strength in STRENGTHS:
        damped = normal + torch.diag(strength + alone)
        factor, failed = torch.linalg.cholesky_ex(damped)
        if failed:
            continue
        found = torch.cholesky_solve(right[:, None], factor)[:, 0]
        energy = seen.energy.double() @ found - seen.target
        force = seen.slope.double() @ found - seen.pull
        loss = float(energy_weight * energy.square().mean() + force.square().mean())
        if best is None or loss < best[0]:
            best = loss, found, strength
    if best is None:
        raise ValueError("The ridge regression has no solution: the invariants are not finite.")
    return best[1], best[2]
