"""Bytes by their SHA-256: written once, compressed, checked when read."""

from __future__ import annotations

import hashlib
import io
import zlib

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from backends.outcomes import Outcomes
from qhw.jobs.errors import LedgerError
from qhw.jobs.schema import blob

_SPARSE_VERSION = 1
"""Of counts stored with their outcomes; every version up to it is read."""
_LEVEL = 1  # counts and JSON shrink several times even so, and a job's payload takes no time


def put(connection: Connection, data: bytes) -> str:
    """Store bytes unless they are there already, and return their SHA-256 in hexadecimal."""
    sha = hashlib.sha256(data).hexdigest()
    if connection.scalar(sa.select(blob.c.sha256).where(blob.c.sha256 == sha)) is None:
        packed = zlib.compress(data, _LEVEL)
        connection.execute(blob.insert().values(sha256=sha, size=len(data), data=packed))
    return sha


def get(connection: Connection, sha: str) -> bytes:
    """The bytes of a SHA-256.

    Raises:
        LedgerError: not there, or damaged.
    """
    packed = connection.scalar(sa.select(blob.c.data).where(blob.c.sha256 == sha))
    if packed is None:
        raise LedgerError(f"The ledger must hold blob {sha}, but does not")
    try:
        data = zlib.decompress(packed)
    except zlib.error as error:
        raise LedgerError(f"Blob {sha} of the ledger is damaged: {error}") from error
    if hashlib.sha256(data).hexdigest() != sha:
        raise LedgerError(f"Blob {sha} of the ledger is damaged: its content has another hash")
    return data


def pack_array(array: NDArray[np.float64] | NDArray[np.int64]) -> bytes:
    """An array in NumPy's own file format."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def unpack_floats(data: bytes) -> NDArray[np.float64]:
    """Read :func:`pack_array`'s bytes."""
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False), dtype=np.float64)


def pack_counts(counts: NDArray[np.int64], outcomes: Outcomes | None) -> bytes:
    """Counts, with the outcomes of their columns where those are not all in order.

    Args:
        counts: ``(B, D)``.
        outcomes: of the columns; ``None`` for all in order, which are stored as they always were.
    """
    if outcomes is None:
        return pack_array(counts)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        version=_SPARSE_VERSION,
        bits=outcomes.n_bits,
        outcomes=outcomes.packed,
        counts=counts,
    )
    return buffer.getvalue()


def unpack_counts(data: bytes) -> tuple[NDArray[np.int64], Outcomes | None]:
    """Read :func:`pack_counts`'s bytes, of this or an earlier version.

    Raises:
        LedgerError: of a later version.
    """
    found = np.load(io.BytesIO(data), allow_pickle=False)
    if isinstance(found, np.ndarray):
        return np.asarray(found, dtype=np.int64), None
    with found:
        version = int(found["version"])
        if not 1 <= version <= _SPARSE_VERSION:
            raise LedgerError(
                f"Counts of the ledger must be of version 1 to {_SPARSE_VERSION}, but are of "
                f"{version}: a later qhw wrote them"
            )
        outcomes = Outcomes(found["outcomes"], int(found["bits"]))
        return np.asarray(found["counts"], dtype=np.int64), outcomes
