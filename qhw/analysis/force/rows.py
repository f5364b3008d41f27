"""The circuits that energies and forces of molecules need, and what is made of their values.

All reads are diagonal, so one setting gives a whole atomic energy: one observable a species, the
read-out of its atoms. Energies and forces are sums of these values over rows of angles, and a
classical part, so that their error bars follow from those of the values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from qhw.analysis.expect.gradient import shifted_rows
from qhw.chem.geometries import FloatArray, Geometries
from qhw.circuits.workload import Workload
from qhw.forces.model import ForceField
from qhw.forces.projected import kinds_of
from qhw.forces.slopes import slopes_of
from qhw.mitigation.observables import Observable

ForceRule = Literal["shift", "finite", "classical"]

STEP = 0.01
"""Å that coordinates are moved by in finite differences, either way."""


@dataclass(frozen=True, eq=False)
class Values:
    """What the R rows of :class:`ForceRows` gave, each by the observable of its atom's species.

    Attributes:
        values: ``(R,)`` eV.
        own_error: standard errors that no other row shares, ``(R,)``.
        common: what each error of a shared calibration changes, ``(C, R)``.
    """

    values: FloatArray
    own_error: FloatArray
    common: FloatArray


@dataclass(frozen=True, eq=False)
class ForceRows:
    """Everything that runs for B frames of A places for atoms.

    Attributes:
        work: R rows; the atoms' own first.
        outcomes: weight of every read in eV, of the species that occur, ``(K, reads)``.
        observables: the same as Pauli sums.
        column: observable of every row, ``(R,)``.
        weights: ``(B [+ 3 A B], R)``: energies, then forces, are these sums of values.
        offset: what no circuit carries of them, eV and eV/Å.
        frames: B.
        atoms: A.
        counts: atoms that exist, ``(B,)``.
    """

    work: Workload
    outcomes: FloatArray
    observables: tuple[str, ...]
    column: NDArray[np.int64]
    weights: csr_array
    offset: FloatArray
    frames: int
    atoms: int
    counts: NDArray[np.int64]

    def combined(self, values: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Energies ``(B,)`` and forces ``(B, A, 3)``, ``None`` where only energies are wanted."""
        return self._split(self.weights @ values + self.offset)

    def errors(self, found: Values) -> tuple[FloatArray, FloatArray | None]:
        """Standard errors of :meth:`combined`: rows are independent but for a calibration."""
        variance = self.weights.power(2) @ found.own_error**2
        for part in found.common:
            variance = variance + (self.weights @ part) ** 2
        return self._split(np.sqrt(variance))

    def _split(self, flat: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        forces = flat[self.frames :]
        if not len(forces):
            return flat, None
        return flat[: self.frames], forces.reshape(self.frames, self.atoms, 3)


def force_rows(model: ForceField, frames: Geometries, rule: ForceRule | None) -> ForceRows:
    """What runs for energies, and for forces by a rule.

    Args:
        model: with a circuit, in double precision.
        frames: molecules.
        rule: ``shift``: the circuits at shifted angles, chained to coordinates, exact but for shots
            and noise; ``finite``: the circuits of moved atoms, wrong by the square of
            :data:`STEP`; ``classical``: no circuit more, the read-out's slope from the exact
            circuit as simulated here, so that the device has no part in forces; ``None``: energies
            only.

    Raises:
        AbilityError: a model without a circuit.
        GeometryError: as :meth:`ForceField.energy`.
    """
    work = model.circuits(frames)
    kinds = _kinds(model, frames)
    present = np.unique(kinds)
    frame = np.nonzero(frames.numbers)[0]
    base = csr_array((np.ones(len(work)), (frame, np.arange(len(work)))))
    owner: NDArray[np.int64] = np.arange(len(work))
    weights, offset = base, model.classical(frames)
    if rule == "shift":
        work, owner, forces, rest = _shifted(model, frames, work)
    elif rule == "finite":
        work, owner, forces, rest = _moved(model, frames, work)
    elif rule == "classical":
        rest = model.energy_and_forces(frames)[1].ravel()
        forces = csr_array((len(rest), len(work)))
    if rule is not None:
        base.resize((len(frames), len(work)))
        weights = csr_array(vstack([base, forces]))
        offset = np.concatenate([offset, rest])
    outcomes = model.head.readout.detach().double().numpy()[present]
    names = model.observables()
    return ForceRows(
        work,
        outcomes,
        tuple(str(Observable.of(dict(zip(names, row, strict=True)))) for row in outcomes.tolist()),
        np.searchsorted(present, kinds[owner]),
        weights,
        offset,
        len(frames),
        frames.numbers.shape[1],
        (frames.numbers > 0).sum(axis=1),
    )


def _kinds(model: ForceField, frames: Geometries) -> NDArray[np.int64]:
    numbers = torch.from_numpy(frames.numbers[frames.numbers > 0])
    return kinds_of(numbers, model.config.invariants.species).numpy()


_Parts = tuple[Workload, NDArray[np.int64], csr_array, FloatArray]


def _shifted(model: ForceField, frames: Geometries, work: Workload) -> _Parts:
    """Rows, the atom of each, forces by rows, and their classical part."""
    slopes = slopes_of(model, frames)
    units = slopes.angles.shape[1]
    shifted = shifted_rows(work, [f"a[{i}]" for i in range(units)])
    at, column = shifted.weights.nonzero()
    owner = np.arange(len(shifted.work))
    owner[column] = at // units
    atoms, each = frames.numbers.shape[1], slopes.angles.shape[2]
    frame = np.nonzero(frames.numbers)[0]
    m, p, i = np.indices(slopes.angles.shape)
    chain = csr_array(
        (slopes.angles.ravel(), ((frame[m] * each + i).ravel(), (m * units + p).ravel())),
        shape=(len(frames) * 3 * atoms, len(work) * units),
    )
    return shifted.work, owner, csr_array(-(chain @ shifted.weights)), -slopes.classical.ravel()


def _moved(model: ForceField, frames: Geometries, work: Workload) -> _Parts:
    """As :func:`_shifted`, coordinate by coordinate; the classical part is derived exactly."""
    frame = np.nonzero(frames.numbers)[0]
    owners: list[NDArray[np.int64]] = [np.arange(len(work))]
    rows, labels = [work.angles], list(work.row_names)
    at: list[int] = []
    columns: list[int] = []
    signs: list[float] = []
    start = len(work)
    each = 3 * frames.numbers.shape[1]
    for atom in range(frames.numbers.shape[1]):
        for axis, sign in ((axis, sign) for axis in range(3) for sign in (1, -1)):
            moved = frames.positions.copy()
            moved[:, atom, axis] += sign * STEP * (frames.numbers[:, atom] > 0)
            found = model.circuits(replace(frames, positions=moved))
            concerned = (frames.numbers[:, atom] > 0)[frame]
            rows.append(found.angles[concerned])
            owners.append(np.flatnonzero(concerned))
            way = f"{'xyz'[axis]} {sign * STEP:+g}"
            labels += [f"{work.row_names[m]}, atom {atom + 1} {way}" for m in owners[-1]]
            at += (frame[concerned] * each + 3 * atom + axis).tolist()
            columns += range(start, start + len(owners[-1]))
            signs += [-sign / (2 * STEP)] * len(owners[-1])
            start += len(owners[-1])
    more = replace(work, angles=np.concatenate(rows), row_names=tuple(labels), known=None)
    forces = csr_array((signs, (at, columns)), shape=(len(frames) * each, len(more)))
    return more, np.concatenate(owners), forces, -slopes_of(model, frames).classical.ravel()
