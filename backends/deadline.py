"""A limit on all that is asked of vendors in a stretch of work, however much there is to ask."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LIMIT: ContextVar[tuple[float, float]] = ContextVar("limit", default=(math.inf, math.inf))


@contextmanager
def within(seconds: float, *, question_s: float = math.inf) -> Iterator[None]:
    """Let everything asked in the block end in time; what is not answered by then is unavailable.

    Args:
        seconds: of the whole block.
        question_s: of one question with its repeats, so that others have their turn.
    """
    before = _LIMIT.set((time.monotonic() + seconds, question_s))
    try:
        yield
    finally:
        _LIMIT.reset(before)


def seconds_left() -> float:
    """Seconds until the limit, not below 0; infinite where there is none."""
    return max(0.0, _LIMIT.get()[0] - time.monotonic())


def question_seconds(wanted: float) -> float:
    """Seconds that a question may take which would like to have so many."""
    return min(wanted, _LIMIT.get()[1], seconds_left())
