"""JSON documents with a version, read by this code and by every later one."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError

Kind = TypeVar("Kind", bound=BaseModel)


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
    if version not in range(1, newest + 1):
        said = "none" if version is None else repr(version)
        raise failure(f"{where} must have schema_version 1 to {newest}, but has {said}")
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise failure(f"{where}: `{place}`: {first['msg']}") from error
