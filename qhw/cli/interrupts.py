"""Ctrl-C never falls into an import: torch half imported crashes instead of stopping."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

_AGAIN_S = 0.1
_IMPORT = "<frozen importlib._bootstrap>"


def defer_interrupts() -> None:
    """From now on an interrupt during an import takes effect when the import has ended."""
    signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _importing(frame):
        signal.default_int_handler(number, frame)
    if not any(isinstance(thread, threading.Timer) for thread in threading.enumerate()):
        again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False
