"""Every page that the house writes, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium, Page
from tests.browser.conftest import Runs

KINDS = (
    "compare", "measure", "expect", "noise-study", "depth-report", "mitigate-bench", "drift", "runs"
)  # fmt: skip
NARROW, WIDE, PAPER = 400, 1400, 720

_TOO_WIDE = """(() => {
  const inside = (e) =>
    e && (getComputedStyle(e).overflowX !== "visible" || inside(e.parentElement));
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), wide = [];
  while (walk.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(walk.currentNode);
    if (range.getBoundingClientRect().right > innerWidth && !inside(walk.currentNode.parentElement))
      wide.push(walk.currentNode.data.trim().slice(0, 60));
  }
  return wide;
})()"""
"""Texts beyond the right edge that no box of their own scrolls."""
_DANGLING = """[...document.querySelectorAll("a[href]")]
  .filter((a) => !a.hash || !document.getElementById(decodeURIComponent(a.hash.slice(1))))
  .map((a) => a.outerHTML)"""
_CONTRAST = """(() => {
  const paint = (colour) => {
    const c = document.createElement("canvas").getContext("2d");
    c.fillStyle = colour; c.fillRect(0, 0, 1, 1);
    return [...c.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => paint(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (paint(colour)[3] > 250) return colour;
    }
    return "white";
  };
  const low = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, box = e.getBoundingClientRect();
    if (!walk.currentNode.data.trim() || !box.width || e.closest("svg, script, style")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push(walk.currentNode.data.trim().slice(0, 40));
  }
  return [...new Set(low)];
})()"""
"""Texts whose contrast is below 4.5 (WCAG 2.2, level AA)."""


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
    assert page.run(_DANGLING) == []
    for width in (WIDE, NARROW):
        page.look(width)
        assert page.run("document.documentElement.scrollWidth") <= width, page.run(_TOO_WIDE)
    for dark in (False, True):
        page.look(WIDE, dark=dark)
        assert page.run(_CONTRAST) == [], f"dark: {dark}"
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


def test_molecules_are_drawn_and_turn(runs: Runs, page: Page) -> None:
    page.look(WIDE)
    page.goto(runs.page("compare").as_uri())
    painted = """[...document.querySelectorAll("canvas")].map((c) => {
        const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        return d.reduce((sum, v, i) => sum + (i % 4 === 3 && v > 0), 0); })"""
    pixels = page.run(painted)
    assert pixels and all(pixels)
