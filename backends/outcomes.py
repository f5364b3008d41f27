"""Outcomes too many to be listed all: the distinct ones that were seen, as packed bits.

Counts are a matrix ``(B, D)`` everywhere. Up to :data:`DENSE_BITS` measured bits its columns are
all ``2**m`` outcomes in order; beyond that they are those of an :class:`Outcomes`, and whatever has
no column was never seen. Whatever is linear in frequencies works on either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DENSE_BITS = 20
"""Measured bits up to which counts have a column for every outcome: 8 MB a row."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Distinct outcomes of ``m`` bits, rising.

    Attributes:
        packed: ``(K, ceil(m / 8))`` uint8, each the outcome's integer, most significant byte first:
            the first measured wire is the most significant bit.
        n_bits: measured bits m.
    """

    packed: NDArray[np.uint8]
    n_bits: int

    def __post_init__(self) -> None:
        width = -(-self.n_bits // 8)
        if self.packed.ndim != 2 or self.packed.shape[1] != width:
            raise ValueError(
                f"Argument `packed` must be (K, {width}) for {self.n_bits} bits, but has shape "
                f"{self.packed.shape}"
            )

    def __len__(self) -> int:
        return len(self.packed)

    @classmethod
    def all_of(cls, n_bits: int) -> Outcomes:
        """Every outcome, in order; for at most :data:`DENSE_BITS` bits."""
        return cls.of_integers(np.arange(2**n_bits, dtype=np.int64), n_bits)

    @classmethod
    def of_integers(cls, values: Sequence[int] | NDArray[np.int64], n_bits: int) -> Outcomes:
        """Outcomes by their integers, distinct and rising; of any size where they are Python's."""
        width = -(-n_bits // 8)
        if isinstance(values, np.ndarray):
            eight: NDArray[np.uint8] = values.astype(">u8").view(np.uint8).reshape(-1, 8)
            padded = np.pad(eight, ((0, 0), (max(0, width - 8), 0)))
            return cls(np.ascontiguousarray(padded[:, padded.shape[1] - width :]), n_bits)
        data = b"".join(value.to_bytes(width, "big") for value in values)
        return cls(np.frombuffer(data, dtype=np.uint8).reshape(-1, width), n_bits)

    def bits(self) -> NDArray[np.uint8]:
        """``(K, m)``, first measured wire first."""
        return np.unpackbits(self.packed, axis=1)[:, 8 * self.packed.shape[1] - self.n_bits :]

    def integers(self) -> list[int]:
        """Amplitude index of each, of any size."""
        return [int.from_bytes(row.tobytes(), "big") for row in self.packed]

    def take(self, columns: NDArray[np.int64] | NDArray[np.bool_]) -> Outcomes:
        """Some of them, rising."""
        return Outcomes(self.packed[columns], self.n_bits)

    def find(self, others: Outcomes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Column of each of others' outcomes here, and whether it has one."""
        mine, wanted = keys(self.packed), keys(others.packed)
        places = np.searchsorted(mine, wanted).clip(max=max(len(mine) - 1, 0))
        there = mine[places] == wanted if len(mine) else np.zeros(len(wanted), dtype=bool)
        return places.astype(np.int64), there

    def spread(self, table: NDArray[np.int64], onto: Outcomes) -> NDArray[np.int64]:
        """A table ``(B, K)`` of these with the columns of ``onto``, 0 where it has no value."""
        out = np.zeros((len(table), len(onto)), dtype=table.dtype)
        places, there = onto.find(self)
        out[:, places[there]] = table[:, there]
        return out


def columns(n_bits: int, outcomes: Outcomes | None) -> int:
    """Columns that counts of m bits must have; 0 where outcomes are given and must not be.

    Args:
        n_bits: measured bits m.
        outcomes: of the columns; ``None`` for all in order.
    """
    if (outcomes is None) == (n_bits <= DENSE_BITS):
        return 2**n_bits if outcomes is None else len(outcomes) * (outcomes.n_bits == n_bits)
    return 0


def keys(packed: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Rows as byte strings, which sort as the integers do."""
    rows = np.ascontiguousarray(packed)
    return rows.view(f"S{rows.shape[1]}").ravel()  # equal widths: trailing zeros tell no two apart


def pack_bits(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bits ``(N, m)``, first measured wire first, as rows of :attr:`Outcomes.packed`."""
    return np.packbits(np.pad(bits, ((0, 0), (-bits.shape[1] % 8, 0))), axis=1)


def union(parts: Sequence[Outcomes]) -> Outcomes:
    """Every outcome of any of some, once."""
    packed = np.concatenate([part.packed for part in parts])
    return _distinct(packed, parts[0].n_bits)[0]


def none_seen(rows: int, n_bits: int) -> tuple[NDArray[np.int64], Outcomes | None]:
    """Counts of rows that all failed, as :func:`tabulated` gives them."""
    return tabulated([np.zeros((0, n_bits), dtype=np.uint8)] * rows)


def count_shots(
    rows: Sequence[NDArray[np.uint8]], n_bits: int
) -> tuple[Outcomes, NDArray[np.int64]]:
    """Distinct outcomes of all rows, and how often each was measured.

    Args:
        rows: packed shots ``(N, ceil(m / 8))`` of each of B rows; 0 shots for one that failed.
        n_bits: measured bits m.

    Returns:
        K outcomes and int64 counts ``(B, K)``.
    """
    outcomes, where = _distinct(np.concatenate([*rows]), n_bits)
    counts = np.zeros((len(rows), len(outcomes)), dtype=np.int64)
    start = 0
    for row, shots in zip(counts, rows, strict=True):
        row[:] = np.bincount(where[start : start + len(shots)], minlength=len(outcomes))
        start += len(shots)
    return outcomes, counts


def tabulated(
    rows: Sequence[NDArray[np.uint8]],
) -> tuple[NDArray[np.int64], Outcomes | None]:
    """Counts of simulated shots as :class:`backends.base.ShotResult` holds them.

    Args:
        rows: bits ``(N, m)`` of each row's shots, first measured wire first.

    Returns:
        Counts, and the outcomes of their columns; ``None`` for all in order.
    """
    m = rows[0].shape[1]
    if m > DENSE_BITS:
        outcomes, counts = count_shots([pack_bits(bits) for bits in rows], m)
        return counts, outcomes
    weights = 1 << np.arange(m)[::-1]
    tables = [np.bincount(bits @ weights, minlength=2**m) for bits in rows]
    return np.stack(tables).astype(np.int64), None


def stacked(
    parts: Sequence[tuple[NDArray[np.int64], Outcomes | None]],
) -> tuple[NDArray[np.int64], Outcomes | None]:
    """Tables of counts one below the other, their columns made the same."""
    sparse = [(table, outcomes) for table, outcomes in parts if outcomes is not None]
    if not sparse:
        return np.concatenate([table for table, _ in parts]), None
    together = union([outcomes for _, outcomes in sparse])
    tables = [outcomes.spread(table, together) for table, outcomes in sparse]
    return np.concatenate(tables), together


def _distinct(packed: NDArray[np.uint8], n_bits: int) -> tuple[Outcomes, NDArray[np.int64]]:
    _, first, where = np.unique(keys(packed), return_index=True, return_inverse=True)
    return Outcomes(packed[first], n_bits), where.astype(np.int64)
