"""Every page that the house writes, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qhw.saved.shelf import Shelf
from qhw.saved.side_by_side import lay_side_by_side
from tests.browser.chromium import Chromium, Page
from tests.browser.conftest import Runs
from tests.browser.looks import CONTRAST, DANGLING, NARROW, WIDE, fits

KINDS = (
    "compare", "measure", "expect", "noise-study", "depth-report", "mitigate-bench", "drift",
    "validate-models", "runs",
)  # fmt: skip
PAPER = 720


@pytest.fixture
def page(browser: Chromium) -> Iterator[Page]:
    made = browser.page()
    yield made
    made.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_in_a_browser(kind: str, runs: Runs, page: Page) -> None:
    address = runs.page(kind).as_uri()
    page.look(WIDE)
    page.goto(address)
    assert page.run("document.title.length") > 0
    assert {a for a in page.asked if not a.startswith("data:")} == {address}
    assert page.run(DANGLING) == []
    for width in (WIDE, NARROW):
        assert fits(page, width) == []
    for dark in (False, True):
        page.look(WIDE, dark=dark)
        assert page.run(CONTRAST) == [], f"dark: {dark}"
    page.look(PAPER, media="print")
    assert page.run("[...document.querySelectorAll('nav')].every((n) => !n.offsetWidth)")
    assert page.pdf().startswith(b"%PDF-")
    assert page.problems == []


def test_a_click_on_a_heading_sorts(runs: Runs, page: Page) -> None:
    page.look(WIDE)
    page.goto(runs.page("depth-report").as_uri())
    column = """(() => {
      const head = [...document.querySelectorAll("table.sortable th")]
        .find((h) => h.textContent.trim().startsWith("two-qubit gates"));
      head.querySelector("button").click();
      return [head.getAttribute("aria-sort"), ...[...head.closest("table").tBodies[0].rows]
        .map((r) => r.cells[head.cellIndex].dataset.v ?? "").filter((v) => v).map(Number)];
    })()"""
    for order in ("ascending", "descending"):
        told, *values = page.run(column)
        assert told == order
        assert len(set(values)) > 1
        assert values == sorted(values, reverse=order == "descending")


def test_rows_that_are_not_the_best_come_with_a_tick(runs: Runs, page: Page) -> None:
    page.goto(runs.page("depth-report").as_uri())
    shown = (
        "[...document.querySelectorAll('table.sortable tbody tr')].filter((r) => !r.hidden).length"
    )
    few = page.run(shown)
    page.run("document.querySelector('input[data-rows]').click()")
    assert 0 < few < page.run(shown)


def test_recommendations_come_first_and_are_sorted_filtered_and_followed(
    runs: Runs, page: Page
) -> None:
    page.look(WIDE)
    page.goto(runs.page("depth-reports").as_uri())
    assert page.run("document.querySelector('h2').innerText") == "Recommended"
    row = "[...document.querySelectorAll('#overview tbody tr')].filter((r) => !r.hidden)"
    names = f"{row}.map((r) => r.cells[0].innerText)"
    assert page.run(names) == [f"turned_{k}" for k in range(4)]
    gates = f"{row}.map((r) => Number(r.cells[4].innerText))"
    head = "document.querySelectorAll('#overview th')[4].querySelector('button').click()"
    page.run(f"{head}, {head}")
    found = page.run(gates)
    assert found == sorted(found, reverse=True)
    assert len(set(found)) > 1
    typed = """(() => {{ const box = document.querySelector('input[data-filter="overview"]');
      box.value = {!r}; box.dispatchEvent(new Event("input")); }})()"""
    page.run(typed.format("TURNED_2"))
    assert page.run(names) == ["turned_2"]
    page.run(typed.format("ibm_fez"))
    assert page.run(f"{row}.every((r) => r.innerText.includes('ibm_fez'))")
    page.run(typed.format("nowhere"))
    assert page.run(names) == []
    page.run(typed.format(""))
    page.run("document.querySelector('input[data-beating=overview]').click()")
    assert sorted(page.run(names)) == ["turned_1", "turned_2", "turned_3"]
    page.look(NARROW)
    assert fits(page, NARROW) == []
    closed = "document.querySelector('details.circuit').open"
    assert page.run(closed) is False
    page.run("document.querySelector('#overview a[href=\"#c1\"]').click()")
    page.wait_for(closed)  # what is linked to is unfolded
    page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert fits(page, NARROW) == []
    assert page.problems == []


def test_molecules_are_drawn_and_turn(runs: Runs, page: Page) -> None:
    page.look(WIDE)
    page.goto(runs.page("compare").as_uri())
    painted = """[...document.querySelectorAll("canvas")].map((c) => {
        const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        return d.reduce((sum, v, i) => sum + (i % 4 === 3 && v > 0), 0); })"""
    pixels = page.run(painted)
    assert pixels and all(pixels)


def test_every_kind_is_listed_and_lies_beside_the_others(runs: Runs) -> None:
    for kind in KINDS:
        runs.page(kind)
    found = {run.name: run for run in Shelf(runs.folder).runs() if run.name in KINDS}
    assert {name: run.kind for name, run in found.items() if name != "runs"} == {
        "compare": "comparison",
        "measure": "comparison",
        "expect": "expectation",
        "noise-study": "noise study",
        "depth-report": "depth report",
        "mitigate-bench": "mitigation bench",
        "drift": "drift",
        "validate-models": "model validation",
    }
    names = [name for name in KINDS if name != "runs"]
    assert all(found[name].page and found[name].problem is None for name in names)
    compared = lay_side_by_side(Shelf(runs.folder), names)
    for place in range(len(names)):  # everybody has settings and figures
        assert any(line.cells[place] is not None for line in compared.lines)
        assert any(line.cells[place] is not None for line in compared.figures)
