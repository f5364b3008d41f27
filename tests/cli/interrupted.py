"""A signal while a paid job is out, in a process of its own: no other thread takes it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import count_by_state
from qhw.jobs.states import State

_MAIN = "from qhw.cli.app import main; main()"
_ROOT = Path(__file__).parents[2]
_HANGS_S = 240.0
"""Far more than the slowest machine needs."""


def interrupted(platform: IBMPlatform, *command: object) -> str:
    """What a command says on stderr that is stopped once it wrote down that its job was accepted.

    One interrupt must do, wherever it falls. The vendor's queue is held before, and stays so.
    """
    code, stdout, stderr = stopped(platform, signal.SIGINT, *command)
    assert code == 130, stderr
    assert stdout == ""
    return stderr


def stopped(
    service: IBMPlatform | BraketService, how: signal.Signals, *command: object
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command that gets a signal once a job was accepted."""
    service.queue.hold()
    process = subprocess.Popen(
        [sys.executable, "-c", _MAIN, *map(str, command)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + _HANGS_S
        while not _accepted(service):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(how)
        stdout, stderr = process.communicate(timeout=_HANGS_S)
    finally:
        process.kill()
        process.wait()
    return process.returncode, stdout, stderr


def _accepted(service: IBMPlatform | BraketService) -> bool:
    if not service.queue.accepted:
        return False
    with Ledger.open() as ledger, ledger.read() as connection:
        return State.QUEUED in count_by_state(connection)
