"""Functions that tests send to other processes."""

from __future__ import annotations

import os
import time
from pathlib import Path


def square(x: int) -> int:
    return x * x


def die_on_three(x: int) -> int:
    if x == 3:
        os._exit(9)
    return x * x


def die_once(marker: Path) -> str:
    """Kills its process the first time it is asked."""
    if not marker.exists():
        marker.touch()
        os._exit(9)
    return marker.name


def note_pid_and_wait(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(60)


def fail(x: int) -> int:
    raise RuntimeError(f"a fault of ours at {x}")
