"""What every page of the house shares: templates, number filters, inlined assets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from qhw.provenance import versions
from qhw.report.format import duration, interval, number, percent, success, usd
from qhw.report.plain import plain_line


@cache
def environment(*packages: str) -> Environment:
    """Templates of ``qhw.report`` with autoescaping and the house's filters.

    Args:
        packages: others whose templates come first.
    """
    made = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in (*packages, "qhw.report")]),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": number,
        "percent": percent,
        "interval": interval,
        "duration": duration,
        "success": success,
        "usd": usd,
        "plain_line": plain_line,
        "of_row": of_row,
    }
    return made


def of_row(name: str, place: int) -> str:
    """A row's number and name, which a row without a name has from its number."""
    return name if name == str(place) else f"{place}. {name}"


def asset(name: str) -> Markup:
    """A file of ``assets``, to be inlined: our own text, not data."""
    return Markup(files("qhw.report").joinpath("assets", name).read_text(encoding="utf-8"))


def render_rows(
    title: str,
    words: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    command: str,
) -> str:
    """HTML text of a page of one table.

    Args:
        title: of the page.
        words: a sentence about the table.
        headings: of its columns.
        rows: their cells.
        command: that made it.
    """
    template = environment().get_template("rows.html.j2")
    return template.render(
        title=title,
        words=words,
        headings=headings,
        rows=rows,
        command=command,
        versions=versions(),
        css=asset("report.css"),
    )
