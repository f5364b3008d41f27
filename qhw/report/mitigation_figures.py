"""Figures of a mitigation bench: distance over shots, a panel a device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from qhw.analysis.bench.pipelines import RAW, READOUT
from qhw.analysis.bench.result import DeviceBench
from qhw.mitigation.words import DEFAULT
from qhw.report.study_figures import PALETTE
from qhw.report.svg import INK, SOFT, house_style, to_svg

_COLUMNS = 2
_BASELINE = "#a3271d"
_DASHES = ("solid", (0, (5, 2)), (0, (1, 1.5)))
_MARKERS = ("o", "^", "s")
"""Styles once the colours are used up; with one budget there are no lines, so marks differ too."""


def distance_figure(devices: Sequence[DeviceBench]) -> str:
    """SVG text: total variation distance over shots for every pipeline.

    Args:
        devices: of a bench, one or more.
    """
    columns = min(_COLUMNS, len(devices))
    rows = math.ceil(len(devices) / columns)
    names = [cell.asked for cell in devices[0].budgets[0].cells]
    with house_style():
        size = (9.8, (3.7 if columns > 1 else 4.4) * rows + 0.3 * math.ceil(len(names) / 3))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place < len(devices):
                _panel(axes, devices[place], names)
                axes.tick_params(labelbottom=place + columns >= len(devices))
            else:
                axes.set_visible(False)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8.5)
    return to_svg(figure, "Distance to exact over shots, by pipeline and device")


def _panel(axes: Axes, device: DeviceBench, names: Sequence[str]) -> None:
    for place, name in enumerate(names):
        cells = [(budget.shots, budget.cell(name)) for budget in device.budgets]
        known = [(n, cell.tvd) for n, cell in cells if cell is not None and cell.tvd is not None]
        axes.errorbar(
            [n for n, _ in known],
            [tvd.value for _, tvd in known],
            yerr=[tvd.error for _, tvd in known],
            label=name,
            **_style(name, place),
        )
    shots = [budget.shots for budget in device.budgets]
    floors = [budget.floor for budget in device.budgets]
    marker = "." if len(shots) == 1 else ""
    axes.plot(shots, floors, color=INK, lw=1.1, ls=":", marker=marker, label="shot floor")
    axes.axhline(device.constant, color=_BASELINE, lw=1, ls="--", label="best constant, no QPU")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(shots, [f"{n:,}" for n in shots], fontsize=8.5)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda d, _: f"{d:g}"))
    axes.set_title(device.device, loc="left", fontsize=10)
    axes.set_xlabel("shots a circuit, everything counted", fontsize=9)
    axes.set_ylabel("total variation distance", fontsize=9)
    axes.grid(color=SOFT, alpha=0.2, lw=0.6, which="both")


def _style(name: str, place: int) -> dict[str, Any]:
    if name in (RAW, READOUT):
        again = 1 if name == RAW else 0
        return {"color": SOFT, "lw": 1.6} | _again(again)
    style: dict[str, Any] = {"color": PALETTE[place % len(PALETTE)], "lw": 1.2}
    style |= _again(place // len(PALETTE))
    return style | ({"lw": 2.4, "color": INK} if name == DEFAULT else {})


def _again(times: int) -> dict[str, Any]:
    """Dashes and mark of a colour used before, so many times."""
    return {
        "ls": _DASHES[times % len(_DASHES)],
        "marker": _MARKERS[times % len(_MARKERS)],
        "ms": 3 if times == 0 else 4.5,
    }
