"""``qhw jobs cancel`` with the vendor gone: it ends, and says what is known."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from backends.deadline import question_seconds, seconds_left, within
from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API, IBMPlatform
from backends.loopback.server import LoopbackServer
from tests.cli.test_jobs_cli import document, qhw

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

Ibm = tuple[IBMPlatform, LoopbackServer]

WITHOUT_LIMIT_S = 240.0
"""What a question to a vendor that is gone takes at least; far more than a busy machine needs."""


def queued(platform: IBMPlatform, small_model: Path) -> str:
    platform.queue.hold()
    done = document(
        "submit", "--model", small_model, "--device", "ibm:ibm_lagos", "--task", "generate",
        "--molecules", 2, "--shots", 200, "--budget", "20usd",
    )  # fmt: skip
    return str(done["run"])


@pytest.mark.slow
def test_a_vendor_that_is_gone_for_a_while(
    ibm: Ibm, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, server = ibm
    run = queued(platform, small_model)
    # nobody accepts, nobody refuses: a full backlog
    hole = socket.create_server(("127.0.0.1", 0), backlog=0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    silent = f"http://127.0.0.1:{hole.getsockname()[1]}"
    for url in (dead, silent):
        for name, value in platform.environment(url).items():
            monkeypatch.setenv(name, value)
        started = time.monotonic()
        shown = qhw("jobs", "cancel", run, "--timeout", 2)
        assert time.monotonic() - started < WITHOUT_LIMIT_S
        assert shown.exit_code == 1, shown.output  # the wish is kept, but not done
        assert "1 queued" in shown.stdout and "IBM's login" in shown.stderr
        assert "is queued" in shown.stdout and "up to" in shown.stdout
        assert "carried out at the next contact" in shown.stdout
    hole.close()
    for name, value in platform.environment(server.url).items():
        monkeypatch.setenv(name, value)
    assert document("jobs", "reconcile")["jobs"][0]["state"] == "cancelled"


def test_a_vendor_that_never_answers_properly(ibm: Ibm, small_model: Path) -> None:
    platform, server = ibm
    run = queued(platform, small_model)
    # so late a repeat is not waited for, and the limit leaves a busy machine time for the login
    late = Fault.answer(503, headers={"Retry-After": "3600"})
    server.faults.add(Rule(f"{API}/jobs/.*", late, times=None))
    shown = qhw("jobs", "cancel", run, "--timeout", 60, "--json")
    assert shown.exit_code == 1 and "did not answer properly" in shown.stderr
    told = json.loads(shown.stdout)
    assert list(told["problems"]) == ["1"]
    assert told["jobs"][0]["state"] == "queued" and "did not answer" in told["jobs"][0]["vendor"]
    server.faults.clear()
    assert document("jobs", "cancel", run)["jobs"][0]["state"] == "cancelled"


def test_limits() -> None:
    assert question_seconds(60.0) == 60.0
    with within(1000.0, question_s=5.0):
        assert question_seconds(60.0) == 5.0
        with within(0.0):
            assert seconds_left() == question_seconds(60.0) == 0.0
        assert 900.0 < seconds_left() <= 1000.0
