"""Heads whose circuits turn with the molecule: models A and B.

**Model A**, ``symmetric`` (arXiv 2311.11362): the vectors ``x`` from the central atom to its
ligands turn the spins, ``exp(-i alpha x.sigma / 2)``, ``alpha`` one of a class and layer;
exchange gates, one coupling a class and layer, stand between; ``E = c0 + c1 <XX + YY + ZZ>``.

**Model B** (arXiv 2505.03213; its gates are not public, this is our reading). Every atom ``i`` has
a circuit of its environment, and their energies add up, ``E = sum_i (c0_Zi + c1_Zi . f_i)``.

* ``baseline``: wire ``q`` is turned by the q-th nearest neighbour, ``exp(-i alpha_q f_c(r) x.sigma
  / 2)``; ``alpha`` and couplings belong to the wire and layer and know no species. Radius and angle
  share one rotation, further neighbours are not seen, and the energy jumps where two swap order.
* ``revised``: all neighbours turn every wire together, ``exp(-(i / 2) sum_j phi^q_ZiZj(r_ij)
  n_ij.sigma)`` with ``n = x / r`` and ``phi^q_ZiZj(r) = f_c(r) sum_k a^q_k,ZiZj B_k(r)``: direction
  by ``n`` alone, radius by ``phi``, parameters by species. Couplings feel the environment's
  scalars, ``w^b = w0^b_Zi + sum_j sum_k u^b_k,ZiZj f_c(r_ij) B_k(r_ij)``. The sum knows no order of
  neighbours and a neighbour at the cutoff does nothing, so the energy is smooth, any number of
  neighbours fits, and parameters hold in any molecule of the same species. The value is averaged
  over ``n`` and ``-n``.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from qhw.forces.atom_head import AtomHead
from qhw.forces.exchange import ExchangeCircuit, after, rotations
from qhw.forces.spin_circuits import (
    Register,
    one_ligand,
    ring,
    three_ligands,
    two_ligands,
    two_molecules,
)
from qhw.forces.vectors import LigandVectors, NearestVectors, SummedVectors, fade

_COUPLING, _TURN = 0.5, 0.5
"""Spread of couplings, and of rotations, radians, at the start."""
_REACH = 7.0
"""Å between central atoms where the interaction of two molecules ends."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What one circuit is run with, and what its values count.

    Attributes:
        spins: ``(R, D + 1, n, 4)``.
        couplings: ``(R, D, bonds)``.
        weights: of the reads, ``(R, reads)`` eV.
    """

    spins: Tensor
    couplings: Tensor
    weights: Tensor


class SpinHead(AtomHead):
    """Atomic energies of vectors, as :class:`qhw.forces.heads.Head` gives them of invariants.

    The variance is only computed in evaluation mode, or if ``judges_shots`` is set.
    """

    judges_shots = False

    circuits: tuple[ExchangeCircuit, ...]
    """That stand side by side on a device."""
    scale: Tensor

    def __init__(self, species: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(species))
        self.register_buffer("scale", torch.ones(()))

    @abstractmethod
    def rows(self, inputs: Tensor, kinds: Tensor) -> tuple[Tensor, tuple[Rows, ...]]:
        """Atoms ``(R,)`` that rows belong to, and the rows of every circuit."""

    def start(self, inputs: Tensor, kinds: Tensor, scale: float) -> None:
        """Fit what is not trained to the training set.

        Args:
            inputs: of all its atoms, ``(M, F)``.
            kinds: ``(M,)``.
            scale: energies' unit, eV.
        """
        del inputs, kinds
        self.scale.fill_(scale)

    @property
    def mapped(self) -> Tensor:
        """Weights that turn vectors into rotations."""
        found = [p for name, p in self.named_parameters() if name.split(".")[-1] == "turn"]
        return torch.cat([p.flatten() for p in found])

    def linear(self, inputs: Tensor, kinds: Tensor) -> Tensor:
        """What no circuit carries, ``(M,)`` eV."""
        del inputs
        return self.scale * self.shift[kinds]

    def energies(self, inputs: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """Atomic energies and variances at one shot of each axis and row, ``(M,)``, eV and eV².

        Args:
            inputs: ``(M, F)``.
            kinds: index of each atom's species, ``(M,)``.
        """
        energy = self.linear(inputs, kinds)
        variance = torch.zeros_like(energy)
        atoms, parts = self.rows(inputs, kinds)
        for circuit, rows in zip(self.circuits, parts, strict=True):
            states = circuit.states(rows.spins, rows.couplings)
            found = (rows.weights * circuit.read(states)).sum(dim=1)
            energy = energy.index_add(0, atoms, found)
            if self.judges_shots or not self.training:
                spread = circuit.variance(states, rows.weights)
                variance = variance.index_add(0, atoms, spread)
        return energy, variance


class SymmetricConfig(BaseModel):
    """Model A's circuit.

    Attributes:
        layers: D.
        symmetry_breaking: a trained RZ on every wire after each layer's exchange, from about
            nothing; the energy is then no longer the same for a turned molecule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["symmetric"] = "symmetric"
    quantum: ClassVar[bool] = True
    layers: int = Field(default=6, ge=1, le=32)
    symmetry_breaking: bool = False


class SymmetricHead(SpinHead):
    """Model A; see the module.

    Args:
        config: which.
        vectors: of the molecule.
        generator: draws the couplings (zero ones would never move).
    """

    def __init__(
        self, config: SymmetricConfig, vectors: LigandVectors, generator: torch.Generator
    ) -> None:
        super().__init__(len(vectors.species))
        self.config, self.vectors = config, vectors
        made = (one_ligand, two_ligands, three_ligands)[vectors.ligands - 1]
        registers = [made(config.layers)]
        if vectors.molecules == 2:
            registers.append(two_molecules(config.layers))
        self.registers = tuple(registers)
        self.circuits = tuple(r.circuit for r in registers)
        self.parts = nn.ModuleList(_Tied(r, config, generator) for r in registers)

    def rows(self, inputs: Tensor, kinds: Tensor) -> tuple[Tensor, tuple[Rows, ...]]:
        """Of central atoms: a row for each image of the register that has most."""
        atoms = (kinds == self.vectors.species.index(self.vectors.center)).nonzero()[:, 0]
        vectors = inputs[atoms].reshape(len(atoms), self.vectors.count // 3, 3)
        m = self.vectors.ligands
        own = torch.ones_like(vectors[:, 0, 0])
        parts = [(vectors[:, :m], self.scale * own)]
        if len(self.registers) == 2:
            apart = 2 * vectors[:, m].norm(dim=1)
            parts.append((vectors[:, m:], 0.5 * self.scale * fade(apart, _REACH)))
        most = max(_count(r) for r in self.registers)
        rows = []
        for register, tied, (given, size) in zip(self.registers, self.parts, parts, strict=True):
            times = most // _count(register)
            found = tied(given, size / most)
            rows.append(Rows(*(t.repeat(times, *[1] * (t.dim() - 1)) for t in found)))
        return atoms.repeat(most), tuple(rows)


class _Tied(nn.Module):
    """Parameters of a register, one for each class and layer."""

    def __init__(
        self, register: Register, config: SymmetricConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.register, layers = register, config.layers
        self.turn = nn.Parameter(torch.ones(layers + 1, 1 + max(register.turned)))
        bonds = torch.randn(layers, 1 + max(register.coupled), generator=generator)
        self.coupling = nn.Parameter(_COUPLING * bonds)
        self.readout = nn.Parameter(torch.ones(1 + max(register.read)))
        if config.symmetry_breaking:
            spread = torch.randn(layers, register.circuit.wires, generator=generator)
            self.breaking = nn.Parameter(1e-3 * spread)
        self.broken = config.symmetry_breaking

    def forward(self, vectors: Tensor, size: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Spins, couplings and weights, image by image; ``size`` is a row's share of the energy."""
        r = self.register
        signs = (1.0, -1.0) if r.mirrored else (1.0,)
        images = [sign * vectors[:, list(image)] for sign in signs for image in r.images]
        carried = torch.cat(images)[:, None, list(r.carried)]  # (R, 1, n, 3)
        spins = rotations(self.turn[:, list(r.turned), None] * carried)
        if self.broken:
            axis = self.breaking.new_tensor([0.0, 0.0, 1.0])
            about = rotations(self.breaking[..., None] * axis)
            spins = torch.cat([spins[:, :1], after(spins[:, 1:], about.expand_as(spins[:, 1:]))], 1)
        couplings = self.coupling[:, list(r.coupled)].expand(len(spins), -1, -1)
        weights = size.repeat(len(images))[:, None] * self.readout[list(r.read)]
        return spins, couplings, weights


def _count(register: Register) -> int:
    return len(register.images) * (2 if register.mirrored else 1)


class BaselineConfig(BaseModel):
    """Model B's baseline.

    Attributes:
        wires: one for each neighbour.
        layers: D.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["baseline"] = "baseline"
    quantum: ClassVar[bool] = True
    layers: int = Field(default=6, ge=1, le=32)


class BaselineHead(SpinHead):
    """Model B's baseline; see the module.

    Args:
        config: which.
        vectors: of the neighbours, an even number.
        generator: draws the couplings.
    """

    def __init__(
        self, config: BaselineConfig, vectors: NearestVectors, generator: torch.Generator
    ) -> None:
        if vectors.neighbours % 2:
            raise ValueError("`neighbours` must be even, as wires start in singlets")
        species, wires = len(vectors.species), vectors.neighbours
        super().__init__(species)
        self.config = config
        circuit = ring(wires, config.layers, 1)
        self.circuits = (circuit,)
        self.turn = nn.Parameter(torch.ones(config.layers + 1, wires))
        bonds = torch.randn(config.layers, circuit.couplings, generator=generator)
        self.coupling = nn.Parameter(_COUPLING * bonds)
        self.readout = nn.Parameter(torch.ones(species))

    def rows(self, inputs: Tensor, kinds: Tensor) -> tuple[Tensor, tuple[Rows, ...]]:
        """A row an atom."""
        carried = inputs.reshape(len(inputs), 1, self.turn.shape[1], 3)
        rows = Rows(
            rotations(self.turn[..., None] * carried),
            self.coupling.expand(len(inputs), -1, -1),
            self.scale * self.readout[kinds][:, None],
        )
        return torch.arange(len(inputs)), (rows,)


class RevisedConfig(BaseModel):
    """Model B revised.

    Attributes:
        wires: n, even.
        layers: D.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["revised"] = "revised"
    quantum: ClassVar[bool] = True
    wires: Literal[2, 4, 6, 8] = 8
    layers: int = Field(default=3, ge=1, le=16)


class RevisedHead(SpinHead):
    """Model B revised; see the module.

    Args:
        config: which.
        vectors: of the environments.
        generator: draws the parameters.
    """

    center: Tensor
    spread: Tensor

    def __init__(
        self, config: RevisedConfig, vectors: SummedVectors, generator: torch.Generator
    ) -> None:
        species, width = len(vectors.species), vectors.vectors
        super().__init__(species)
        self.config, self.width = config, width
        n, layers = config.wires, config.layers
        circuit = ring(n, layers, n)
        self.circuits = (circuit,)
        bonds = layers * circuit.couplings

        def draw(size: float, *shape: int) -> nn.Parameter:
            return nn.Parameter(size * torch.randn(species, *shape, generator=generator))

        self.turn = draw(_TURN / math.sqrt(vectors.radial), width, (layers + 1) * n)
        self.feel = draw(0.1 / math.sqrt(width), width, bonds)
        self.coupling = draw(_COUPLING, bonds)
        self.readout = draw(0.3, len(circuit.reads))
        self.register_buffer("center", torch.zeros(species, width))
        self.register_buffer("spread", torch.ones(species, 2, width))

    @cached_property
    def _shape(self) -> tuple[int, int]:
        return self.config.layers, self.circuits[0].couplings

    def start(self, inputs: Tensor, kinds: Tensor, scale: float) -> None:
        """Centre the scalars, and bring both to a common size, soft for what hardly varies."""
        super().start(inputs, kinds, scale)
        vectors, scalars = (
            inputs[:, : 3 * self.width].reshape(len(inputs), self.width, 3),
            inputs[:, -self.width :],
        )
        for kind in range(len(self.shift)):
            if not bool((kinds == kind).any()):
                continue
            of = scalars[kinds == kind]
            self.center[kind] = of.mean(dim=0)
            sizes = (
                vectors[kinds == kind].square().sum(dim=2).mean(dim=0),
                (of - of.mean(dim=0)).square().mean(dim=0),
            )
            for place, size in enumerate(sizes):
                self.spread[kind, place] = 1 / (size + 0.05 * size.mean() + 1e-24).sqrt()

    def rows(self, inputs: Tensor, kinds: Tensor) -> tuple[Tensor, tuple[Rows, ...]]:
        """A row an atom and, behind them, a row each for the inverted environment."""
        layers, bonds = self._shape
        vectors = inputs[:, : 3 * self.width].reshape(len(inputs), self.width, 3)
        turned = vectors.new_zeros(len(inputs), self.turn.shape[2], 3)
        coupled = vectors.new_zeros(len(inputs), self.feel.shape[2])
        for kind in range(len(self.shift)):
            rows = (kinds == kind).nonzero()[:, 0]
            turn = self.spread[kind, 0, :, None] * self.turn[kind]
            turned = turned.index_copy(0, rows, torch.einsum("mkx,ku->mux", vectors[rows], turn))
            feel = self.spread[kind, 1, :, None] * self.feel[kind]
            scalars = inputs[rows][:, -self.width :] - self.center[kind]
            coupled = coupled.index_copy(0, rows, scalars @ feel + self.coupling[kind])
        turned = turned.reshape(len(inputs), layers + 1, self.config.wires, 3)
        couplings = coupled.reshape(len(inputs), layers, bonds).repeat(2, 1, 1)
        weights = (0.5 * self.scale * self.readout[kinds]).repeat(2, 1)
        spins = rotations(torch.cat([turned, -turned]))
        return torch.arange(len(inputs)).repeat(2), (Rows(spins, couplings, weights),)
