"""Snapshots in and out of files: our own format out, any vendor's in, its raw payload kept."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.documents import read_bounded
from calibration.readers.braket import braket_snapshot
from calibration.readers.ibm import ibm_snapshot
from calibration.snapshot import DeviceSnapshot, SnapshotError

MAX_BYTES = 64 * 2**20
"""Larger payloads are refused: the largest seen has under 2 MB."""

_NAME = re.compile(r"\w[\w.-]*")
"""Names end up in file names and in lists with commas: no separator of either."""


@dataclass(frozen=True)
class Imported:
    """An imported snapshot and its files.

    Attributes:
        snapshot: as read.
        file: in our own format.
        raw: copies of the vendor's payload; none when it was in our format already.
    """

    snapshot: DeviceSnapshot
    file: Path
    raw: tuple[Path, ...]


def export_snapshot(snapshot: DeviceSnapshot, path: Path) -> None:
    """Write a snapshot in our own format, whole or not at all.

    Raises:
        SnapshotError: the name does not end in ``.json`` (it could not be opened again).
        OSError: the file cannot be written.
    """
    if path.suffix != ".json":
        raise SnapshotError(f"Argument `path` must end in .json, but is {path.name!r}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, snapshot.to_json().encode())


def import_snapshot(
    path: Path, folder: Path, *, name: str | None = None, configuration: Path | None = None
) -> Imported:
    """Read a vendor's payload and keep it beside the snapshot made from it.

    Args:
        path: our own format, Braket ``deviceCapabilities``, or IBM properties.
        folder: gets ``<name>@<date>.json`` and ``<name>@<date>.raw.json`` (for IBM's
            configuration ``.raw-configuration.json``).
        name: house name; the payload's own or one made of vendor and size by default.
        configuration: IBM's configuration, which its properties are read with.

    Raises:
        SnapshotError: unreadable, truncated, or of no known vendor; the line names the file and
            the place. A name that is no plain file name. A file of that name that holds something
            else: it is not overwritten.
        OSError: the folder cannot be written.
    """
    payloads = [_bytes(path)] + ([_bytes(configuration)] if configuration else [])
    document = _document(payloads[0], path)
    own = "schema_version" in document
    if own:
        snapshot = DeviceSnapshot.from_json(payloads[0], where=str(path))
        if name is not None:
            snapshot = snapshot.model_copy(update={"name": name})
    elif "backend_name" in document and "qubits" in document:
        snapshot = _ibm(document, payloads, path, configuration, name)
    else:
        snapshot = braket_snapshot(payloads[0], name=name, file=str(path))
    if not _NAME.fullmatch(snapshot.name):
        raise SnapshotError(
            "Argument `name` must be letters, digits, '_', and further on '-' and '.', "
            f"but is {snapshot.name!r}."
        )
    stem = f"{snapshot.name}@{snapshot.taken:%Y-%m-%d}"
    suffixes = () if own else (".raw.json", ".raw-configuration.json")[: len(payloads)]
    files = {folder / f"{stem}.json": snapshot.to_json().encode()}
    files |= {folder / f"{stem}{s}": raw for s, raw in zip(suffixes, payloads, strict=False)}
    for target, content in files.items():
        if target.exists() and target.read_bytes() != content:
            raise SnapshotError(f"{target} exists already and holds something else.")
    folder.mkdir(parents=True, exist_ok=True)
    for target, content in files.items():
        _write(target, content)
    first, *raw_files = files
    return Imported(snapshot, first, tuple(raw_files))


def raw_payload_matches(snapshot: DeviceSnapshot, *payloads: bytes) -> bool:
    """Whether raw payloads, in the order they were read, are those a snapshot was made from."""
    return hashlib.sha256(b"".join(payloads)).hexdigest() == snapshot.payload_sha256


def _ibm(
    document: dict[str, Any],
    payloads: list[bytes],
    path: Path,
    configuration: Path | None,
    name: str | None,
) -> DeviceSnapshot:
    if configuration is None:
        raise SnapshotError(
            f"{path} holds IBM properties, which must come with a configuration, but none is given."
        )
    conf = _document(payloads[1], configuration)
    source = f"IBM properties {path.name}"
    try:
        return ibm_snapshot(
            conf,
            document,
            name=name or str(document["backend_name"]),
            source=source,
            sha256=hashlib.sha256(b"".join(payloads)).hexdigest(),
        )
    except SnapshotError as error:
        raise SnapshotError(
            f"{path} with {configuration.name} must be IBM properties, but: "
            f"{str(error).removeprefix(f'{source}: ')}"
        ) from error


def _document(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(raw)
        # Braket's examples hold a JSON string of JSON
        document = json.loads(document) if isinstance(document, str) else document
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"{path} must be JSON, but: {error}") from error
    if not isinstance(document, dict):
        raise SnapshotError(f"{path} must be a JSON object, but is a {type(document).__name__}")
    return document


def _bytes(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(temporary).chmod(0o644)  # mkstemp's own mode keeps others out
    Path(temporary).replace(path)
