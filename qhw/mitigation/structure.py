"""``structure``: what a model's exact outcomes must look like, used as a prior on noisy ones.

Only for models that declare it and whose exact outcomes obey it (:func:`checked_structure`). In
this order:

1. background: outcomes that must be empty measure the floor that noise put under all of them,
   which is subtracted; no shot is spent on it;
2. blocks: every atom's outcomes are scaled to their known sum;
3. types: the largest of an atom's four type outcomes gets all that belongs to them.

Blocks alone would make the floor part of the coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from backends.base import CircuitBatch
from qhw.chem.encoding import N_AMPLITUDES, Slots, decode, slots
from qhw.chem.structure import MoleculeStructure
from qhw.mitigation.base import DISTRIBUTION, Context, Estimate, MitigationError, Quantity

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

OBEYED = 0.02
"""Largest total variation by which the step may move a model's exact distributions on average."""
_TYPE_SHARE = 0.25
_STEP = 1e-4
"""Standard deviations of a calibration's errors in a derivative: no type changes within them."""


@dataclass(frozen=True)
class Structure:
    """``structure``: background, blocks and types, last in a pipeline."""

    name: ClassVar[str] = "structure"
    rank: ClassVar[int] = 3
    valid_for: ClassVar[frozenset[Quantity]] = DISTRIBUTION

    def __str__(self) -> str:
        return "structure"

    @property
    def circuits(self) -> int:
        """The circuit itself."""
        return 1

    @property
    def needs(self) -> tuple[str, ...]:
        """A model whose exact outcomes are molecules: a prior, not a measurement."""
        return ("model prior: exact outcomes are encoded molecules",)

    def build(self, batch: CircuitBatch, context: Context) -> StructureStep:
        """The circuit itself.

        Raises:
            MitigationError: the model declares no structure, or measures something else.
        """
        if context.structure is None:
            raise MitigationError(
                "structure must have a model that declares its outcomes to be encoded molecules, "
                "but this one does not"
            )
        if 2**batch.compiled.n_measured != N_AMPLITUDES:
            raise MitigationError(
                f"structure must have circuits that measure {N_AMPLITUDES} outcomes, but this one "
                f"measures {2**batch.compiled.n_measured}"
            )
        return StructureStep((batch,), context.structure)


@dataclass(frozen=True, eq=False)
class StructureStep:
    """One batch, to be corrected.

    Attributes:
        batches: the circuit.
        structure: of its exact outcomes.
    """

    batches: tuple[CircuitBatch, ...]
    structure: MoleculeStructure

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """The nearest thing to a molecule; error bars are those given the atoms and their types."""
        del context
        return structured(results[0], self.structure)


def checked_structure(structure: MoleculeStructure | None, exact: FloatArray) -> MoleculeStructure:
    """A model's structure, refused where its own exact distributions violate it.

    Args:
        structure: as the model declares it.
        exact: ``(B, 128)`` exact distributions of the model.

    Raises:
        MitigationError: none is declared, or the step would move exact distributions by more than
            a total variation of :data:`OBEYED` on average.
    """
    if structure is None:
        raise MitigationError(
            "structure must have a model that declares its outcomes to be encoded molecules, but "
            "this one does not"
        )
    cleaned = structured(Estimate(exact, np.zeros_like(exact)), structure).values
    moved = float(0.5 * np.abs(cleaned - exact).sum(axis=1).mean())
    if moved > OBEYED:
        leak = float(exact[:, structure.empty].sum(axis=1).mean())
        raise MitigationError(
            f"structure must have a model whose exact outcomes are encoded molecules within a "
            f"total variation of {OBEYED:g}, but these are {moved:.2g} away ({leak:.1%} of their "
            "weight lies where none may be)"
        )
    return structure


def structured(measured: Estimate, structure: MoleculeStructure) -> Estimate:
    """Background, blocks and types, in that order.

    Args:
        measured: ``(B, 128)`` frequencies or quasi-probabilities.
        structure: of the exact outcomes.
    """
    counts = atom_counts(subtract_background(measured, structure).values, structure)
    found = _cleaned(measured, structure, counts)
    moved = [
        _cleaned(replace(measured, values=measured.values + _STEP * change), structure, counts)
        for change in measured.common
    ]
    common = [(m.values - found.values) / _STEP for m in moved]
    record = {"background": found.record["background"].tolist(), "atoms": counts.tolist()}
    return Estimate(
        found.values, found.variance, 0, measured.record, common=np.array(common)
    ).noted(structure=record)


def _cleaned(measured: Estimate, structure: MoleculeStructure, counts: IntArray) -> Estimate:
    flat = subtract_background(measured, structure, counts)
    return snap_types(normalise_blocks(flat, structure, counts), structure, counts)


def subtract_background(
    measured: Estimate, structure: MoleculeStructure, counts: IntArray | None = None
) -> Estimate:
    """Take the floor, measured by outcomes that must be empty, from the others.

    Noise of circuits that load a state does not spread evenly: beyond the last atom it lies lower
    than around the atoms, and highest beside a filled type. So an atom's floor is the mean of
    both: of the outcomes no molecule fills, and of the atom's three lowest types. The rest is not
    scaled up: blocks are scaled afterwards.

    Args:
        measured: ``(B, 128)`` frequencies or quasi-probabilities.
        structure: of the exact outcomes.
        counts: atoms of every row ``(B,)``; without them all have the floor of the outcomes that
            no molecule fills.
    """
    empty = structure.empty
    floor = np.repeat(measured.values[:, empty].mean(axis=1)[:, None], N_AMPLITUDES, axis=1)
    far = measured.variance[:, empty].sum(axis=1)[:, None] / len(empty) ** 2
    spread = np.repeat(far, N_AMPLITUDES, axis=1)
    for _, rows, where in [] if counts is None else _by_count(structure, counts):
        types = (rows[:, None, None], where.types)
        near = np.sort(measured.values[types], axis=-1)[..., :3].mean(axis=-1)[..., None]
        near_spread = measured.variance[types].mean(axis=-1)[..., None] / 3
        index = (rows[:, None, None], _block(where))
        floor[index] = (floor[index] + near) / 2
        spread[index] = (spread[index] + near_spread) / 4
    values, variance = measured.values - floor, measured.variance + spread
    return Estimate(values, variance, 0, measured.record).noted(background=floor.mean(axis=1))


def atom_counts(values: FloatArray, structure: MoleculeStructure) -> IntArray:
    """Number of atoms of every row ``(B,)``: that of the molecule that fits best."""
    roots = np.sqrt(np.maximum(values, 0.0))
    return decode(roots, layout=structure.layout, box=structure.box).counts


def normalise_blocks(
    measured: Estimate, structure: MoleculeStructure, counts: IntArray
) -> Estimate:
    """Scale every atom's outcomes to the sum ``1/n``; negative ones and those of no atom become 0.

    Args:
        measured: ``(B, 128)``.
        structure: of the exact outcomes.
        counts: atoms of every row ``(B,)``.
    """
    values, variance = np.zeros_like(measured.values), np.zeros_like(measured.variance)
    for n, rows, where in _by_count(structure, counts):
        index = (rows[:, None, None], _block(where))
        values[index], variance[index] = _scaled(
            measured.values[index], measured.variance[index], 1.0 / n
        )
    return Estimate(values, variance, 0, measured.record)


def snap_types(measured: Estimate, structure: MoleculeStructure, counts: IntArray) -> Estimate:
    """The largest type outcome of every atom gets ``1/(4n)``, its place and auxiliary the rest.

    Args:
        measured: ``(B, 128)`` with normalised blocks.
        structure: of the exact outcomes.
        counts: atoms of every row ``(B,)``.
    """
    values, variance = measured.values.copy(), measured.variance.copy()
    for n, rows, where in _by_count(structure, counts):
        types = (rows[:, None, None], where.types)
        best = measured.values[types].argmax(axis=-1)[..., None] == np.arange(4)
        values[types] = best * _TYPE_SHARE / n
        variance[types] = 0.0
        rest = (rows[:, None, None], np.concatenate([where.places, where.aux[:, None]], axis=1))
        values[rest], variance[rest] = _scaled(
            measured.values[rest], measured.variance[rest], (1.0 - _TYPE_SHARE) / n
        )
    return Estimate(values, variance, 0, measured.record)


def _block(where: Slots) -> IntArray:
    """Outcomes of every atom ``(n, 8)``."""
    return np.concatenate([where.places, where.types, where.aux[:, None]], axis=1)


def _by_count(structure: MoleculeStructure, counts: IntArray) -> list[tuple[int, IntArray, Slots]]:
    return [
        (int(n), np.flatnonzero(counts == n), slots(structure.layout, int(n)))
        for n in np.unique(counts)
    ]


def _scaled(
    values: FloatArray, variance: FloatArray, total: float
) -> tuple[FloatArray, FloatArray]:
    """Last axis scaled to a sum, negative values cut; variances as of independent values.

    ``x_j = t v_j / sum_k v_k`` has ``dx_j = t (dv_j - x_j/t sum_k dv_k) / sum_k v_k``. Where
    nothing is left, the sum is divided evenly.
    """
    cut = np.maximum(values, 0.0)
    whole = cut.sum(axis=-1, keepdims=True)
    size = values.shape[-1]
    share = np.divide(cut, whole, where=whole > 0, out=np.full_like(cut, 1.0 / size))
    own = (1 - 2 * share) * variance + share**2 * variance.sum(axis=-1, keepdims=True)
    spread = np.divide(own, whole**2, where=whole > 0, out=np.full_like(cut, 1.0))
    return total * share, total**2 * spread
