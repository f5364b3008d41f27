"""A run's folder: written beside its place under a hidden name, renamed when whole."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from qhw.report.plain import PlainFormatter

LOG_FILE = "log.txt"
_LOGGER = "qhw"


class OutputError(ValueError):
    """A folder cannot be written; one line says which and why."""


_NOT_IN_A_NAME = re.compile(r"[^\w.,()+=@-]")
_LONGEST_NAME = 200


@dataclass(frozen=True)
class RunFolder:
    """Where a run is being written.

    Attributes:
        id: name of the run.
        staging: hidden folder to write into now.
        final: where it will be once the run is whole.
    """

    id: str
    staging: Path
    final: Path


def run_id(task: str, settings_json: str, now: datetime | None = None) -> str:
    """``<UTC time>-<task>-<hash>``: sorts by time, and equal settings share the hash.

    Args:
        task: word for the run.
        settings_json: settings, hashed.
        now: timezone-aware; the present by default.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    digest = hashlib.sha256(settings_json.encode()).hexdigest()[:8]
    return f"{moment:%Y%m%dT%H%M%S}Z-{task}-{digest}"


def file_name(text: str) -> str:
    """A name from a ledger or a file as that of one file: it leads out of no folder."""
    return _NOT_IN_A_NAME.sub("-", text).lstrip(".")[:_LONGEST_NAME] or "unnamed"


@contextmanager
def run_folder(out: Path, name: str) -> Iterator[RunFolder]:
    """Open a run's folder; on success it appears at once under its name, else it is removed.

    Log records of ``qhw`` are written to ``log.txt`` in it meanwhile.

    Args:
        out: parent folder, made if missing.
        name: name of the run; a number is added when it is taken.

    Raises:
        OutputError: ``out`` cannot be written. Raised before anything is computed.
    """
    made: list[Path] = []
    try:
        made = [path for path in (out, *out.parents) if not path.exists()]
        name = _free_name(out, file_name(name))
        folder = RunFolder(name, out / f".{name}.partial", out / name)
        folder.staging.mkdir(parents=True)
        handler = logging.FileHandler(folder.staging / LOG_FILE, encoding="utf-8")
    except OSError as error:
        _remove(out / f".{name}.partial", made)
        raise _unwritable(out, error) from error
    handler.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger(_LOGGER)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield folder
        handler.close()
        folder.staging.rename(folder.final)
    except BaseException:  # also Ctrl-C: nothing half-written may stay
        handler.close()
        _remove(folder.staging, made)
        raise
    finally:
        logger.removeHandler(handler)


def check_folder(out: Path) -> None:
    """Refuse a folder that cannot be written, long before it is; nothing is made.

    Raises:
        OutputError: as :func:`run_folder`.
    """
    try:
        there = next(path for path in (out, *out.parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise _unwritable(out, error) from error


@contextmanager
def nothing_empty_left(folder: Path) -> Iterator[None]:
    """Remove the folder again after a failure or Ctrl-C, if it was not there and has no content.

    For work that can be taken up again and writes in place: what it wrote stays.

    Args:
        folder: to be made in the block; empty files and folders in it count as none.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except BaseException:  # also Ctrl-C
        if made:
            inside = sorted(folder.rglob("*"), reverse=True)  # contents before their folder
            for path in inside:
                if path.is_file() and not path.stat().st_size:
                    path.unlink()
            for path in (p for p in inside if p.is_dir()):
                if not any(path.iterdir()):
                    path.rmdir()
            _remove_empty(made)
        raise


def _unwritable(out: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Argument `out` must be a folder that can be written, but {out}: {error.strerror or error}"
    )


def _free_name(out: Path, name: str) -> str:
    taken, number = name, 1
    while (out / taken).exists() or (out / f".{taken}.partial").exists():
        number += 1
        taken = f"{name}-{number}"
    return taken


def _remove(staging: Path, made: list[Path]) -> None:
    """Remove the staging folder and the parents this run made, if nothing else is in them."""
    shutil.rmtree(staging, ignore_errors=True)
    _remove_empty(made)


def _remove_empty(made: list[Path]) -> None:
    for path in made:
        if not path.is_dir() or any(path.iterdir()):
            return
        path.rmdir()
