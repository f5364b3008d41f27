"""A training set as heads see it: inputs, their derivatives, what is wanted; and errors on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qhw.chem.geometries import Geometries
from qhw.forces.atom_head import AtomHead
from qhw.forces.invariants import Invariants
from qhw.forces.projected import kinds_of, project, project_slopes, slopes_in_chunks
from qhw.forces.ridge import Ridge

_MILLI = 1000.0


@dataclass(frozen=True, eq=False)
class LabelledInputs:
    """Frames as a head sees them.

    Attributes:
        kinds: index of each atom's species, -1 where there is no atom, ``(N, A)``.
        inputs: ``(N, A, K)``.
        slopes: derivatives of the inputs by coordinates, ``(N, A * K, 3 A)``.
        energies: ``(N,)`` eV, less the reference energies of the composition.
        gradients: of the energy by coordinates, ``(N, 3 A)`` eV/Å: forces with the other sign.
    """

    kinds: Tensor
    inputs: Tensor
    slopes: Tensor
    energies: Tensor
    gradients: Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: Tensor | slice) -> LabelledInputs:
        parts = (self.kinds, self.inputs, self.slopes, self.energies, self.gradients)
        return LabelledInputs(*(part[rows] for part in parts))

    def predicted(self, head: AtomHead, *, training: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Energies ``(N,)``, gradients ``(N, 3 A)`` and one-shot variances ``(N,)`` of a head.

        Args:
            head: any.
            training: keep what is needed to derive the gradients by the head's weights.
        """
        count, atoms, width = self.inputs.shape
        frames, places = (self.kinds >= 0).nonzero(as_tuple=True)
        inputs = self.inputs.detach().requires_grad_()
        atomic, variance = head.energies(inputs[frames, places], self.kinds[frames, places])
        zero = inputs.new_zeros(count)
        energies = zero.index_add(0, frames, atomic)
        if not atomic.requires_grad:
            return energies, zero[:, None].expand(count, 3 * atoms), zero
        (each,) = torch.autograd.grad(
            energies.sum(), inputs, create_graph=training, materialize_grads=True
        )
        gradients = torch.bmm(each.reshape(count, 1, atoms * width), self.slopes)[:, 0]
        return energies, gradients, zero.index_add(0, frames, variance)

    @property
    def components(self) -> Tensor:
        """Which of the gradient's components are of atoms that exist, ``(N, 3 A)``."""
        return (self.kinds >= 0).repeat_interleave(3, dim=1)


def labelled_inputs(
    invariants: Invariants,
    geometries: Geometries,
    ridge: Ridge,
    dtype: torch.dtype,
    title: str = "",
) -> LabelledInputs:
    """All frames at once, for training."""
    names = ("kinds", "inputs", "slopes", "energies", "gradients")
    made: list[Tensor] = []
    done = 0
    for part in in_chunks(
        invariants, geometries, ridge, dtype, title
    ):  # held once: slopes are gigabytes
        values = [getattr(part, name) for name in names]
        if not made:
            made = [value.new_empty(len(geometries), *value.shape[1:]) for value in values]
        for whole, value in zip(made, values, strict=True):
            whole[done : done + len(part)] = value
        done += len(part)
    return LabelledInputs(*made)


def in_chunks(
    invariants: Invariants,
    geometries: Geometries,
    ridge: Ridge,
    dtype: torch.dtype,
    title: str = "",
) -> Iterator[LabelledInputs]:
    """Some frames at a time."""
    assert geometries.energies is not None
    assert geometries.forces is not None
    numbers = torch.from_numpy(geometries.numbers)
    species = invariants.config.species
    counts = torch.stack([(numbers == z).sum(1) for z in species], 1).double()
    energies = torch.from_numpy(geometries.energies) - counts @ ridge.reference
    gradients = -torch.from_numpy(geometries.forces).flatten(1)
    kinds = kinds_of(numbers, species)
    for rows, values, slopes in slopes_in_chunks(invariants, geometries, dtype, title):
        there = kinds[rows]
        yield LabelledInputs(
            there,
            project(values, there, ridge.projection),
            project_slopes(slopes, there, ridge.projection).flatten(1, 2),
            energies[rows].to(dtype),
            gradients[rows].to(dtype),
        )


def errors(
    heads: Mapping[str, AtomHead], parts: Iterator[LabelledInputs]
) -> dict[str, dict[str, float]]:
    """Mean absolute errors of heads, by the heads' names.

    Returns:
        For each ``energy_mae`` (meV, of the molecule), ``force_mae`` (meV/Å, of components), and of
        circuits ``shot_sigma`` (meV): standard deviation of the energy at one shot an atom.
    """
    sums = {name: np.zeros(3) for name in heads}
    frames, components = 0, 0
    for part in parts:
        there = part.components
        frames += len(part)
        components += int(there.sum())
        for name, head in heads.items():
            energy, gradient, variance = part.predicted(head, training=False)
            with torch.no_grad():
                off = (gradient - part.gradients)[there].abs().double().sum()
                sums[name] += (
                    float((energy - part.energies).abs().double().sum()),
                    float(off),
                    float(variance.double().sum()),
                )
    found = {}
    for name, total in sums.items():
        found[name] = {
            "energy_mae": _MILLI * float(total[0]) / frames,
            "force_mae": _MILLI * float(total[1]) / components,
        }
        if heads[name].config.quantum:
            found[name]["shot_sigma"] = _MILLI * float(np.sqrt(total[2] / frames))
    return found
