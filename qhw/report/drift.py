"""Drift between two calibrations as a page: what changed where, and what it does to circuits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from calibration.drift import Change, CouplingDrift, Drift
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.drift.effect import DriftEffect
from qhw.provenance import versions
from qhw.report.chip import chip_figure
from qhw.report.page import asset, environment
from qhw.report.svg import INK, SOFT, house_style, to_svg

_LISTED = 12
"""Couplings listed in each direction of change."""


@dataclass(frozen=True)
class Pair:
    """Two calibrations, what changed, and what that does to circuits."""

    before: DeviceSnapshot
    after: DeviceSnapshot
    drift: Drift
    effects: tuple[DriftEffect, ...]


@dataclass(frozen=True)
class Quantity:
    """Medians of a figure before and after, and how many became worse."""

    name: str
    unit: str
    before: float | None
    after: float | None
    worse: int
    both: int


def quantities(drift: Drift) -> tuple[Quantity, ...]:
    """One line for each kind of figure; medians over what is known on both days."""
    return tuple(_quantity(name, unit, sign, changes) for name, unit, sign, changes in _all(drift))


def render_drift(pairs: Sequence[Pair], command: str) -> str:
    """The page's HTML text, a section for each pair of dates."""
    sections = [
        {
            "pair": pair,
            "quantities": quantities(pair.drift),
            "figure": Markup(drift_figure(pair.drift)),
            "chip": _chip(pair),
            "worse": _extremes(pair.drift, worst=True),
            "better": _extremes(pair.drift, worst=False),
            "died": [c for c in pair.drift.couplings if c.died],
            "revived": [c for c in pair.drift.couplings if c.revived],
        }
        for pair in pairs
    ]
    return (
        environment()
        .get_template("drift.html.j2")
        .render(
            sections=sections,
            command=command,
            versions=versions(),
            css=asset("report.css"),
        )
    )


def drift_figure(drift: Drift) -> str:
    """SVG text: each qubit's or coupling's figure on the second day against the first."""
    with house_style():
        figure = Figure(figsize=(9.4, 5.8), layout="constrained")
        grid = figure.subplots(2, 3)
        for axes, (name, unit, sign, changes) in zip(grid.flat, _all(drift), strict=False):
            scale, shown = (1e6, " (µs)") if unit == "s" else (1.0, "")
            known = [c for c in changes if c.before and c.after]
            old = scale * np.array([c.before for c in known], dtype=np.float64)
            new = scale * np.array([c.after for c in known], dtype=np.float64)
            axes.set_title(name + shown, fontsize=10)
            if not len(old):
                axes.text(0.5, 0.5, "not reported", ha="center", transform=axes.transAxes)
                axes.set_axis_off()
                continue
            worse = (new - old) * sign > 0
            for mask, colour in ((worse, "#a3271d"), (~worse, "#1d7a46")):
                axes.scatter(old[mask], new[mask], s=16, lw=0, color=colour, alpha=0.75)
            ends = [min(old.min(), new.min()) * 0.8, max(old.max(), new.max()) * 1.25]
            axes.plot(ends, ends, color=SOFT, lw=0.9)
            axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
                axis.set_minor_locator(NullLocator())
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.tick_params(labelsize=8.5)
            axes.grid(color=SOFT, alpha=0.2, lw=0.6)
        grid[1, 2].set_axis_off()
        grid[1, 2].text(0, 0.75, "● worse", color="#a3271d", transform=grid[1, 2].transAxes)
        grid[1, 2].text(0, 0.6, "● better or same", color="#1d7a46", transform=grid[1, 2].transAxes)
        grid[1, 2].text(0, 0.4, "line: no change", color=INK, transform=grid[1, 2].transAxes)
        figure.supxlabel("first calibration", fontsize=10)
        figure.supylabel("second calibration", fontsize=10)
    return to_svg(figure, f"Figures of {drift.device} on the second day against the first")


def _all(drift: Drift) -> tuple[tuple[str, str, int, list[Change]], ...]:
    """Name, unit, sign of getting worse, and changes of each kind of figure."""
    return (
        ("two-qubit error", "", 1, [c.error for c in drift.couplings]),
        ("one-qubit error", "", 1, [q.one_qubit_error for q in drift.qubits]),
        ("readout error", "", 1, [_mean(q.p10, q.p01) for q in drift.qubits]),
        ("T1", "s", -1, [q.t1_s for q in drift.qubits]),
        ("T2", "s", -1, [q.t2_s for q in drift.qubits]),
    )


def _mean(a: Change, b: Change) -> Change:
    ends = ((a.before, b.before), (a.after, b.after))
    return Change(*(None if x is None or y is None else (x + y) / 2 for x, y in ends))


def _quantity(name: str, unit: str, sign: int, changes: Sequence[Change]) -> Quantity:
    known = [(c.before, c.after) for c in changes if c.before is not None and c.after is not None]
    if not known:
        return Quantity(name, unit, None, None, 0, 0)
    old, new = np.array(known).T
    worse = int(np.sum((new - old) * sign > 0))
    return Quantity(name, unit, float(np.median(old)), float(np.median(new)), worse, len(known))


def _extremes(drift: Drift, *, worst: bool) -> list[CouplingDrift]:
    known = [c for c in drift.couplings if c.error.ratio is not None]
    known = [c for c in known if ((c.error.ratio or 1.0) > 1) is worst and c.error.ratio != 1]
    return sorted(known, key=lambda c: c.error.ratio or 1.0, reverse=worst)[:_LISTED]


def _chip(pair: Pair) -> Markup | None:
    effect = next((e for e in pair.effects if e.before is not None), None)
    if effect is None:
        return None
    place = {label: q for q, label in enumerate(pair.after.labels)}
    used = {
        "first day's best place": tuple(place[x] for x in effect.qubits_before if x in place),
        "second day's best place": tuple(place[x] for x in effect.qubits_after),
    }
    return Markup(chip_figure(pair.after, used))
