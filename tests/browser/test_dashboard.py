"""The dashboard in a real browser: opened by its address, used, and kept open while jobs run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks.chaos.local import LocalVendor
from qhw.dashboard.guard import Door
from qhw.dashboard.serve import served
from qhw.jobs.budget import Budget
from qhw.jobs.intent import Plan, RunRequest, plan_jobs, write_intents
from qhw.jobs.ledger import Ledger
from qhw.jobs.schema import job
from qhw.jobs.states import State
from tests.browser.chromium import Chromium, Page
from tests.browser.conftest import Runs
from tests.browser.looks import CONTRAST, NARROW, WIDE, fits
from tests.jobs.conftest import small_submission

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """One job, intended."""
    monkeypatch.setenv("QHW_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("QHW_LEDGER_URL", "QHW_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    vendor = LocalVendor(tmp_path / "vendor.db")
    with Ledger.open() as opened:
        jobs = plan_jobs(vendor, small_submission(vendor, rows=1))
        request = RunRequest("measure", task="measure")
        write_intents(opened, vendor, request, Plan({EVIL: jobs}), Budget(run_cap=10**9))
        yield opened


@pytest.fixture
def door(runs: Runs, ledger: Ledger) -> Iterator[Door]:
    for kind in ("measure", "measure-again", "noise-study"):
        runs.page(kind)
    (runs.folder / EVIL).mkdir(exist_ok=True)
    with served(runs.folder) as opened:
        yield opened


@pytest.fixture
def page(browser: Chromium, door: Door) -> Iterator[Page]:
    """Has opened the address."""
    made = browser.page()
    made.look(WIDE)
    made.goto(door.address)
    made.wait_for("document.title === 'Runs' && document.readyState === 'complete'")
    yield made
    made.close()


def test_the_dashboard_in_a_browser(page: Page, door: Door) -> None:
    """Every page: from its own address only, nothing in the console, all widths and colours."""
    home = f"http://127.0.0.1:{door.port}/"
    for path in ("", "?sort=skill", "jobs", "run/measure", "compare?run=measure&run=measure-again"):
        page.goto(home + path)
        assert page.run("getComputedStyle(document.querySelector('main')).maxWidth") == "1536px"
        for width in (WIDE, NARROW):
            assert fits(page, width) == []
        for dark in (False, True):
            page.look(WIDE, dark=dark)
            assert page.run(CONTRAST) == []
    assert all(address.startswith(home) for address in page.asked)
    assert page.problems == []
    assert page.run("document.cookie") == ""


def test_runs_are_filtered_sorted_chosen_and_compared(page: Page) -> None:
    names = "[...document.querySelectorAll('tbody th')].map((h) => h.innerText.split('\\n')[0])"
    assert {"measure", "measure-again", "noise-study", EVIL} <= set(page.run(names))
    arrow = "getComputedStyle(document.querySelector('[aria-sort] a'), '::after').content"
    assert "▼" in page.run(arrow)
    page.click("th a[href*='sort=skill']")
    assert page.run(names)[:2] == ["measure", "measure-again"]
    assert page.run("document.querySelector('[aria-sort]').innerText.trim()").startswith("skill")
    page.run("document.querySelector('input[name=words]').value = 'garnet'")
    page.click("form.filter button")
    assert page.run(names) == ["measure-again"]
    page.goto(page.run("location.origin") + "/?sort=skill")
    for name in ("measure", "measure-again"):
        page.run(f"document.querySelector('input[value=\"{name}\"]').click()")
    page.click("#compare")
    assert page.run("document.title") == "2 runs side by side"
    assert page.run("document.querySelectorAll('.change').length") > 0
    assert page.problems == []


def test_a_report_opens_in_its_sandbox(page: Page) -> None:
    page.click("a[href='/files/measure/report.html']")
    assert "beside exact" in page.run("document.querySelector('h1').innerText")
    assert page.run("self.origin") == "null"  # no access to the dashboard
    reached = page.run("fetch('/jobs').then(() => 'reached', () => 'refused')")
    assert reached == "refused"


def test_jobs_change_on_the_page_while_they_run(page: Page, door: Door, ledger: Ledger) -> None:
    page.goto(f"http://127.0.0.1:{door.port}/jobs")
    assert EVIL in page.run("document.querySelector('#now').innerText")
    assert "intended" in page.run("document.querySelector('td.state').innerText")
    change = sa.update(job).values(state=State.QUEUED, queue_position=7)
    ledger.write(lambda connection: connection.execute(change))
    page.wait_for("document.querySelector('td.state').innerText === 'queued (place 7)'")
    assert page.problems == []


def test_without_the_address_there_is_nothing(browser: Chromium, door: Door) -> None:
    made = browser.page()
    made.call("Network.clearBrowserCookies")
    made.goto(f"http://127.0.0.1:{door.port}/jobs")
    assert made.run("document.body.innerText").strip() == (
        "Open the address that `qhw dashboard` printed."
    )
    made.close()
