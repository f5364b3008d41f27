"""Runs beside each other as one HTML file that opens offline."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from qhw.report.page import asset, environment
from qhw.report.runs_words import cell_words, change_words, range_words, some, value_words
from qhw.saved.side_by_side import SideBySide

PAGE = "runs.html"
"""Name of the file."""


def render_runs(compared: SideBySide, command: str) -> str:
    """The page's HTML text.

    Args:
        compared: the runs.
        command: that made it.
    """
    page = environment().get_template("runs.html.j2")
    return page.render(
        command=command, css=asset("report.css") + asset("runs.css"), **contents(compared)
    )


def contents(compared: SideBySide) -> dict[str, Any]:
    """What the page's body needs, also where another page holds it."""
    return {
        "compared": compared,
        "groups": [(g, list(lines)) for g, lines in groupby(compared.lines, lambda x: x.group)],
        "sections": [
            (s, list(lines)) for s, lines in groupby(compared.figures, lambda x: x.section)
        ],
        "cell_words": cell_words,
        "value_words": value_words,
        "range_words": range_words,
        "change_words": change_words,
        "some": some,
    }
