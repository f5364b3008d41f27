"""The key figure of a report: the device between its shot floor and its baselines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from qhw.analysis.compare.result import SOURCE_LABELS, Metric, Row, Section, SourceKey
from qhw.report.svg import SOFT, house_style, to_svg

COLOURS: dict[SourceKey, str] = {
    "device_raw": "#e07b39",
    "device_readout": "#2673b8",
    "device_mitigated": "#2673b8",
    "shots_only": "#3a9e6a",
    "prior_mean": "#9b6bb3",
    "uniform": "#8d97a3",
}
_MARKS: dict[SourceKey, str] = {
    "device_raw": "o",
    "device_readout": "o",
    "device_mitigated": "o",
    "shots_only": "_",
    "prior_mean": "D",
    "uniform": "s",
}
_MARK_STYLE: dict[SourceKey, tuple[float, float, bool]] = {
    "device_raw": (6.5, 1.5, False),
    "device_readout": (6.5, 1.5, True),
    "device_mitigated": (6.5, 1.5, True),
    "shots_only": (9.0, 1.8, True),
    "prior_mean": (5.0, 0.0, True),
    "uniform": (5.0, 0.0, True),
}
"""Size, edge width, filled."""
_MAX_ROWS = 60
"""Rows drawn one by one; more would be a smear."""


def key_figure(section: Section, rows: Sequence[int] | None = None) -> str:
    """:func:`distance_figure` as SVG text."""
    figure = distance_figure(section, rows)
    assert section.leading is not None  # else there was no figure
    with house_style():
        return to_svg(figure, f"{section.title}: {_name(section.leading)}, by row and mean")


def distance_figure(section: Section, rows: Sequence[int] | None = None) -> Figure:
    """Total variation distance, or linear cross-entropy, by row and on average.

    Args:
        section: one with a leading metric.
        rows: number of each row in the run, by default ``0, 1, ...``.

    Raises:
        ValueError: it has none.
    """
    metric = section.leading
    if metric is None:
        raise ValueError(f"Argument `section` must have total_variation, but {section.key} has not")
    with house_style():
        figure = Figure(figsize=(9.4, 3.9), layout="constrained")
        by_row, average = figure.subplots(1, 2, width_ratios=(2.4, 1), sharey=True)
        total = len(metric.rows[0].values)
        _each_row(by_row, metric, np.arange(total) if rows is None else np.asarray(rows))
        _average(average, metric)
        handles, labels = by_row.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _name(metric: Metric) -> str:
    return f"{metric.label} to exact" if metric.key == "total_variation" else metric.label


def _each_row(axes: Axes, metric: Metric, rows: NDArray[np.int64]) -> None:
    for row in metric.rows:
        values = np.array([np.nan if v is None else v for v in row.values[:_MAX_ROWS]])
        size, edge, filled = _MARK_STYLE[row.source]
        axes.plot(
            rows[:_MAX_ROWS],
            values,
            linestyle="none",
            marker=_MARKS[row.source],
            markersize=size,
            markeredgewidth=edge,
            markerfacecolor=COLOURS[row.source] if filled else "none",
            color=COLOURS[row.source],
            label=SOURCE_LABELS[row.source],
        )
    logarithmic = metric.key == "total_variation"
    axes.set_yscale("log" if logarithmic else "linear")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    total = len(rows)
    axes.set_xlabel("row" if total <= _MAX_ROWS else f"row (first {_MAX_ROWS} of {total})")
    scale = "log scale, " if logarithmic else ""
    axes.set_ylabel(f"{_name(metric)}\n({scale}{metric.better} is better)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if total == 1:  # its tick is a row's number, not a fraction of one
        axes.set_xlim(-1, 1)
        axes.set_xticks([0])
    axes.grid(axis="y", color=SOFT, alpha=0.25, lw=0.6)


def _average(axes: Axes, metric: Metric) -> None:
    rows: list[Row] = [row for row in metric.rows if row.mean is not None]
    for place, row in enumerate(rows):
        mean = row.mean
        assert mean is not None
        size, edge, filled = _MARK_STYLE[row.source]
        axes.errorbar(
            place,
            mean.value,
            [[max(mean.value - mean.low, 0.0)], [max(mean.high - mean.value, 0.0)]],
            color=COLOURS[row.source],
            marker=_MARKS[row.source],
            markersize=size + 1,
            markeredgewidth=edge,
            markerfacecolor=COLOURS[row.source] if filled else "none",
            capsize=5,
            lw=1.4,
        )
        axes.annotate(
            f"{mean.value:.3f}",
            (place, mean.high),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    names = {
        "device_raw": "raw",
        "device_readout": "corrected",
        "device_mitigated": "mitigated",
        "shots_only": "shot\nfloor",
        "prior_mean": "others'\nmean",
        "uniform": "uniform",
    }
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.margins(y=0.15)
    axes.set_xticks(range(len(rows)), [names[row.source] for row in rows], fontsize=8.5)
    axes.set_xlabel("mean and 95 % interval")
    axes.grid(axis="y", color=SOFT, alpha=0.25, lw=0.6)
