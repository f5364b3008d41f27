"""The whole way through a loopback vendor: real client, real HTTP, real prices, a budget."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.loopback.braket import BraketService
from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API, IBMPlatform
from backends.loopback.server import LoopbackServer
from qhw.analysis.compare.result import REHEARSAL, ComparisonResult
from qhw.cli.submit import REHEARSED_PRICE
from tests.cli.test_jobs_cli import document, qhw, refused

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

Given = Callable[..., tuple[object, ...]]


@pytest.fixture
def given(small_model: Path) -> Given:
    def options(device: str, shots: int = 500) -> tuple[object, ...]:
        sizes = ("--task", "generate", "--molecules", 3, "--shots", shots)
        return ("--model", small_model, "--device", device, *sizes)

    return options


def distance(result: dict[str, Any], source: str) -> float:
    """Mean total variation distance of the decoder from exact."""
    (section,) = (s for s in result["sections"] if s["key"] == "decoder")
    (metric,) = (m for m in section["metrics"] if m["key"] == "total_variation")
    (row,) = (r for r in metric["rows"] if r["source"] == source)
    mean: float = row["mean"]["value"]
    return mean


def test_ibm_run_with_a_lost_answer_makes_one_job(
    ibm: tuple[IBMPlatform, LoopbackServer], given: Given, tmp_path: Path
) -> None:
    platform, server = ibm
    server.faults.add(Rule(f"{API}/jobs", Fault.answer(504, after=True), "POST"))
    arguments = ("--budget", "20usd", "--out", tmp_path / "runs")
    done = document("run", *given("ibm:ibm_lagos"), *arguments)
    assert len(platform.queue.jobs) == 1
    (job,) = document("jobs", "list")["jobs"]
    assert platform.queue.jobs[0].tags == [job["key"]]
    assert done["circuits"][0]["usd"] == pytest.approx(platform.queue.jobs[0].billed_s * 1.6)
    assert done["circuits"][0]["cost_basis"].startswith(
        "nothing was charged, the simulated vendor's record"
    )
    assert distance(done, "device_raw") < 1.3 * distance(done, "shots_only")  # a perfect device


@pytest.mark.slow
def test_a_rehearsal_says_so_everywhere(
    ibm: tuple[IBMPlatform, LoopbackServer],
    given: Given,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform, server = ibm
    for command in (("estimate",), ("submit", "--dry-run", "--out", tmp_path / "dry")):
        priced = (*command, *given("ibm:ibm_lagos"))
        assert document(*priced)["rehearsal"] is True
        assert qhw(*priced).stdout.startswith(REHEARSED_PRICE)
    done = document("run", *given("ibm:ibm_lagos"), "--budget", "20usd", "--out", tmp_path / "a")
    assert done["rehearsal"] is True and done["schema_version"] == 4
    # the ledger remembers it where the environment no longer leads to the simulated vendor
    for name in platform.environment(server.url):
        monkeypatch.delenv(name)
    run = Path(done["run"]).name
    said = " ".join(qhw("jobs", "fetch", run, "--out", tmp_path / "b").stdout.split())
    assert REHEARSAL in said and "would have cost: $" in said
    for folder in ("a", "b"):
        page = (tmp_path / folder / run / "report.html").read_text()
        assert REHEARSAL in page and '<span class="what">would have cost</span>' in page
        assert "easured by the vendor" not in page and "IBM's own record" not in page
        kept = ComparisonResult.from_json((tmp_path / folder / run / "result.json").read_text())
        assert kept.rehearsal
    (job,) = document("jobs", "list")["jobs"]
    assert job["rehearsal"] is True
    assert re.search(r"rehearsal: [\d.]+ usd", qhw("jobs", "list").stdout)
    assert document("jobs", "show", run)["rehearsal"] is True
    shown = " ".join(qhw("jobs", "show", run).stdout.split())
    assert REHEARSAL in shown and "would have cost" in shown and "actual" not in shown


def test_braket_run(braket: BraketService, given: Given, tmp_path: Path) -> None:
    arguments = ("--budget", "5usd", "--out", tmp_path / "runs")
    done = document("run", *given("braket:iqm_garnet"), *arguments)
    (task,) = braket.queue.tasks
    assert done["rehearsal"] is True
    assert done["circuits"][0]["cost_basis"].startswith(
        "nothing was charged, the simulated vendor's count of successful shots"
    )
    assert done["circuits"][0]["usd"] == pytest.approx(task.billed_usd)
    assert task.billed_usd == pytest.approx(0.3 + 3 * 500 * 0.00145)
    (job,) = document("jobs", "list")["jobs"]
    assert job["estimate_usd"] == job["charged_usd"] == pytest.approx(task.billed_usd)
    assert job["reserved_usd"] is None
    assert distance(done, "device_raw") < 1.3 * distance(done, "shots_only")  # a perfect device


def test_submit_cancel_and_show(ibm: tuple[IBMPlatform, LoopbackServer], given: Given) -> None:
    platform, _ = ibm
    platform.queue.hold()
    sent = document("submit", *given("ibm:ibm_lagos"), "--budget", "20usd")
    (job,), run = sent["jobs"], sent["run"]
    assert sent["rehearsal"] is True
    assert job["charged_usd"] is None and job["reserved_usd"] == job["most_usd"] > 0
    assert re.search(r"up to [\d.]+ usd", qhw("jobs", "list").stdout)
    (job,) = document("jobs", "cancel", run)["jobs"]
    assert (job["state"], job["charged_usd"], job["reserved_usd"]) == ("cancelled", 0, None)
    assert "up to" not in qhw("jobs", "list").stdout
    assert platform.queue.jobs[0].status == "Cancelled"
    assert document("jobs", "show", run)["jobs"][0]["actual_usd"] == 0


def test_a_budget_too_small_sends_nothing(
    ibm: tuple[IBMPlatform, LoopbackServer], given: Given
) -> None:
    platform, _ = ibm
    refused(qhw("submit", *given("ibm:ibm_lagos"), "--budget", "0.01usd"), "cap of the run")
    refused(qhw("submit", *given("ibm:ibm_lagos")), "no cap is set")
    assert platform.queue.jobs == ()
    assert document("jobs", "list")["jobs"] == []


def test_a_dry_run_writes_the_payload_and_posts_nothing(
    braket: BraketService, given: Given, tmp_path: Path
) -> None:
    arguments = ("--dry-run", "--out", tmp_path / "runs")
    dry = document("submit", *given("braket:iqm_garnet"), *arguments)
    payload = json.loads(Path(dry["payloads"][0]).read_bytes())
    assert payload["deviceArn"].endswith("Garnet")
    assert dry["usd"] == pytest.approx(0.3 + 3 * 500 * 0.00145)
    assert braket.queue.tasks == ()


def test_too_many_shots_are_refused_before_anything(braket: BraketService, given: Given) -> None:
    shots = ("--budget", "9999usd")
    refused(qhw("submit", *given("braket:iqm_garnet", 20_001), *shots), "20000")
    assert braket.queue.tasks == ()


def test_no_credentials_is_one_line(
    given: Given, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("QISKIT_IBM_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for device in ("ibm:ibm_lagos", "braket:iqm_garnet"):
        refused(qhw("submit", *given(device), "--budget", "1usd"), "(?i)credentials|token|account")
