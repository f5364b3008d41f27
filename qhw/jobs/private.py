"""A ledger's file is its owner's: it tells what was run, for how much, and where."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from qhw.jobs.config import data_folder

_BESIDE = ("", "-wal", "-shm", "-journal")
"""SQLite gives its further files the mode of the first; older ones are tightened here."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private(file: Path) -> None:
    """Make an SQLite ledger's file, and keep it and the data folder from everybody else.

    Only what is the user's own is changed; of folders, only the data folder and those made here.

    Raises:
        OSError: it cannot be made.
    """
    for folder in reversed([path for path in file.parents if not path.exists()]):
        folder.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for beside in _BESIDE:
        _tighten(Path(f"{file}{beside}"))
    if file.parent == data_folder() and file.parent != Path.home():
        _tighten(file.parent)


def _tighten(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    own = found.st_uid == os.geteuid()
    shared = found.st_mode & (stat.S_ISVTX | stat.S_ISGID)
    if own and not shared and not stat.S_ISLNK(found.st_mode) and found.st_mode & _OTHERS:
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
