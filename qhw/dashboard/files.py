"""Files of runs, as they lie in the runs folder and nowhere else.

A report may come from anybody: it is shown in a sandbox, where its scripts have no access to the
dashboard and no connection, and everything that is no page is text or a download.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from qhw.saved.inside import open_inside

_CHUNK = 1 << 16
_SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_PAGE = "text/html; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
_KINDS = {
    ".html": _PAGE,
    **dict.fromkeys((".json", ".csv", ".txt", ".sdf", ".qasm", ".yaml"), _TEXT),
}
_MOST_LISTED = 200
_DEEPEST = 2


def serve_file(folder: Path, request: Request) -> Response:
    """A file of a run.

    Args:
        folder: of runs.
        request: with ``run`` and ``path`` in its path.

    Raises:
        HTTPException: there is none that may be served.
    """
    parts = [request.path_params["run"], *request.path_params["path"].split("/")]
    if any(part.startswith(".") for part in parts):  # half-written runs are hidden
        raise HTTPException(404)
    try:
        file = open_inside(folder, parts)
    except (OSError, ValueError) as error:
        raise HTTPException(404) from error
    size = os.fstat(file.fileno()).st_size
    kind = _KINDS.get(Path(parts[-1]).suffix.lower())
    headers = {"content-security-policy": _SANDBOX, "content-length": str(size)}
    if kind is None:
        headers["content-disposition"] = "attachment"
    return StreamingResponse(
        _chunks(file, size), headers=headers, media_type=kind or "application/octet-stream"
    )


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """As many bytes as were promised, also where the file grows meanwhile."""
    with file:
        while size > 0 and (part := file.read(min(size, _CHUNK))):
            size -= len(part)
            yield part


def files_of(folder: Path, run: str) -> tuple[tuple[str, int], ...]:
    """Paths in a run's folder and their bytes; no links, nothing hidden, the first two hundred."""
    found: list[tuple[str, int]] = []
    if not (folder / run).is_symlink():
        _collect(folder / run, "", 0, found)
    return tuple(found)


def _collect(place: Path, above: str, depth: int, found: list[tuple[str, int]]) -> None:
    try:
        with os.scandir(place) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
        for entry in entries:
            if len(found) == _MOST_LISTED:
                return
            if entry.name.startswith("."):
                continue
            if entry.is_file(follow_symlinks=False):
                found.append((f"{above}{entry.name}", entry.stat(follow_symlinks=False).st_size))
            elif entry.is_dir(follow_symlinks=False) and depth < _DEEPEST:
                _collect(Path(entry.path), f"{above}{entry.name}/", depth + 1, found)
    except OSError:  # gone meanwhile, or not ours to read
        return
