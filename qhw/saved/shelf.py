"""The runs in a folder, newest first; whatever else lies there is told, never a failure."""

from __future__ import annotations

import os
import re
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from qhw.saved.entry import SavedRun
from qhw.saved.heads import HeadError, head_of
from qhw.saved.inside import open_inside

RESULTS = ("result.json", "summary.json")
"""Files that hold a run's numbers; the second is a noise study's."""
REPORT = "report.html"
MOST_BYTES = 32 * 2**20
"""Of a result in a list."""
_TIME = re.compile(r"(\d{8}T\d{6})Z-")
_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_Signature = tuple[tuple[int, int, int] | None, ...]


class ShelfError(ValueError):
    """A folder of runs cannot be read, or a run in it not found; one line says which and why."""


class Shelf:
    """A folder of runs; what has not changed is not read again.

    Args:
        folder: it may not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[_Signature, SavedRun]] = {}
        self._lock = threading.Lock()

    def runs(self, words: str = "") -> tuple[SavedRun, ...]:
        """Everything there is, newest first; a folder that is not there has none.

        Args:
            words: only runs that have all of them, see :meth:`qhw.saved.entry.SavedRun.has`.

        Raises:
            ShelfError: it is no folder, or may not be read.
        """
        with self._lock:
            names = self._names()
            known = {name: self._looked_at(name) for name in names}
            self._known = known
        found = [run for _, run in known.values() if run.has(words)]
        return tuple(sorted(found, key=lambda run: (run.when, run.name), reverse=True))

    def name(self, text: str) -> str:
        """Full name of a run by its name, or by a beginning or an end that no other has.

        Raises:
            ShelfError: none or several fit.
        """
        names = self._names()
        if text in names:
            return text
        found = [n for n in names if text and (n.startswith(text) or n.endswith(text))]
        if len(found) != 1:
            said = f"{', '.join(found[:3])} fit" if found else f"none is in {self.folder}"
            raise ShelfError(f"Argument `runs` must name runs, but for {text!r} {said}")
        return found[0]

    def _names(self) -> list[str]:
        """Of folders, and of links in place of folders; half-written ones are hidden."""
        try:
            with os.scandir(self.folder) as entries:
                return sorted(
                    entry.name
                    for entry in entries
                    if not entry.name.startswith(".")
                    and (entry.is_symlink() or entry.is_dir(follow_symlinks=False))
                )
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ShelfError(
                f"Argument `runs` must be a folder that can be read, but {self.folder}: "
                f"{error.strerror}"
            ) from error

    def _looked_at(self, name: str) -> tuple[_Signature, SavedRun]:
        signature = tuple(_signed(self.folder / name / file) for file in ("", *RESULTS, REPORT))
        known = self._known.get(name)
        if known is not None and known[0] == signature:
            return known
        return signature, read_entry(self.folder, name)


def read_entry(folder: Path, name: str) -> SavedRun:
    """What a list says of a run's folder; raises nothing about what the folder holds.

    Args:
        folder: of runs.
        name: of one.
    """
    when = _named_time(name)
    if (folder / name).is_symlink():
        return SavedRun(name, "?", when or _modified(folder / name), "a link, not followed")
    page = _is_file(folder / name / REPORT)
    for file in RESULTS:
        place = folder / name / file
        if not os.path.lexists(place):
            continue
        when = when or _modified(place)
        try:
            head = head_of(_OBJECT.validate_json(_bytes(folder, name, file)))
        except (OSError, ValidationError, HeadError) as error:
            return SavedRun(name, "?", when, f"{file}: {_why(error)}", page=page)
        told = head.told()
        told["when"] = told.get("when") or when
        return SavedRun(name=name, kind=head.kind, page=page, **told)
    return SavedRun(name, "?", when or _modified(folder / name), "holds no result", page=page)


def _bytes(folder: Path, name: str, file: str) -> bytes:
    with open_inside(folder, (name, file)) as opened:
        raw = opened.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise HeadError(f"more than {MOST_BYTES // 2**20} MiB")
    return raw


def _why(error: OSError | ValidationError | HeadError) -> str:
    if isinstance(error, ValidationError):
        return (
            f"not a JSON object: {error.errors(include_url=False, include_input=False)[0]['msg']}"
        )
    if isinstance(error, OSError):
        return error.strerror or "cannot be read"
    return str(error)


def _named_time(name: str) -> datetime | None:
    found = _TIME.match(name)
    try:
        return found and datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _modified(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):  # gone meanwhile, or a time of no calendar
        return datetime.fromtimestamp(0, UTC)


def _signed(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
