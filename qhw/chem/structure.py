"""What is known beforehand of distributions that are encoded molecules, and the nearest such.

In this order:

1. background: outcomes that must be empty measure the floor that noise put under all of them,
   which is subtracted; no shot is spent on it;
2. blocks: every atom's outcomes are scaled to their known sum;
3. types: the largest of an atom's four type outcomes gets all that belongs to them.

Blocks alone would make the floor part of the coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qhw.chem.encoding import (
    N_AMPLITUDES,
    RELEASED_BOX,
    BoundingBox,
    Layout,
    Slots,
    decode,
    slots,
)
from qhw.chem.molecule import MAX_ATOMS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Uncertain = tuple[FloatArray, FloatArray]
"""Values and their variance, ``(B, 128)`` each."""

_TYPE_SHARE = 0.25


@dataclass(frozen=True)
class MoleculeStructure:
    """Outcomes of a circuit whose amplitudes are a molecule in one of the layouts.

    An atom's outcomes then have probability ``1/n`` together, its type a quarter of that, in one
    outcome of four, and what lies beyond the last atom is empty.

    Attributes:
        layout: order of the amplitudes.
        box: cube that coordinates are measured in.
    """

    what: ClassVar[str] = "encoded molecules"
    case: ClassVar[str] = "atoms"
    n_outcomes: ClassVar[int] = N_AMPLITUDES

    layout: Layout = "paper"
    box: BoundingBox = RELEASED_BOX

    @property
    def empty(self) -> IntArray:
        """Outcomes that no molecule of up to nine atoms fills."""
        return slots(self.layout, MAX_ATOMS).padding

    def cases(self, values: FloatArray) -> IntArray:
        """Number of atoms of every row ``(B,)``: that of the molecule that fits best.

        Args:
            values: ``(B, 128)`` frequencies or quasi-probabilities.
        """
        flat, _, _ = self.subtract_background(values, np.zeros_like(values))
        roots = np.sqrt(np.maximum(flat, 0.0))
        return decode(roots, layout=self.layout, box=self.box).counts

    def nearest(
        self, values: FloatArray, variance: FloatArray, counts: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Background, blocks and types, in that order.

        Args:
            values: ``(B, 128)`` frequencies or quasi-probabilities.
            variance: of them.
            counts: atoms of every row ``(B,)``.

        Returns:
            Values, their variance, and the mean background ``(B,)``.
        """
        flat, spread, floor = self.subtract_background(values, variance, counts)
        scaled = self.normalise_blocks(flat, spread, counts)
        return *self.snap_types(*scaled, counts), floor

    def subtract_background(
        self, values: FloatArray, variance: FloatArray, counts: IntArray | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Take the floor, measured by outcomes that must be empty, from the others.

        Noise of circuits that load a state does not spread evenly: beyond the last atom it lies
        lower than around the atoms, and highest beside a filled type. So an atom's floor is the
        mean of both: of the outcomes no molecule fills, and of the atom's three lowest types. The
        rest is not scaled up: blocks are scaled afterwards.

        Args:
            values: ``(B, 128)`` frequencies or quasi-probabilities.
            variance: of them.
            counts: atoms of every row ``(B,)``; without them all have the floor of the outcomes
                that no molecule fills.

        Returns:
            Values, their variance, and the mean floor ``(B,)``.
        """
        empty = self.empty
        floor = np.repeat(values[:, empty].mean(axis=1)[:, None], N_AMPLITUDES, axis=1)
        far = variance[:, empty].sum(axis=1)[:, None] / len(empty) ** 2
        spread = np.repeat(far, N_AMPLITUDES, axis=1)
        for _, rows, where in [] if counts is None else self._by_count(counts):
            types = (rows[:, None, None], where.types)
            near = np.sort(values[types], axis=-1)[..., :3].mean(axis=-1)[..., None]
            near_spread = variance[types].mean(axis=-1)[..., None] / 3
            index = (rows[:, None, None], _block(where))
            floor[index] = (floor[index] + near) / 2
            spread[index] = (spread[index] + near_spread) / 4
        return values - floor, variance + spread, floor.mean(axis=1)

    def normalise_blocks(
        self, values: FloatArray, variance: FloatArray, counts: IntArray
    ) -> Uncertain:
        """Scale each atom's outcomes to the sum ``1/n``; negative ones and those of none become 0.

        Args:
            values: ``(B, 128)``.
            variance: of them.
            counts: atoms of every row ``(B,)``.
        """
        scaled, spread = np.zeros_like(values), np.zeros_like(variance)
        for n, rows, where in self._by_count(counts):
            index = (rows[:, None, None], _block(where))
            scaled[index], spread[index] = _scaled(values[index], variance[index], 1.0 / n)
        return scaled, spread

    def snap_types(self, values: FloatArray, variance: FloatArray, counts: IntArray) -> Uncertain:
        """The largest type outcome of each atom gets ``1/(4n)``, its place and auxiliary the rest.

        Args:
            values: ``(B, 128)`` with normalised blocks.
            variance: of them.
            counts: atoms of every row ``(B,)``.
        """
        snapped, spread = values.copy(), variance.copy()
        for n, rows, where in self._by_count(counts):
            types = (rows[:, None, None], where.types)
            best = values[types].argmax(axis=-1)[..., None] == np.arange(4)
            snapped[types] = best * _TYPE_SHARE / n
            spread[types] = 0.0
            rest = (rows[:, None, None], np.concatenate([where.places, where.aux[:, None]], axis=1))
            snapped[rest], spread[rest] = _scaled(
                values[rest], variance[rest], (1.0 - _TYPE_SHARE) / n
            )
        return snapped, spread

    def _by_count(self, counts: IntArray) -> list[tuple[int, IntArray, Slots]]:
        return [
            (int(n), np.flatnonzero(counts == n), slots(self.layout, int(n)))
            for n in np.unique(counts)
        ]


def _block(where: Slots) -> IntArray:
    """Outcomes of every atom ``(n, 8)``."""
    return np.concatenate([where.places, where.types, where.aux[:, None]], axis=1)


def _scaled(values: FloatArray, variance: FloatArray, total: float) -> Uncertain:
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
