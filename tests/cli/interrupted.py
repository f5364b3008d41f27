"""Ctrl-C while a paid job is out."""

from __future__ import annotations

import os
import signal
import threading

from typer.testing import Result

from backends.loopback.ibm import IBMPlatform
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import count_by_state
from qhw.jobs.states import State
from tests.cli.test_jobs_cli import qhw

_AGAIN_S = 30.0


def interrupted(platform: IBMPlatform, *command: object) -> Result:
    """What a command says that is stopped once it has written down that its job was accepted.

    The vendor's queue is held before, and stays so.
    """
    platform.queue.hold()
    ended = threading.Event()

    def accepted() -> bool:
        if not platform.queue.jobs:
            return False
        with Ledger.open() as ledger, ledger.read() as connection:
            return State.QUEUED in count_by_state(connection)

    def interrupt_once_accepted() -> None:
        while not accepted():
            if ended.wait(0.05):
                return
        # an interrupt in the middle of a write to the ledger is lost now and then: let the command
        # come to its wait, and press again if need be, as a person would
        ended.wait(1.0)
        while not ended.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            ended.wait(_AGAIN_S)

    watcher = threading.Thread(target=interrupt_once_accepted, daemon=True)
    watcher.start()
    try:
        stopped = qhw(*command)
    finally:
        ended.set()
        watcher.join()
    assert stopped.exit_code == 130
    assert stopped.stdout == ""
    return stopped
