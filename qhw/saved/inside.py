"""Files inside a folder of runs, opened so that no name and no link leads out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

_AS_IT_IS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_inside(root: Path, parts: Sequence[str]) -> BinaryIO:
    """Open a regular file below a folder; links are not followed, also when put there meanwhile.

    Args:
        root: the folder.
        parts: names below it, the file's last.

    Raises:
        OSError: there is none, a part is a link or leads elsewhere, or it is no regular file.
    """
    if not parts or any(p in ("", ".", "..") or "/" in p or "\0" in p for p in parts):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/".join(parts))
    place = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _AS_IT_IS | os.O_DIRECTORY, dir_fd=place)
            os.close(place)
            place = inner
        # not blocking: opening a pipe would wait for somebody who writes
        handle = os.open(parts[-1], _AS_IT_IS | os.O_NONBLOCK, dir_fd=place)
    finally:
        os.close(place)
    file = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "must be a regular file, but is not", parts[-1])
    return file
