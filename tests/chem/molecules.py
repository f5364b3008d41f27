"""Molecules for the chemistry tests: hand-made ones and a hypothesis strategy."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from qhw.chem.molecule import MAX_ATOMS, SYMBOLS, MoleculeBatch


def molecule(symbols: str, positions: Sequence[Sequence[float]]) -> MoleculeBatch:
    """A batch of one molecule, for example ``molecule("CO", [[0, 0, 0], [1.4, 0, 0]])``."""
    types = np.full((1, MAX_ATOMS), -1, dtype=np.int8)
    places = np.zeros((1, MAX_ATOMS, 3))
    types[0, : len(symbols)] = [SYMBOLS.index(s) for s in symbols]
    if symbols:
        places[0, : len(symbols)] = positions
    return MoleculeBatch(types, places)


def joined(*batches: MoleculeBatch) -> MoleculeBatch:
    return MoleculeBatch(
        np.concatenate([b.types for b in batches]), np.concatenate([b.positions for b in batches])
    )


def ring(symbols: str, side: float) -> MoleculeBatch:
    """A regular planar ring."""
    n = len(symbols)
    radius = side / (2 * np.sin(np.pi / n))
    angle = 2 * np.pi * np.arange(n) / n
    places = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(n)], axis=1)
    return molecule(symbols, places.tolist())


@st.composite
def batches(draw: st.DrawFn, low: float = -3.9, high: float = 5.2) -> MoleculeBatch:
    """1 to 4 molecules of 1 to 9 atoms, coordinates between ``low`` and ``high`` Å."""
    counts = np.array(draw(st.lists(st.integers(1, MAX_ATOMS), min_size=1, max_size=4)))
    shape = (len(counts), MAX_ATOMS)
    kinds = draw(hnp.arrays(np.int8, shape, elements=st.integers(0, 3)))
    places = draw(hnp.arrays(np.float64, (*shape, 3), elements=st.floats(low, high)))
    present = np.arange(MAX_ATOMS) < counts[:, None]
    return MoleculeBatch(
        np.where(present, kinds, -1).astype(np.int8), np.where(present[..., None], places, 0.0)
    )


def random_rotations(seed: int, count: int) -> NDArray[np.float64]:
    """Proper rotations, ``(count, 3, 3)``."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(count, 3, 3)))
    q[:, :, 0] *= np.sign(np.linalg.det(q))[:, None]
    return q


def moved(batch: MoleculeBatch, seed: int) -> MoleculeBatch:
    """Every molecule turned and shifted at random."""
    rotations = random_rotations(seed, len(batch))
    shift = np.random.default_rng(seed + 1).normal(size=(len(batch), 1, 3))
    turned = np.einsum("bij,baj->bai", rotations, batch.positions) + shift
    return MoleculeBatch(batch.types, np.where((batch.types >= 0)[..., None], turned, 0.0))
