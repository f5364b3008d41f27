"""Force fields whose circuits turn with the molecule: models A (``siqnn``) and B."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, model_validator
from qiskit import QuantumCircuit
from torch import Tensor

from qhw.chem.geometries import FloatArray, Geometries
from qhw.circuits.workload import Workload
from qhw.forces.exchange import Gates
from qhw.forces.model import Derived, ForceField
from qhw.forces.spin_heads import (
    BaselineConfig,
    BaselineHead,
    RevisedConfig,
    RevisedHead,
    Rows,
    SpinHead,
    SymmetricConfig,
    SymmetricHead,
)
from qhw.forces.vectors import LigandVectors, NearestVectors, SummedVectors, Vectors
from qhw.models.base import Model


class _Config(BaseModel):
    """What every kind's config has: ``vectors``, ``head`` and ``reference`` energies, eV."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vectors: Any
    head: Any
    reference: tuple[float, ...]

    @model_validator(mode="after")
    def _one_each(self) -> _Config:
        if len(self.reference) != len(self.vectors.species):
            raise ValueError("`reference` must have one energy for every species")
        return self

    @property
    def invariants(self) -> Vectors:
        """Under the name that all force fields have."""
        found: Vectors = self.vectors
        return found


class SymmetricFieldConfig(_Config):
    """Model A."""

    vectors: LigandVectors
    head: SymmetricConfig = SymmetricConfig()


class BaselineFieldConfig(_Config):
    """Model B's baseline."""

    vectors: NearestVectors
    head: BaselineConfig = BaselineConfig()


class RevisedFieldConfig(_Config):
    """Model B revised."""

    vectors: SummedVectors
    head: RevisedConfig = RevisedConfig()


class SpinField(ForceField):
    """A force field that a :class:`qhw.forces.spin_heads.SpinHead` gives.

    Args:
        config: what it is.
        generator: of the weights at the start.
    """

    config: Any
    head_class: ClassVar[Any]
    head: Any

    def __init__(self, config: _Config, generator: torch.Generator) -> None:
        Model.__init__(self)
        self.config = config
        self.invariants = config.vectors
        species = len(config.vectors.species)
        self.register_buffer("center", torch.zeros(species, config.vectors.count))
        self.head = self.head_class(config.head, config.vectors, generator)

    def circuits(self, geometries: Geometries, gates: Gates = "cx") -> Workload:
        """The circuits of all atoms that have one, row by row: what a device is sent.

        Its exact expectation values of :meth:`observables`, weighed by :meth:`readout` and summed
        over the rows of a frame (:meth:`frames_of`), and :meth:`classical` add up to
        :meth:`energy`. Circuits of several registers stand side by side, the first on the
        leftmost wires.

        Args:
            geometries: B frames.
            gates: exchange as three ``cx``, or as three ``rzz`` of its own angle.

        Raises:
            GeometryError: see :meth:`energy`.
        """
        atoms, parts = self._rows(geometries)
        circuit, columns = self._side_by_side(gates)
        angles = np.concatenate(
            [
                c.angles(p.spins, p.couplings)
                for c, p in zip(self._head.circuits, parts, strict=True)
            ],
            axis=1,
        )
        seen: dict[int, int] = {}
        places = np.argwhere(geometries.numbers)
        names = []
        for atom in atoms.tolist():
            seen[atom] = seen.get(atom, 0) + 1
            frame, place = places[atom]
            names.append(f"frame {frame + 1} atom {place + 1} image {seen[atom]}")
        rows = {"row": names, **dict(zip(columns, angles.T, strict=True))}
        return Workload.of(circuit, rows, name="spins")

    def observables(self) -> tuple[str, ...]:
        """Pauli strings that every row is read by, wire 0 leftmost."""
        total = sum(c.wires for c in self._head.circuits)
        found, before = [], 0
        for circuit in self._head.circuits:
            behind = total - before - circuit.wires
            found += ["I" * before + one + "I" * behind for one in circuit.observables]
            before += circuit.wires
        return tuple(found)

    def readout(self, geometries: Geometries) -> FloatArray:
        """Weight of every observable for every row of :meth:`circuits`, ``(R, reads)`` eV."""
        _, parts = self._rows(geometries)
        weights = [p.weights.repeat_interleave(3, dim=1) for p in parts]
        return torch.cat(weights, dim=1).double().numpy()

    def frames_of(self, geometries: Geometries) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Frame of every row of :meth:`circuits`, ``(R,)``."""
        atoms, _ = self._rows(geometries)
        frames: np.ndarray[tuple[int], np.dtype[np.int64]] = np.argwhere(geometries.numbers)[
            atoms.numpy(), 0
        ]
        return frames

    @property
    def _head(self) -> SpinHead:
        found: SpinHead = self.head
        return found

    def _rows(self, geometries: Geometries) -> tuple[Tensor, tuple[Rows, ...]]:
        with torch.no_grad():
            return self._head.rows(*self._inputs(*self._tensors(geometries)))

    def _side_by_side(self, gates: Gates) -> tuple[QuantumCircuit, list[str]]:
        """All registers' circuits as one, and its parameters' names in the order of the angles."""
        shapes = self._head.circuits
        whole = QuantumCircuit(sum(c.wires for c in shapes), name="spins")
        below, columns = whole.num_qubits, []
        for place, shape in enumerate(shapes):
            one = shape.circuit(gates, name="ab"[place])
            below -= shape.wires
            whole.compose(one, range(below, below + shape.wires), inplace=True)
            columns += [f"{'ab'[place]}[{i}]" for i in range(one.num_parameters)]
        return whole, columns

    def _derived(self) -> Derived:
        def derived(numbers: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
            places = positions.clone().requires_grad_()
            energies = self._energies(numbers, places)
            (slopes,) = torch.autograd.grad(energies.sum(), places)
            return energies.detach(), slopes

        return derived

    def _tensors(self, geometries: Geometries) -> tuple[Tensor, Tensor]:
        found = super()._tensors(geometries)
        self.config.vectors.check(geometries, "geometries")
        return found


class SymmetricField(SpinField):
    """Model A: symmetry-invariant circuit of one molecule, or of two and what is between them."""

    kind: ClassVar[str] = "siqnn"
    Config: ClassVar[type[BaseModel]] = SymmetricFieldConfig
    head_class: ClassVar[Any] = SymmetricHead


class BaselineField(SpinField):
    """Model B's baseline: nearest neighbours, one a wire."""

    kind: ClassVar[str] = "environment-qnn-baseline"
    Config: ClassVar[type[BaseModel]] = BaselineFieldConfig
    head_class: ClassVar[Any] = BaselineHead


class RevisedField(SpinField):
    """Model B revised: radius and direction apart, parameters by species, all neighbours."""

    kind: ClassVar[str] = "environment-qnn"
    Config: ClassVar[type[BaseModel]] = RevisedFieldConfig
    head_class: ClassVar[Any] = RevisedHead
