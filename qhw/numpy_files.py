"""NumPy's files of users: bounded, without pickle, one error for whatever their readers raise."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 2**30
"""Unpacked."""
_MAX_WORDS = 200


def read_arrays(
    raw: bytes, names: Collection[str] | None = None
) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """The array of an npy file, or the arrays of an npz file by name.

    Args:
        raw: the file.
        names: of the arrays to read, where they are there; all by default.

    Raises:
        ValueError: damaged, encrypted, pickled, no array, a name twice, or too large; one line,
            without the file's name.
    """
    try:
        found = np.load(io.BytesIO(raw), allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            _check_members(found.zip.infolist(), found.files)
            kept = {n: found[n] for n in found.files if names is None or n in names}
    except Exception as error:  # zip, deflate and headers raise what they happen to meet
        words = " ".join(str(error).split())[:_MAX_WORDS] or type(error).__name__
        raise ValueError(words) from error
    for name, array in kept.items():
        if not isinstance(array, np.ndarray):  # bytes, of what has no array's header
            raise ValueError(f"{name[:40]!r} is no array")
    return kept


def _check_members(members: list[zipfile.ZipInfo], names: list[str]) -> None:
    size = sum(member.file_size for member in members)
    if size > MAX_BYTES:
        raise ValueError(f"must unpack to at most {MAX_BYTES} bytes, but has {size}")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"must have each array once, but has {twice[:40]!r} twice")
