"""Bytes by their SHA-256: written once, compressed, checked when read."""

from __future__ import annotations

import hashlib
import io
import zlib

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from qhw.jobs.errors import LedgerError
from qhw.jobs.schema import blob

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


def unpack_counts(data: bytes) -> NDArray[np.int64]:
    """Read :func:`pack_array`'s bytes."""
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False), dtype=np.int64)
