"""What spins are turned by: vectors of an atom's environment that turn with the molecule."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from qhw.chem.geometries import Geometries, GeometryError
from qhw.forces.invariants import pairs_of, radial_functions
from qhw.forces.projected import Inputs


class Vectors(Inputs, Protocol):
    """Inputs of heads: vectors, three components one after the other, and scalars behind them."""

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers, ascending."""

    def check(self, frames: Geometries, where: str) -> None:
        """Raises :class:`GeometryError` for molecules that it is not made for."""


class LigandVectors(BaseModel):
    """Ligands around their central atom: H2O, NH3, LiH; or two such molecules.

    Inputs of a central atom are the vectors to its ligands (Å) and, of two molecules, those from
    the middle between the central atoms to: itself, its ligands, the other, the other's ligands.
    All other atoms' inputs are zero. A ligand belongs to the nearest central atom.

    Attributes:
        center: atomic number of the central atom.
        ligand: of its ligands, all alike.
        ligands: how many a molecule has.
        molecules: one or two; two have two ligands each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    center: int = Field(ge=1, le=118)
    ligand: int = Field(ge=1, le=118)
    ligands: int = Field(ge=1, le=3)
    molecules: int = Field(default=1, ge=1, le=2)

    @model_validator(mode="after")
    def _there_is_a_circuit(self) -> LigandVectors:
        if self.center == self.ligand:
            raise ValueError("`center` and `ligand` must be different elements")
        if self.molecules == 2 and self.ligands != 2:
            raise ValueError("two molecules must have `ligands: 2` each")
        return self

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers, ascending."""
        first, second = sorted((self.center, self.ligand))
        return first, second

    @property
    def count(self) -> int:
        """Inputs of an atom."""
        return 3 * (self.ligands + (2 * (1 + self.ligands) if self.molecules == 2 else 0))

    def check(self, frames: Geometries, where: str) -> None:
        """Refuse other molecules.

        Raises:
            GeometryError: other atoms, or ligands that are not shared out evenly.
        """
        centers = (frames.numbers == self.center).sum(axis=1)
        ligands = (frames.numbers == self.ligand).sum(axis=1)
        atoms = (frames.numbers > 0).sum(axis=1)
        per = 1 + self.ligands
        wrong = (centers != self.molecules) | (ligands != self.molecules * self.ligands)
        wrong |= atoms != self.molecules * per
        if wrong.any():
            raise GeometryError(
                f"{where}: a molecule must have {self.molecules} atoms of atomic number "
                f"{self.center} and {self.molecules * self.ligands} of {self.ligand}, but frame "
                f"{int(np.flatnonzero(wrong)[0]) + 1} has others"
            )
        if self.molecules == 1:
            return
        owner = self._distances(
            torch.from_numpy(frames.numbers), torch.from_numpy(frames.positions)
        )
        torn = (owner.argmin(dim=2).sum(dim=1) != self.ligands).numpy()
        if torn.any():
            raise GeometryError(
                f"{where}: every molecule must have {self.ligands} ligands nearest to it, but in "
                f"frame {int(np.flatnonzero(torn)[0]) + 1} one has more"
            )

    def of(self, numbers: Tensor, positions: Tensor) -> Tensor:
        """Inputs ``(B, A, F)``; the order of equal ligands is that of the atoms."""
        centers = _places(numbers == self.center, self.molecules)  # (B, molecules)
        ligands = _places(numbers == self.ligand, self.molecules * self.ligands)
        owned = ligands[:, None, :]
        if self.molecules == 2:
            nearest = self._distances(numbers, positions.detach()).argmin(dim=2)  # (B, ligands)
            order = (
                torch.stack([nearest != k for k in (0, 1)], 1).long().argsort(dim=2, stable=True)
            )
            owned = torch.gather(owned.expand(-1, 2, -1), 2, order[:, :, : self.ligands])
        middles = _picked(positions, centers)  # (B, molecules, 3)
        own = _picked(positions, owned.flatten(1)).reshape(*owned.shape, 3)
        parts = [own - middles[:, :, None]]
        if self.molecules == 2:
            between = middles.mean(dim=1)[:, None, None]
            whole = torch.cat([middles[:, :, None], own], dim=2) - between
            parts.extend([whole, whole.flip(1)])
        rows = torch.cat(parts, dim=2).flatten(2)  # (B, molecules, F)
        chosen = (torch.arange(numbers.shape[1])[None, :, None] == centers[:, None, :]).to(rows)
        return torch.einsum("bam,bmf->baf", chosen, rows)

    def _distances(self, numbers: Tensor, positions: Tensor) -> Tensor:
        """Of every ligand to every central atom, ``(B, ligands, molecules)``."""
        centers = _places(numbers == self.center, self.molecules)
        ligands = _places(numbers == self.ligand, self.molecules * self.ligands)
        apart = _picked(positions, ligands)[:, :, None] - _picked(positions, centers)[:, None]
        return apart.square().sum(dim=-1)


class NearestVectors(BaseModel):
    """The nearest neighbours in the order of distance: ``f_c(r) x``, Å, zero where there is none.

    Continuous at the cutoff, but not where neighbours swap order.

    Attributes:
        species: atomic numbers, ascending.
        cutoff: Å.
        neighbours: how many; further ones are not seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    species: tuple[int, ...] = Field(min_length=1, max_length=8)
    cutoff: float = Field(default=5.0, gt=0.5, le=20)
    neighbours: int = Field(default=4, ge=1, le=8)

    @property
    def count(self) -> int:
        """Inputs of an atom."""
        return 3 * self.neighbours

    def check(self, frames: Geometries, where: str) -> None:
        """Any molecule will do."""

    def of(self, numbers: Tensor, positions: Tensor) -> Tensor:
        """Inputs ``(B, A, F)``."""
        pair, apart = pairs_of(numbers, positions)
        distance = apart.norm(dim=-1)
        near = fade(distance, self.cutoff) * pair
        kept = min(self.neighbours, numbers.shape[1])
        far = torch.where(pair, distance, torch.inf).detach()
        nearest = far.argsort(dim=2, stable=True)[:, :, :kept]
        chosen = (nearest[..., None] == torch.arange(numbers.shape[1])).to(positions)
        found = torch.einsum("bikj,bijx->bikx", chosen, apart * near[..., None])
        missing = found.new_zeros(*numbers.shape, 3 * (self.neighbours - kept))
        return torch.cat([found.flatten(2), missing], dim=2)


class SummedVectors(BaseModel):
    """All neighbours at once, radius and direction apart, by species.

    ``V[s, k] = sum_j B_k(r_ij) x_ij / r_ij`` over neighbours of species ``s``, then the scalars
    ``S[s, k] = sum_j B_k(r_ij)``. Both are smooth at the cutoff and know no order of neighbours.

    Attributes:
        species: atomic numbers, ascending.
        cutoff: Å.
        radial: radial functions B_k, see :func:`qhw.forces.invariants.radial_functions`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    species: tuple[int, ...] = Field(min_length=1, max_length=8)
    cutoff: float = Field(default=5.0, gt=0.5, le=20)
    radial: int = Field(default=8, ge=1, le=32)

    @property
    def vectors(self) -> int:
        """Vectors of an atom, and scalars."""
        return len(self.species) * self.radial

    @property
    def count(self) -> int:
        """Inputs of an atom."""
        return 4 * self.vectors

    def check(self, frames: Geometries, where: str) -> None:
        """Any molecule will do."""

    def of(self, numbers: Tensor, positions: Tensor) -> Tensor:
        """Inputs ``(B, A, F)``: vectors ``(s, k, x)``, then scalars ``(s, k)``."""
        pair, apart = pairs_of(numbers, positions)
        distance = apart.norm(dim=-1)
        radial = radial_functions(distance, self.cutoff, self.radial) * pair[..., None]
        kind = (numbers[..., None] == torch.tensor(self.species)).to(positions.dtype)
        ways = torch.cat([apart / distance[..., None], torch.ones_like(distance)[..., None]], 3)
        found = torch.einsum("bjs,bijk,bijx->biskx", kind, radial, ways)
        return torch.cat([found[..., :3].flatten(2), found[..., 3].flatten(2)], dim=2)


def fade(distance: Tensor, cutoff: float) -> Tensor:
    """From 1 at distance 0 to 0 at the cutoff, smoothly."""
    share = (distance / cutoff).clamp(max=1.0)
    return 0.5 + 0.5 * torch.cos(math.pi * share)


def _places(chosen: Tensor, count: int) -> Tensor:
    """Indices ``(B, count)`` of the atoms chosen, ascending."""
    return (~chosen).long().argsort(dim=1, stable=True)[:, :count]


def _picked(positions: Tensor, places: Tensor) -> Tensor:
    """Positions ``(B, k, 3)`` of places ``(B, k)``; as a product, which derives in any mode."""
    chosen = (places[..., None] == torch.arange(positions.shape[1])).to(positions)
    return torch.einsum("bka,bax->bkx", chosen, positions)
