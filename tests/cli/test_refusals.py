"""What must be refused before anything is sent: one clear line each, and nothing is lost.

Every case runs the command against the loopback vendors, with one job waiting in the ledger and at
the vendor; afterwards both hold that job and no other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from tests.cli.test_jobs_cli import document, qhw, refused

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
Submit = Callable[..., Any]


@pytest.fixture
def submit(small_model: Path, braket: BraketService) -> Iterator[Submit]:
    """Runs ``qhw submit`` with one waiting job beside; checks that only that one is there after."""
    braket.queue.hold()
    given = ("--model", small_model, "--molecules", 2, "--shots", 200)

    def go(device: str = "braket:iqm_garnet", *more: object, budget: object = "9usd") -> Any:
        return qhw("submit", *given, "--device", device, "--budget", budget, *more)

    assert go().exit_code == 0
    (before,) = document("jobs", "list")["jobs"]
    assert before["state"] == "queued"
    yield go
    (after,) = document("jobs", "list")["jobs"]
    assert (after["key"], after["state"]) == (before["key"], "queued")
    (task,) = braket.queue.tasks
    assert task.tags == {"qhw-key": before["key"]}


def test_what_the_device_would_refuse(submit: Submit, braket: BraketService) -> None:
    refused(submit("braket:iqm_garnat"), "must be a Braket device.*iqm_garnet")
    refused(submit("braket:iqm_garnet", "--shots", 20_001), "`--shots`.*20000")
    refused(submit("braket:ionq_forte_enterprise", "--shots", 99), "`--shots`.*from 100 to 5000")
    device = braket.devices["iqm_garnet"]
    day = DAYS[(datetime.now(UTC).weekday() + 3) % 7]
    device.windows = [
        {"executionDay": day, "windowStartHour": "00:00:00", "windowEndHour": "23:59:59"}
    ]
    refused(submit(), f"iqm_garnet is closed.*it opens {day}")
    device.windows = []
    device.status = "OFFLINE"
    refused(submit(), "iqm_garnet is OFFLINE")


def test_what_the_budget_would_refuse(submit: Submit) -> None:
    refused(submit(budget="0.01usd"), r"0\.01 usd.*nothing was sent")
    refused(submit(budget="9eur"), "'eur'")
    refused(submit(budget="9"), "no currency")


def test_credentials_that_are_none(
    submit: Submit, braket: BraketService, monkeypatch: pytest.MonkeyPatch
) -> None:
    braket.expired = True
    refused(submit(), "expired.*AWS_ACCESS_KEY_ID")
    braket.expired = False
    with monkeypatch.context() as alone:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            alone.delenv(name)
        alone.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        alone.setenv("AWS_CONFIG_FILE", "/nowhere")
        refused(submit(), "No AWS credentials.*AWS_ACCESS_KEY_ID")


@pytest.mark.slow
def test_ledgers_that_cannot_be_written(submit: Submit, tmp_path: Path) -> None:
    file = tmp_path / "data" / "ledger.db"
    with closing(sqlite3.connect(file)) as raw, raw:
        (version,) = raw.execute("SELECT version_num FROM alembic_version").fetchone()
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    refused(submit(), "has 9999: it was written by a newer qhw")
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = ?", (version,))
        (pages,) = raw.execute("PRAGMA page_count").fetchone()
    with every_connection("PRAGMA query_only=ON"):
        refused(submit(), r"it cannot be written \(read-only\)")
    with every_connection(f"PRAGMA max_page_count={pages}"):
        many = ("--molecules", 90)
        refused(submit("braket:iqm_garnet", *many, budget="99usd"), "the disk is full")


@contextmanager
def every_connection(pragma: str) -> Iterator[None]:
    """SQLite itself refuses, as it would on such a disk."""

    def apply(raw: Any, record: object) -> None:
        raw.execute(pragma)

    sa.event.listen(sa.Engine, "connect", apply)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "connect", apply)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[IBMPlatform]:
    """An IBM account with one device, of one qubit."""
    platform = IBMPlatform(("ibm_armonk",))
    with LoopbackServer(platform) as server:
        for name, value in platform.environment(server.url).items():
            monkeypatch.setenv(name, value)
        yield platform
    platform.stop()


def test_devices_that_are_too_small_or_not_there(narrow: IBMPlatform, submit: Submit) -> None:
    refused(submit("ibm:ibm_armonk"), "must fit ibm_armonk|1 qubit")
    refused(submit("ibm:ibm_bostn"), "must be one of this account's IBM devices.*ibm_armonk")
    narrow.offline.add("ibm_armonk")
    assert narrow.queue.jobs == ()


@pytest.mark.slow
def test_a_queue_that_never_moves_is_a_state_and_the_run_goes_on_later(
    small_model: Path, braket: BraketService, tmp_path: Path
) -> None:
    braket.queue.hold()
    device = ("--device", "braket:iqm_garnet", "--task", "generate")
    given = ("--model", small_model, *device, "--molecules", 2)
    run = document("submit", *given, "--shots", 200, "--budget", "9usd")["run"]
    waited = document("jobs", "watch", run, "--timeout", 0.5)
    assert waited["finished"] is False
    assert [(j["state"], j["queue_position"]) for j in waited["jobs"]] == [("queued", 1)]
    assert "queued (place 1)" in qhw("jobs", "list").stdout
    said = qhw("jobs", "watch", run, "--timeout", 0.5).stdout
    assert "not finished, 1 queued (place 1 in the queue)" in said
    braket.queue.release()
    assert braket.queue.wait_idle()
    done = document("jobs", "watch", run, "--out", tmp_path / "runs")
    assert done["sections"]
    assert len(braket.queue.tasks) == 1
