"""Molecules as heavy-atom point sets, and padded batches of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ELEMENTS: tuple[int, ...] = (6, 7, 8, 9)
"""Atomic numbers in one-hot order: C, N, O, F."""
SYMBOLS: tuple[str, ...] = ("C", "N", "O", "F")
MAX_ATOMS = 9


@dataclass(frozen=True, eq=False)
class MoleculeBatch:
    """Heavy atoms of many molecules, padded to :data:`MAX_ATOMS` (or more) atoms.

    Attributes:
        types: ``(B, A)`` int8, index into :data:`ELEMENTS`, -1 where there is no atom; atoms first,
            padding last.
        positions: ``(B, A, 3)`` float64, Å; zero where there is no atom.
    """

    types: NDArray[np.int8]
    positions: NDArray[np.float64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Atoms in each molecule, ``(B,)``."""
        counts: NDArray[np.int64] = (self.types >= 0).sum(axis=1)
        return counts

    def __len__(self) -> int:
        return len(self.types)

    def __getitem__(self, index: slice | NDArray[np.int64] | NDArray[np.bool_]) -> MoleculeBatch:
        return MoleculeBatch(self.types[index], self.positions[index])

    def molecule(self, i: int) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
        """Types ``(n,)`` and positions ``(n, 3)`` of molecule ``i`` without padding."""
        n = int(self.counts[i])
        return self.types[i, :n], self.positions[i, :n]

    def __iter__(self) -> Iterator[tuple[NDArray[np.int8], NDArray[np.float64]]]:
        return (self.molecule(i) for i in range(len(self)))
