"""Who works on a job: one process at a time, and nobody waits for a dead one.

A lease names its holder so precisely (machine, process namespace, process id, start time) that
another process on the same machine can tell whether the holder still lives; elsewhere the lease
has to run out. Every write of a step is made under the lease, so a holder that slept through its
end can change nothing.
"""

from __future__ import annotations

import os
import platform
import uuid
from datetime import datetime
from pathlib import Path

_PROC = Path("/proc")
_START_FIELD = 19
"""Place of the start time in /proc/<pid>/stat after the command's closing bracket."""


def new_owner() -> str:
    """Name of a holder in this process: ``machine pid start token``."""
    pid = os.getpid()
    return f"{_machine()} {pid} {_started(pid) or '-'} {uuid.uuid4().hex[:8]}"


def is_held(owner: str | None, until: datetime | None, now: datetime) -> bool:
    """Whether a lease still keeps others out."""
    return owner is not None and until is not None and until > now and not _is_dead(owner)


def _is_dead(owner: str) -> bool:
    """Whether the holder is certainly gone; ``False`` where that cannot be known."""
    machine, pid, start, _ = owner.split(" ")
    if machine != _machine():
        return False
    if start != "-":
        return _started(int(pid)) != start
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _machine() -> str:
    """Host name and process namespace: inside a container the same number is another process."""
    space = _PROC / "self" / "ns" / "pid"
    number = space.stat().st_ino if space.exists() else 0
    return f"{platform.node().replace(' ', '-')}/{number}"


def _started(pid: int) -> str | None:
    """Start time of a living process in clock ticks since boot; ``None`` if gone or unknown."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else rest[_START_FIELD - 1]
