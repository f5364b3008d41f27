"""``qhw devices --live`` against both loopback vendors with the real clients."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends.base import UnknownBackendError
from backends.bounded_http import Patience
from backends.ibm import account
from backends.live import Standing, ask_devices
from backends.loopback.braket import BraketService
from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API, IBMPlatform
from backends.loopback.server import LoopbackServer
from backends.vendor import CredentialsError
from tests.cli.test_jobs_cli import document, qhw, refused
from tests.vendors.braket.test_checks import aqt_answer

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

PATIENT = Patience(connect_s=2.0, silence_s=15.0, request_s=15.0, question_s=1.0, pause_s=0.05)
"""Gives a busy machine time to answer."""
HASTY = Patience(connect_s=2.0, silence_s=2.0, request_s=2.0, question_s=1.0, pause_s=0.05)
"""For silence."""
MORNINGS = [
    {"executionDay": "Weekdays", "windowStartHour": "08:00:00", "windowEndHour": "11:59:59"}
]
SATURDAY = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
SERVED = ("braket:iqm_garnet", "braket:sv1")


@pytest.fixture(autouse=True)
def own_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QHW_PRICES", raising=False)


@pytest.fixture
def ibm(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[IBMPlatform, LoopbackServer]]:
    platform = IBMPlatform(("ibm_lagos", "ibm_perth"))
    with LoopbackServer(platform) as server:
        for name, value in platform.environment(server.url).items():
            monkeypatch.setenv(name, value)
        yield platform, server
    platform.stop()


@pytest.fixture
def braket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[BraketService, LoopbackServer]]:
    service = BraketService(("iqm_garnet", "sv1"), windows=MORNINGS)
    with LoopbackServer(service) as server:
        for name, value in service.environment(server.url).items():
            monkeypatch.setenv(name, value)
        yield service, server
    service.queue.stop()


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials of any vendor."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(account, "ACCOUNT_FILE", tmp_path / "absent.json")
    for name in ("QISKIT_IBM_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def by_name(rows: tuple[Standing, ...]) -> dict[str, Standing]:
    assert len({row.backend for row in rows}) == len(rows)
    return {row.backend: row for row in rows}


def test_ibm_lists_the_accounts_devices(ibm: tuple[IBMPlatform, LoopbackServer]) -> None:
    platform, _ = ibm
    platform.queue.hold()
    for _ in range(3):
        platform.queue.accept({"backend": "ibm_lagos", "program_id": "executor"})
    platform.offline.add("ibm_perth")
    rows = by_name(ask_devices(["ibm"], patience=PATIENT))
    assert list(rows) == ["ibm:ibm_lagos", "ibm:ibm_perth"]
    up, down = rows.values()
    assert (up.status, up.in_service, up.queue, up.is_open, up.error) == (
        "active",
        True,
        3,
        True,
        "",
    )
    assert up.price is not None and up.price.usd_per_second == 1.6
    assert (down.status, down.in_service, down.is_open) == ("maintenance", False, False)


def test_braket_hours_queue_and_price(braket: tuple[BraketService, LoopbackServer]) -> None:
    closed = by_name(ask_devices(SERVED, patience=PATIENT, clock=lambda: SATURDAY))
    garnet = closed["braket:iqm_garnet"]
    assert garnet.is_open is False
    assert garnet.next_opening == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert (garnet.status, garnet.in_service, garnet.queue) == ("ONLINE", True, 0)
    assert garnet.price is not None
    assert (garnet.price.usd_per_task, garnet.price.usd_per_shot) == (0.3, 0.00145)
    simulator = closed["braket:sv1"].price
    assert simulator is not None and simulator.usd_per_second == 0.00125
    assert by_name(ask_devices(SERVED, patience=PATIENT, clock=lambda: MONDAY))[SERVED[0]].is_open


def test_a_device_that_hangs_and_one_that_is_offline_keep_to_their_rows(
    ibm: tuple[IBMPlatform, LoopbackServer], braket: tuple[BraketService, LoopbackServer]
) -> None:
    service, amazon = braket
    service.devices["iqm_garnet"].status = "OFFLINE"
    amazon.faults.add(Rule(r"/device/.*sv1", Fault.hang(), times=None))
    ibm[1].faults.add(Rule(f"{API}/backends/ibm_perth/status", Fault.hang(), times=None))
    start = time.monotonic()
    rows = by_name(ask_devices(["ibm", *SERVED], patience=HASTY))
    took = time.monotonic() - start
    assert took < 8, took  # one try of 2 s each, at once, and room for a busy machine
    assert rows["braket:iqm_garnet"].status == "OFFLINE"
    assert rows["braket:iqm_garnet"].in_service is False
    assert "did not answer" in rows["braket:sv1"].error
    assert "did not answer" in rows["ibm:ibm_perth"].error
    assert rows["ibm:ibm_lagos"].in_service is True


def test_ibm_unreachable_does_not_hide_braket(
    ibm: tuple[IBMPlatform, LoopbackServer], braket: tuple[BraketService, LoopbackServer]
) -> None:
    ibm[1].faults.add(Rule(f"{API}/backends", Fault.hang(), times=None))
    rows = by_name(ask_devices(["ibm", "braket:sv1"], patience=HASTY))
    assert "did not answer" in rows["ibm:*"].error
    assert rows["braket:sv1"].in_service is True


def test_devices_the_vendors_do_not_know(
    ibm: tuple[IBMPlatform, LoopbackServer], braket: tuple[BraketService, LoopbackServer]
) -> None:
    rows = by_name(ask_devices(["ibm:ibm_nowhere", "braket:aqt_ibex_q1"], patience=PATIENT))
    assert "no such device (all: ibm_perth, ibm_lagos)" in rows["ibm:ibm_nowhere"].error
    assert "not found" in rows["braket:aqt_ibex_q1"].error
    for name in ("aer:ibm_boston", "ibm:", "exact"):
        with pytest.raises(UnknownBackendError, match="must be ibm, braket"):
            ask_devices([name])
    with pytest.raises(UnknownBackendError, match="iqm_garnet"):
        ask_devices(["braket:iqm_garnat"])


def test_one_vendor_without_credentials_is_one_row(
    nobody: None, braket: tuple[BraketService, LoopbackServer]
) -> None:
    rows = by_name(ask_devices(["ibm", "braket:sv1"], patience=PATIENT))
    assert list(rows) == ["ibm:*", "braket:sv1"]
    assert rows["ibm:*"].lacks_credentials and "QISKIT_IBM_TOKEN" in rows["ibm:*"].error
    assert rows["braket:sv1"].in_service is True


def test_no_credentials_at_all(nobody: None) -> None:
    with pytest.raises(CredentialsError, match=r"QISKIT_IBM_TOKEN.*AWS_ACCESS_KEY_ID"):
        ask_devices(["ibm", "braket"], patience=PATIENT)
    refused(qhw("devices", "--live"), "QISKIT_IBM_TOKEN.*AWS_ACCESS_KEY_ID")


def test_command(
    ibm: tuple[IBMPlatform, LoopbackServer], braket: tuple[BraketService, LoopbackServer]
) -> None:
    asked = ("devices", "--live", "--device", "ibm", "--device", "braket:sv1")
    result = qhw(*asked)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "backend",
        "ibm:ibm_lagos",
        "ibm:ibm_perth",
        "braket:sv1",
    ]
    assert "asking devices: 3 of 3" in result.stderr
    rows = document(*asked)["devices"]
    assert [row["status"] for row in rows] == ["active", "active", "ONLINE"]
    assert rows[0]["usd_per_second"] == 1.6
    assert json.dumps(rows[2]["next_opening"])[-7:-1] == "+00:00"
    assert [r["backend"] for r in document(*asked, "perth")["devices"]] == ["ibm:ibm_perth"]
    refused(qhw(*asked, "nothing-like-this"), "must be part of a device's name")
    refused(qhw("devices", "--device", "ibm"), "must come with --live")


def test_a_vendors_words_are_no_markup(braket: tuple[BraketService, LoopbackServer]) -> None:
    body = b'{"message": "[/bold] no [red]such[/red] thing"}'
    amazon = braket[1]
    amazon.faults.add(Rule(r"/device/.*", Fault.answer(404, body=body), times=None))
    result = qhw("devices", "--live", "--device", "braket:sv1")
    assert result.exit_code == 0, result.output
    assert "[/bold] no [red]such[/red]" in " ".join(result.stdout.split())


def test_a_device_without_a_price_says_how_to_give_one(
    braket: tuple[BraketService, LoopbackServer],
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = Fault.answer(200, headers=headers, body=aqt_answer())
    braket[1].faults.add(Rule(r"/device/.*Ibex.*", answer, times=None))
    asked = ("devices", "--live", "--device", "braket:aqt_ibex_q1")
    (row,) = document(*asked)["devices"]
    assert (row["status"], row["usd_per_shot"], row["error"]) == ("ONLINE", None, None)
    assert "QHW_PRICES" in row["price_basis"]
    result = qhw(*asked)
    assert "unknown" in result.stdout.splitlines()[1]
    assert "QHW_PRICES" in result.stdout.splitlines()[2]
