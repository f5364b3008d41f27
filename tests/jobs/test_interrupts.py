"""Ctrl-C during a transaction: the transaction is whole, and the interrupt is not lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from qhw.jobs import blobs
from qhw.jobs.interrupts import interrupts_held
from qhw.jobs.ledger import Ledger
from qhw.jobs.schema import blob


@pytest.fixture(autouse=True)
def python_hears_interrupts() -> Iterator[None]:
    """A shell that starts the tests in its background has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_a_write_is_whole_and_then_interrupted(ledger: Ledger) -> None:
    def work(connection: Connection) -> None:
        blobs.put(connection, b"first")
        press()
        blobs.put(connection, b"second")

    with pytest.raises(KeyboardInterrupt):
        ledger.write(work)
    with ledger.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(blob)) == 2


def test_no_press_is_lost_wherever_it_falls(ledger: Ledger) -> None:
    """Pressed at every call that a transaction makes, also in the pool's own clean-up."""
    import sys

    def presses_at(number: int) -> tuple[bool, bool]:
        calls = [0]

        def profile(frame: object, event: str, arg: object) -> None:
            if event == "call":
                calls[0] += 1
                if calls[0] == number:
                    press()

        interrupted = False
        sys.setprofile(profile)
        try:
            ledger.write(lambda c: c.scalar(sa.select(blob.c.size)))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            sys.setprofile(None)
        return calls[0] >= number, interrupted

    ledger.write(lambda c: c.scalar(sa.select(blob.c.size)))
    number, tried = 1, 0
    while True:
        reached, interrupted = presses_at(number)
        if not reached:
            break
        assert interrupted, f"lost at call {number}"
        number, tried = number + 7, tried + 1
    assert tried > 20


def test_an_error_and_an_interrupt_are_both_there() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, interrupts_held():
        press()
        raise ValueError("meanwhile")
    assert isinstance(caught.value.__context__, ValueError)


def test_whoever_ignores_interrupts_goes_on_ignoring_them() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_held():
            press()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_block_in_a_block_is_interrupted_at_its_end() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        with interrupts_held():
            press()
        reached = True
    assert reached


def test_other_threads_are_left_alone() -> None:
    seen: list[object] = []

    def body() -> None:
        with interrupts_held():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [before]
