"""Ctrl-C while a paid job is out: it is not stopped, so the person must be told."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import count_by_state
from qhw.jobs.states import State
from tests.cli.test_jobs_cli import document, qhw

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]


def test_an_interrupted_run_names_what_goes_on(
    ibm: tuple[IBMPlatform, LoopbackServer], small_model: Path, tmp_path: Path
) -> None:
    platform, _ = ibm
    platform.queue.hold()

    def accepted() -> bool:
        """Whether the client has written down that the vendor took the job."""
        if not platform.queue.jobs:
            return False
        with Ledger.open() as ledger, ledger.read() as connection:
            return State.QUEUED in count_by_state(connection)

    def interrupt_once_sent() -> None:
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            if accepted():
                os.kill(os.getpid(), signal.SIGINT)
                return
            time.sleep(0.05)

    watcher = threading.Thread(target=interrupt_once_sent, daemon=True)
    watcher.start()
    out = tmp_path / "runs"
    shown = qhw(
        "run", "--model", small_model, "--device", "ibm:ibm_boston", "--molecules", 2,
        "--shots", 200, "--budget", "20usd", "--out", out,
    )  # fmt: skip
    watcher.join()
    assert shown.exit_code == 130
    assert shown.stdout == "" and not out.exists()
    (job,) = document("jobs", "list")["jobs"]
    assert f"`qhw jobs watch {job['run']}` waits for it" in shown.stderr
    assert f"`qhw jobs cancel {job['run']}` stops it" in shown.stderr
    assert "up to" in qhw("jobs", "list").stdout  # held, not yet charged
    document("jobs", "cancel", job["run"])
    assert "up to" not in qhw("jobs", "list").stdout
