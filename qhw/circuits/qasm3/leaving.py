"""How loops, subroutines and programs are left."""

from __future__ import annotations

from typing import Any


class LeftError(Exception):
    """A loop or a subroutine is left."""


class BreakError(LeftError):
    """By break."""


class ContinueError(LeftError):
    """A round, by continue."""


class ReturnError(LeftError):
    """By return, with its value."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class EndError(LeftError):
    """The program, by end."""
