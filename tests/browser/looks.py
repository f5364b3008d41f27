"""What is looked at on every page."""

from __future__ import annotations

from tests.browser.chromium import Page

NARROW, WIDE = 400, 1400

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
DANGLING = """[...document.querySelectorAll("a[href]")]
  .filter((a) => !a.hash || !document.getElementById(decodeURIComponent(a.hash.slice(1))))
  .map((a) => a.outerHTML)"""
CONTRAST = """(() => {
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


def fits(page: Page, width: int) -> list[str]:
    """What makes the page wider than the window; nothing where it fits."""
    page.look(width)
    wide = page.run("document.documentElement.scrollWidth")
    return [f"{wide} of {width}", *page.run(_TOO_WIDE)] if wide > width else []
