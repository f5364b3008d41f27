"""Figures of a noise study: curves over noise, crossings, error budgets, validity."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qhw.analysis.compare.result import Estimate
from qhw.report.svg import INK, SOFT, house_style, to_svg
from qhw.study.summary import BudgetTable, Curve

PALETTE = ("#2673b8", "#e07b39", "#3a9e6a", "#9b6bb3", "#c0504d", "#8a7a2e", "#4fa3a5", "#8d97a3")
_COLUMNS = 3
_LEAST_SKILL = -1.0
"""Skill below this is drawn at the edge: how far below a constant guess hardly matters."""
_Dash = str | tuple[float, tuple[float, ...]]
_RAW: _Dash = (0, (4, 2))
_DASHES: tuple[_Dash, ...] = (
    "solid",
    (0, (7, 1.5, 1.5, 1.5)),
    (0, (2, 1)),
    (0, (5, 1, 1, 1, 1, 1)),
)
_MITIGATION = {"none": "raw", "readout": "readout corrected"}


def skill_figure(curves: Sequence[Curve]) -> str:
    """Skill over noise, a panel a device, a colour a model, as SVG text."""

    def draw(axes: Axes, curve: Curve, colour: str) -> None:
        known = [(p, p.skill) for p in curve.points if p.skill is not None]
        x = [p.scale for p, _ in known]
        _line(axes, _dashes(curves)[curve.mitigation], x, [s for _, s in known], colour)
        if curve.mitigation == _last(curves):
            floor = [1 - p.shot_floor / min(p.prior_mean, p.uniform) for p, _ in known]
            axes.plot(x, floor, color=colour, lw=1, linestyle=":")

    def finish(axes: Axes) -> None:
        axes.axhline(0, color=INK, lw=0.9)
        axes.axvline(1, color=SOFT, lw=0.7, alpha=0.6)
        axes.set_ylim(_LEAST_SKILL, 1.03)

    return _by_device(curves, draw, finish, "skill (1 exact, 0 best constant)", "Skill over noise")


def distance_figure(curves: Sequence[Curve]) -> str:
    """Total variation distance over noise with baselines and shot floor, as SVG text."""

    def draw(axes: Axes, curve: Curve, colour: str) -> None:
        x = [p.scale for p in curve.points]
        tvd = [p.tvd for p in curve.points]
        _line(axes, _dashes(curves)[curve.mitigation], x, tvd, colour)
        if curve.mitigation == _last(curves):
            best = [min(p.prior_mean, p.uniform) for p in curve.points]
            axes.plot(x, best, color=colour, lw=1.1, linestyle=(0, (7, 2, 1, 2)))
            axes.plot(x, [p.shot_floor for p in curve.points], color=colour, lw=1, linestyle=":")

    def finish(axes: Axes) -> None:
        axes.axvline(1, color=SOFT, lw=0.7, alpha=0.6)
        axes.set_ylim(bottom=0)

    return _by_device(curves, draw, finish, "total variation distance", "Distance over noise")


def validity_figure(curves: Sequence[Curve]) -> str:
    """Share of valid molecules over noise, a panel a model, a colour a device, as SVG text."""
    shown = [c for c in curves if c.mitigation == _last(curves)]
    models, devices = _names(shown, "model"), _names(shown, "device")
    with house_style():
        figure = Figure(figsize=(4.7 * len(models), 3.9), layout="constrained")
        grid = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
        for axes, model in zip(grid, models, strict=True):
            for curve in (c for c in shown if c.model == model):
                colour = PALETTE[devices.index(curve.device) % len(PALETTE)]
                x = [p.scale for p in curve.points]
                valid = [p.valid for p in curve.points if p.valid is not None]
                _line(axes, "solid", x, valid, colour, curve.device)
            first = next(c for c in shown if c.model == model)
            exact = first.exact_valid or 0.0
            axes.axhline(exact, color=INK, lw=1, linestyle=":")
            axes.annotate(
                f"exact {100 * exact:.0f} %",
                (max(p.scale for p in first.points), exact),
                xytext=(0, 3),
                textcoords="offset points",
                ha="right",
                fontsize=9,
            )
            _dress(axes, model, "noise, times the reported")
            axes.set_ylim(-0.02, 1)
        grid[0].set_ylabel("valid molecules (strict), share of all")
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=_COLUMNS)
    return to_svg(figure, "Share of valid molecules over noise, by model and device")


def crossing_figure(curves: Sequence[Curve]) -> str:
    """Where each model meets the best baseline on each device, as SVG text."""
    shown = [c for c in curves if c.mitigation == _last(curves)]
    models, devices = _names(shown, "model"), _names(shown, "device")
    with house_style():
        figure = Figure(figsize=(8.6, 1.1 + 0.5 * len(devices)), layout="constrained")
        axes = figure.subplots()
        for curve in shown:
            shift = (models.index(curve.model) - (len(models) - 1) / 2) * 0.22
            colour = PALETTE[models.index(curve.model) % len(PALETTE)]
            _crossing_mark(axes, curve, devices.index(curve.device) + shift, colour)
        for place, model in enumerate(models):
            axes.plot([], [], "o", color=PALETTE[place % len(PALETTE)], label=model)
        axes.axvline(1, color=SOFT, lw=0.8)
        axes.set_yticks(range(len(devices)), devices)
        axes.set_ylim(len(devices) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel(
            "noise at which a constant guess is as close, times the reported (right is better)"
        )
        axes.grid(axis="x", color=SOFT, alpha=0.25, lw=0.6)
        figure.legend(loc="outside upper center", ncols=len(models))
    return to_svg(figure, "Noise at which each model meets the no-QPU baseline, by device")


def budget_figure(budgets: Sequence[BudgetTable]) -> str:
    """What each source costs, a panel a model, as SVG text."""
    models, devices = _names(budgets, "model"), _names(budgets, "device")
    sources = [cost.source for cost in budgets[0].costs]
    with house_style():
        figure = Figure(figsize=(9.4, 3.0 * len(models) + 0.6), layout="constrained")
        grid = figure.subplots(len(models), 1, squeeze=False)[:, 0]
        for axes, model in zip(grid, models, strict=True):
            for budget in (b for b in budgets if b.model == model):
                _budget_bars(axes, budget, devices.index(budget.device), len(sources))
            axes.set_xticks(range(len(devices)), devices, fontsize=8.5)
            axes.set_title(model, loc="left", fontsize=10.5)
            axes.set_ylabel("distance")
            axes.grid(axis="y", color=SOFT, alpha=0.25, lw=0.6)
        for place, source in enumerate(sources):
            grid[0].bar(
                [0], [0], color=PALETTE[place % len(PALETTE)], label=source.replace("_", " ")
            )
        grid[0].plot([], [], "_", color=INK, markersize=14, label="all sources")
        grid[0].plot([], [], "_", color=SOFT, markersize=14, label="best constant")
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return to_svg(figure, "Error budget: distance that goes away without each source")


def _budget_bars(axes: Axes, budget: BudgetTable, place: int, count: int) -> None:
    width = 0.8 / count
    for number, cost in enumerate(budget.costs):
        if not budget.known(cost.source):
            continue
        x = place + (number - (count - 1) / 2) * width
        colour = PALETTE[number % len(PALETTE)]
        if cost.saved is not None:
            axes.bar(x, cost.saved.value, width=width * 0.9, color=colour, alpha=0.85)
            axes.errorbar(x, cost.saved.value, _ends(cost.saved), color=SOFT, capsize=2, lw=1)
        if cost.only is not None:
            alone = max(cost.only.value - budget.shot_floor, 0.0)
            axes.plot(x, alone, "D", color=colour, markersize=4, markerfacecolor="none")
    for value, colour in ((budget.total.value, INK), (budget.prior_mean, SOFT)):
        axes.plot([place - 0.42, place + 0.42], [value, value], color=colour, lw=1.4)


def _crossing_mark(axes: Axes, curve: Curve, y: float, colour: str) -> None:
    found = curve.crossing
    if found.state == "crosses" and found.scale is not None:
        low = found.least if found.low is None else found.low
        high = found.largest if found.high is None else found.high
        axes.plot([low, high], [y, y], color=colour, lw=1.6)
        axes.plot(found.scale, y, "o", color=colour, markersize=6)
        axes.annotate(
            f"{found.scale:.2f}",
            (high, y),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    elif found.state == "above":
        axes.plot(found.largest, y, ">", color=colour, markersize=7)
        axes.annotate(
            f"beyond {found.largest:g}",
            (found.largest, y),
            xytext=(-8, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8.5,
        )
    elif found.state == "below":
        axes.plot(found.least, y, "x", color=colour, markersize=7)


def _by_device(
    curves: Sequence[Curve],
    draw: Callable[[Axes, Curve, str], None],
    finish: Callable[[Axes], None],
    quantity: str,
    label: str,
) -> str:
    devices, models = _names(curves, "device"), _names(curves, "model")
    columns = min(_COLUMNS, len(devices))
    rows = math.ceil(len(devices) / columns)
    with house_style():
        figure = Figure(figsize=(3.15 * columns + 0.4, 2.5 * rows + 0.7), layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place >= len(devices):
                axes.set_visible(False)
                continue
            for curve in (c for c in curves if c.device == devices[place]):
                draw(axes, curve, PALETTE[models.index(curve.model) % len(PALETTE)])
            last = place + columns >= len(devices)
            _dress(axes, devices[place], "noise, times the reported" if last else "")
            axes.tick_params(labelbottom=last)
        # panels share their scale, so limits wait until all are drawn
        for axes in grid.flat[: len(devices)]:
            finish(axes)
        for axes in grid[:, 0]:
            axes.set_ylabel(quantity, fontsize=9)
        for place, model in enumerate(models):
            grid[0, 0].plot([], [], color=PALETTE[place % len(PALETTE)], lw=2, label=model)
        for mitigation, style in _dashes(curves).items():
            said = _MITIGATION.get(mitigation, mitigation)
            grid[0, 0].plot([], [], color=SOFT, linestyle=style, label=said)
        grid[0, 0].plot([], [], color=SOFT, linestyle=":", label="shot floor")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return to_svg(figure, f"{label}, by device and model")


def _dashes(curves: Sequence[Curve]) -> dict[str, _Dash]:
    """Line of each mitigation, in the study's order."""
    names = dict.fromkeys(c.mitigation for c in curves)
    lines = itertools.cycle(_DASHES)
    return {name: _RAW if name == "none" else next(lines) for name in names}


def _line(
    axes: Axes,
    style: _Dash,
    x: Sequence[float],
    y: Sequence[Estimate],
    colour: str,
    label: str | None = None,
) -> None:
    axes.plot(x, [e.value for e in y], color=colour, linestyle=style, lw=1.7, label=label)
    axes.fill_between(x, [e.low for e in y], [e.high for e in y], color=colour, alpha=0.16, lw=0)


def _dress(axes: Axes, title: str, xlabel: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(xlabel, fontsize=9)
    axes.set_xlim(left=0)
    axes.grid(color=SOFT, alpha=0.2, lw=0.6)


def _last(curves: Sequence[Curve]) -> str:
    """The strongest mitigation of the study: it stands for the device where one line must."""
    names = dict.fromkeys(c.mitigation for c in curves if c.mitigation != "none")
    return next(reversed(names), "none")


def _names(items: Sequence[Curve] | Sequence[BudgetTable], field: str) -> list[str]:
    return list(dict.fromkeys(getattr(item, field) for item in items))


def _ends(estimate: Estimate) -> list[list[float]]:
    low, high = estimate.value - estimate.low, estimate.high - estimate.value
    return [[max(low, 0.0)], [max(high, 0.0)]]
