"""Ctrl-C never falls into the ledger: it takes effect when the transaction is over.

An interrupt raised inside a database's or a pool's own clean-up is swallowed there, and one in a
commit leaves its caller not knowing what is written.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold SIGINT back for the length of the block, then let it do what it would have done.

    Only the main thread is ever interrupted; elsewhere nothing is done. Blocking the signal in
    that thread would not do: another thread may take it, and Python then interrupts this one.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(signal.SIGINT, sys._getframe())
