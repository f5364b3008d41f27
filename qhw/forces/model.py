"""A trained force field: energies and forces of molecules, and the circuits of their atoms."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, model_validator
from torch import Tensor

from qhw.chem.geometries import FloatArray, Geometries, check_geometry
from qhw.chem.molecule import MoleculeBatch
from qhw.circuits.workload import Workload
from qhw.forces.closed_form import ClosedForm
from qhw.forces.heads import Head, HeadConfig
from qhw.forces.invariants import Invariants, InvariantsConfig
from qhw.forces.projected import kinds_of
from qhw.models.base import AbilityError, Model

_FRAMES_AT_ONCE = 32
Derived = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class ForceFieldConfig(BaseModel):
    """What a force field is.

    Attributes:
        invariants: of atoms' environments.
        head: what turns them into energies.
        reference: energy of an atom of each species, eV; what the head gives is added.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    invariants: InvariantsConfig
    head: HeadConfig = HeadConfig()
    reference: tuple[float, ...]

    @model_validator(mode="after")
    def _one_each(self) -> ForceFieldConfig:
        if len(self.reference) != len(self.invariants.species):
            raise ValueError("`reference` must have one energy for every species")
        return self


class ForceField(Model):
    """Energies of molecules as sums over atoms, each a function of its environment's invariants.

    Args:
        config: what it is.
        generator: of weights that are replaced by trained ones.
    """

    kind: ClassVar[str] = "force-field"
    Config: ClassVar[type[BaseModel]] = ForceFieldConfig
    config: ForceFieldConfig

    def __init__(self, config: ForceFieldConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.invariants = Invariants(config.invariants)
        species = len(config.invariants.species)
        self.center: Tensor
        self.register_buffer("center", torch.zeros(species, self.invariants.count))
        self.head = Head(config.head, species, self.invariants.count, generator)

    def loss(self, molecules: MoleculeBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Not of molecules without energies.

        Raises:
            AbilityError: always; see :mod:`qhw.forces.training`.
        """
        del molecules, generator
        raise AbilityError(
            f"Model kind {self.kind} is trained on energies and forces: `data` of its config "
            "must name a file of them"
        )

    def energy(self, geometries: Geometries) -> Tensor:
        """Energies ``(B,)``, eV.

        Raises:
            GeometryError: a species it does not know, atoms too close, positions not finite.
        """
        return self._energies(*self._tensors(geometries))

    def energy_and_forces(self, geometries: Geometries) -> tuple[FloatArray, FloatArray]:
        """Energies ``(B,)`` eV and forces ``(B, A, 3)`` eV/Å, zero where there is no atom.

        Raises:
            GeometryError: see :meth:`energy`.
        """
        numbers, positions = self._tensors(geometries)
        derived = self._derived()
        parts = [
            derived(there, places)
            for there, places in zip(
                *(torch.split(part, _FRAMES_AT_ONCE) for part in (numbers, positions)), strict=True
            )
        ]
        energies, slopes = (torch.cat(part) for part in zip(*parts, strict=True))
        return energies.numpy(), -slopes.double().numpy()

    def circuits(self, geometries: Geometries) -> Workload:
        """The circuit of every atom, a row each, frame by frame: what a device is sent.

        Its exact expectation values of :meth:`observables`, weighed by :meth:`readout`, and
        :meth:`classical` add up to :meth:`energy`.

        Raises:
            AbilityError: its head has no circuit.
            GeometryError: see :meth:`energy`.
        """
        self._check_quantum()
        numbers, positions = self._tensors(geometries)
        inputs, kinds = self._inputs(numbers, positions)
        with torch.no_grad():
            angles = self.head.units(inputs, kinds).double().numpy()
        names = tuple(
            f"frame {frame + 1} atom {atom + 1}" for frame, atom in np.argwhere(geometries.numbers)
        )
        return self.config.head.circuit.workload(angles, names)

    def observables(self) -> tuple[str, ...]:
        """Pauli strings that every atom's circuit is read by, wire 0 leftmost."""
        self._check_quantum()
        return self.config.head.circuit.observables

    def readout(self, geometries: Geometries) -> FloatArray:
        """Weight of every observable for every row of :meth:`circuits`, ``(M, reads)`` eV."""
        self._check_quantum()
        numbers, _ = self._tensors(geometries)
        kinds = kinds_of(numbers, self.config.invariants.species)
        return self.head.readout.detach()[kinds[kinds >= 0]].double().numpy()

    def classical(self, geometries: Geometries) -> FloatArray:
        """What no circuit carries: reference energies and bypass, ``(B,)`` eV."""
        numbers, positions = self._tensors(geometries)
        inputs, kinds = self._inputs(numbers, positions)
        with torch.no_grad():
            found = self._summed(self.head.linear(inputs, kinds), numbers)
        return found.double().numpy()

    def shot_variance(self, geometries: Geometries) -> FloatArray:
        """Variance of the energy at one shot of every atom's circuit, ``(B,)`` eV²."""
        numbers, positions = self._tensors(geometries)
        found = positions.new_zeros(numbers.shape)
        for first in range(0, len(numbers), _FRAMES_AT_ONCE):
            rows = slice(first, first + _FRAMES_AT_ONCE)
            with torch.no_grad():
                _, variance = self.head.energies(*self._inputs(numbers[rows], positions[rows]))
            found[rows][numbers[rows] > 0] = variance
        return found.sum(dim=1).double().numpy()

    def _energies(self, numbers: Tensor, positions: Tensor) -> Tensor:
        atomic, _ = self.head.energies(*self._inputs(numbers, positions))
        return self._summed(atomic, numbers)

    def _derived(self) -> Derived:
        """What gives frames' energies ``(B,)`` and slopes ``(B, A, 3)``, of the weights as now."""
        closed = ClosedForm(self.invariants, self.center, self.head)

        def derived(numbers: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
            atomic, slopes = closed(numbers, positions)
            return self._summed(atomic[numbers > 0], numbers), slopes

        return derived

    def _inputs(self, numbers: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Centred invariants ``(M, F)`` of atoms that exist, and their kinds ``(M,)``."""
        exists = numbers > 0
        kinds = kinds_of(numbers, self.config.invariants.species)[exists]
        return self.invariants.of(numbers, positions)[exists] - self.center[kinds], kinds

    def _summed(self, atomic: Tensor, numbers: Tensor) -> Tensor:
        """Energies ``(B,)`` of atomic ones ``(M,)``, frame by frame, reference energies added."""
        exists = numbers > 0
        kinds = kinds_of(numbers, self.config.invariants.species)[exists]
        frames = exists.nonzero()[:, 0]
        reference = torch.tensor(self.config.reference, dtype=torch.float64)
        total = torch.zeros(len(numbers), dtype=torch.float64)
        return total.index_add(0, frames, atomic.double() + reference[kinds])

    def _tensors(self, geometries: Geometries) -> tuple[Tensor, Tensor]:
        check_geometry(geometries, self.config.invariants.species, "geometries")
        numbers = torch.from_numpy(geometries.numbers)
        return numbers, torch.from_numpy(geometries.positions).to(self.center.dtype)

    def _check_quantum(self) -> None:
        if not self.config.head.quantum:
            raise AbilityError(f"A head of kind {self.config.head.kind} has no circuit")
