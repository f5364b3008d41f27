"""What is known beforehand of distributions that are encoded molecules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qhw.chem.encoding import RELEASED_BOX, BoundingBox, Layout, slots
from qhw.chem.molecule import MAX_ATOMS


@dataclass(frozen=True)
class MoleculeStructure:
    """Outcomes of a circuit whose amplitudes are a molecule in one of the layouts.

    An atom's outcomes then have probability ``1/n`` together, its type a quarter of that, in one
    outcome of four, and what lies beyond the last atom is empty.

    Attributes:
        layout: order of the amplitudes.
        box: cube that coordinates are measured in.
    """

    layout: Layout = "paper"
    box: BoundingBox = RELEASED_BOX

    @property
    def empty(self) -> NDArray[np.int64]:
        """Outcomes that no molecule of up to nine atoms fills."""
        return slots(self.layout, MAX_ATOMS).padding
