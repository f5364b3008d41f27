"""An interrupt that Python swallows comes again."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator

import pytest

from qhw.cli.interrupts import defer_interrupts


@pytest.fixture
def deferred() -> Iterator[None]:
    handler, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    defer_interrupts()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        sys.unraisablehook = hook


class Finalised:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("deferred")
def test_an_interrupt_in_a_finaliser_is_not_lost() -> None:
    with pytest.raises(KeyboardInterrupt):
        Finalised()
        time.sleep(60)
