"""Hit rates of a conditional model: on a terminal, and as a page with its violins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qhw.analysis.hits.hit_rate import HitRate, Share
from qhw.chem.properties import PROPERTIES
from qhw.provenance import versions
from qhw.report.format import interval, percent
from qhw.report.page import asset, environment
from qhw.report.svg import INK, SOFT, house_style, to_svg
from qhw.report.tables import WholeTable

FloatArray = NDArray[np.float64]

_OWN, _CONTROL = "#2a6f97", "#b0722a"
_FEWEST = 5
"""Values that a violin is drawn of; fewer are shown as points."""


def hit_table(rates: Sequence[HitRate], title: str) -> WholeTable:
    """One row a condition, property and protocol."""
    table = WholeTable(
        box=None, pad_edge=False, header_style="dim", title=title, title_justify="left"
    )
    for heading in ("asked", "window", "protocol"):
        table.add_column(heading)
    for heading in ("hits / valid", "rate", "95 % interval", "without", "difference", "95 %"):
        table.add_column(heading, justify="right")
    for rate in rates:
        table.add_row(
            asked_words(rate),
            window_words(rate),
            rate.protocol,
            f"{rate.model.hits} / {rate.model.known}",
            *_rate(rate.model),
            f"{rate.control.hits} / {rate.control.known} = {_rate(rate.control)[0]}",
            "–" if rate.difference is None else f"{100 * rate.difference.value:+.1f}",
            interval(rate.difference, as_percent=True),
        )
    return table


def asked_words(rate: HitRate) -> str:
    """``logP of logP=1, QED=0.4``; of a single condition the condition alone."""
    whole = ", ".join(f"{name}={value:g}" for name, value in rate.condition.items())
    return whole if len(rate.condition) == 1 else f"{rate.name} of {whole}"


def window_words(rate: HitRate) -> str:
    """``[0.5, 1.5)``."""
    low, high = rate.asked - rate.half_width, rate.asked + rate.half_width
    return f"[{low:g}, {high:g})"


def _rate(share: Share) -> tuple[str, str]:
    if share.rate is None:
        return "–", ""
    return percent(share.rate.value), interval(share.rate, as_percent=True)


def render_hits(rates: Sequence[HitRate], title: str, command: str) -> str:
    """The page's HTML text."""
    names = list(dict.fromkeys(rate.name for rate in rates))
    page = environment().get_template("hit_rates.html.j2")
    return page.render(
        title=title,
        command=command,
        rates=rates,
        asked_words=asked_words,
        window_words=window_words,
        estimators=dict(zip(names, [_estimator(rates, name) for name in names], strict=True)),
        figures=[Markup(violins(rates, name)) for name in names],
        versions=versions(),
        css=asset("report.css"),
    )


def _estimator(rates: Sequence[HitRate], name: str) -> str:
    return next(rate.estimator for rate in rates if rate.name == name)


def violins(rates: Sequence[HitRate], name: str) -> str:
    """SVG text: the property of valid molecules under each condition, beside the control's.

    Args:
        rates: all.
        name: of the property.
    """
    own = [rate for rate in rates if rate.name == name]
    protocols = list(dict.fromkeys(rate.protocol for rate in own))
    with house_style():
        figure = Figure(figsize=(9.4, 3.4), layout="constrained")
        for axes, protocol in zip(
            np.atleast_1d(figure.subplots(1, len(protocols), sharey=True)), protocols, strict=True
        ):
            _panel(axes, [rate for rate in own if rate.protocol == protocol])
            axes.set_title(f"{protocol} protocol", fontsize=10)
        unit = PROPERTIES[name].unit
        figure.supylabel(f"{name}{f' ({unit})' if unit else ''}", fontsize=10)
        return to_svg(figure, f"{name} of valid molecules by condition, beside the control")


def _panel(axes: Axes, rates: Sequence[HitRate]) -> None:
    groups: list[tuple[str, FloatArray, HitRate | None]] = [
        ("without", rates[0].control_values, None)
    ]
    groups += [(asked_words(rate), rate.values, rate) for rate in rates]
    for place, (_, values, rate) in enumerate(groups):
        known = values[np.isfinite(values)]
        colour = _CONTROL if rate is None else _OWN
        if len(known) >= _FEWEST and np.ptp(known) > 0:
            drawn = axes.violinplot([known], [place], showextrema=False, showmedians=True)
            bodies: Any = drawn["bodies"]
            for body in bodies:
                body.set(facecolor=colour, alpha=0.55)
            drawn["cmedians"].set_color(INK)
        else:
            axes.plot([place] * len(known), known, ".", color=colour)
        if rate is not None:
            ends = rate.asked - rate.half_width, rate.asked + rate.half_width
            axes.fill_between([place - 0.45, place + 0.45], *ends, color=SOFT, alpha=0.3, lw=0)
    axes.set_xticks(
        range(len(groups)),
        [f"{words}\n{len(values)}" for words, values, _ in groups],
        fontsize=8.5,
    )
