"""Ctrl-C never falls into an import, and is never lost.

Torch half imported crashes instead of stopping; and Python swallows what is raised inside a
finaliser or a weak reference's callback.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

_AGAIN_S = 0.1
_AGAIN = "interrupt again"
_IMPORT = "<frozen importlib._bootstrap>"


def defer_interrupts() -> None:
    """From now on an interrupt at a moment that cannot take it comes again a little later."""
    signal.signal(signal.SIGINT, _interrupt)
    told = sys.unraisablehook

    def unraisable(lost: sys.UnraisableHookArgs) -> None:
        if isinstance(lost.exc_value, KeyboardInterrupt):
            _come_again()
        else:
            told(lost)

    sys.unraisablehook = unraisable


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _importing(frame):
        signal.default_int_handler(number, frame)
    if not any(thread.name == _AGAIN for thread in threading.enumerate()):
        _come_again()


def _come_again() -> None:
    again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), signal.SIGINT))
    again.name, again.daemon = _AGAIN, True
    again.start()


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False
