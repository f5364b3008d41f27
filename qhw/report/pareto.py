"""Two-qubit gates against predicted success: which devices nothing beats in both."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qhw.analysis.depth.report import Row
from qhw.report.svg import INK, SOFT, house_style, to_svg

VENDOR_COLOURS = {
    "ibm": "#2673b8",
    "iqm": "#e07b39",
    "rigetti": "#3a9e6a",
    "ionq": "#9b6bb3",
    "aqt": "#b8862b",
}
_MAX_LABELS = 8
_LABEL_WIDTH, _LABEL_HEIGHT = 130.0, 11.0
"""Room for a name, points."""


def pareto_front(rows: Sequence[Row]) -> list[Row]:
    """Rows that no other one beats with fewer two-qubit gates and higher success.

    Returns:
        By two-qubit gates, ascending; one row for each point.
    """
    front: list[Row] = []
    known = [r for r in rows if r.best is not None]
    for row in sorted(known, key=_gates_then_success):
        if not front or _success(row) > _success(front[-1]):
            front.append(row)
    return front


def pareto_figure(rows: Sequence[Row], needed: float | None) -> str:
    """SVG text: a point for each row's best seed.

    Args:
        rows: of one circuit; those without figures are left out.
        needed: predicted success from which the baseline is beaten, drawn as a line.
    """
    known = [r for r in rows if r.best is not None]
    front = pareto_front(known)
    with house_style():
        figure = Figure(figsize=(9.4, 4.6), layout="constrained")
        axes = figure.subplots()
        for vendor in dict.fromkeys(r.vendor for r in known):
            own = [r for r in known if r.vendor == vendor]
            axes.scatter(
                [_gates(r) for r in own],
                [_success(r) for r in own],
                color=VENDOR_COLOURS.get(vendor, SOFT),
                s=38,
                alpha=0.65,
                lw=0,
                label=vendor,
            )
        axes.step(
            [_gates(r) for r in front],
            [_success(r) for r in front],
            where="post",
            color=INK,
            lw=0.9,
            alpha=0.6,
            label="Pareto front",
        )
        if needed is not None:
            axes.axhline(needed, color="#a3271d", lw=1, ls="--", label="needed to beat baseline")
        axes.set_xlabel("two-qubit gates (best seed)")
        axes.set_ylabel("predicted success")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_ylim(bottom=-0.02, top=max(1.0, *(_success(r) for r in known)) + 0.03)
        axes.grid(color=SOFT, alpha=0.25, lw=0.6)
        figure.legend(loc="outside upper center", ncols=7)
        _label(figure, axes, _named(known, front))
    return to_svg(figure, "Two-qubit gates against predicted success, one point a row")


def _named(known: Sequence[Row], front: Sequence[Row]) -> list[Row]:
    """The front and the best row of each vendor, one a device."""
    best = sorted(known, key=_success, reverse=True)
    vendors = {r.vendor: r for r in reversed(best)}
    chosen = {r.device: r for r in (*reversed(front), *vendors.values())}
    return list(chosen.values())[:_MAX_LABELS]


def _label(figure: Figure, axes: Axes, rows: Sequence[Row]) -> None:
    """Names beside points, the higher point first; a name moves down where one is in the way."""
    placed: list[tuple[float, float]] = []
    figure.draw_without_rendering()
    points = 72 / figure.dpi
    for row in sorted(rows, key=_success, reverse=True):
        x, y = axes.transData.transform((_gates(row), _success(row))) * points
        lift = 7.0
        while any(
            abs(x - u) < _LABEL_WIDTH and abs(y + lift - v) < _LABEL_HEIGHT for u, v in placed
        ):
            lift -= _LABEL_HEIGHT
        placed.append((x, y + lift))
        axes.annotate(
            f"{row.device.partition('@')[0]}, level {row.level}",
            (_gates(row), _success(row)),
            xytext=(5, lift),
            textcoords="offset points",
            fontsize=8.5,
            va="center",
            color=INK,
        )


def _gates(row: Row) -> int:
    return row.best.two_qubit_gates if row.best else 0


def _success(row: Row) -> float:
    return row.best.success if row.best else 0.0


def _gates_then_success(row: Row) -> tuple[int, float]:
    return _gates(row), -_success(row)
