"""Files that people hand over, and JSON documents with a version, read by every later code."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Kind = TypeVar("Kind", bound=BaseModel)

MAX_BYTES = 64 * 2**20
"""Of a document: many times the largest calibration."""
_SHOWN = 60


def read_bounded(path: Path, most: int = MAX_BYTES) -> bytes:
    """All bytes of a regular file: a device may never end, a pipe may never begin.

    Args:
        path: file or link to one.
        most: bytes.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger.
    """
    # not blocking: opening a pipe would wait for somebody who writes
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "must be a regular file, but is not", str(path))
        raw = file.read(most + 1)
    if len(raw) > most:
        raise OSError(errno.EFBIG, f"must have at most {most} bytes, but has more", str(path))
    return raw


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object none of whose names is there twice, for ``object_pairs_hook`` of :mod:`json`.

    Raises:
        ValueError: one is.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"the name {twice[:_SHOWN]!r} is there twice")
    return found


def read_document(
    kind: type[Kind],
    text: str | bytes,
    newest: int,
    where: str,
    failure: type[Exception] = ValueError,
) -> Kind:
    """Read a document of version 1 to ``newest``.

    Args:
        kind: model with a field ``schema_version``.
        text: JSON text.
        newest: version that this code writes.
        where: what or which file it is, for errors.
        failure: what is raised.

    Raises:
        failure: not JSON, another version, or a value out of place; the line names ``where`` and
            the place.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise failure(f"{where} must be JSON, but: {error}") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if type(version) is not int or version not in range(1, newest + 1):  # True is 1
        said = "none" if version is None else repr(version)
        raise failure(f"{where} must have schema_version 1 to {newest}, but has {said}")
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise failure(f"{where}: `{place}`: {first['msg']}") from error
