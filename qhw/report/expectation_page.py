"""The page of expectation values: one HTML file that opens offline."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qhw.analysis.compare.result import REHEARSAL
from qhw.analysis.expect.result import ExpectResult, ObservableValue, mean_distances
from qhw.analysis.expect.values import Measured
from qhw.analysis.validate.interval import words
from qhw.report.chip import chip_figure
from qhw.report.page import asset, environment
from qhw.report.prediction import prediction_told
from qhw.report.probe import FITTED_EXPECTATION, noise_words
from qhw.report.svg import SOFT, house_style, to_svg

_COLOURS = ("#2673b8", "#e07b39", "#3a9e6a", "#9b6bb3", "#a3271d", "#7b8592")
_MOST_DRAWN = 60
"""Rows, or observables of one row, drawn one by one; more would be a smear."""
_MOST_CURVES = 6
_NAMED = 3
_LONGEST = 28
"""Letters of an observable on an axis."""


def render_expectation(found: Measured, run_id: str) -> str:
    """The page's HTML text.

    Args:
        found: what came of it.
        run_id: name of its folder.
    """
    result, compiled = found.result, found.program.compiled
    with house_style():
        figure = to_svg(expectation_figure(result), "Expectation values beside the exact ones")
    chip = None
    if compiled.snapshot is not None:
        chip = Markup(chip_figure(compiled.snapshot, {"circuit": compiled.physical_qubits}))
    return (
        environment()
        .get_template("expect.html.j2")
        .render(
            result=result,
            rows=len({value.row for value in result.observables}),
            named=result.settings.rows is not None,
            run_id=run_id,
            figure=Markup(figure),
            chip=chip,
            hardware=hardware_lines(result),
            distances=mean_distances(result),
            prediction_told=prediction_told,
            noise_words=noise_words,
            fitted_file=FITTED_EXPECTATION,
            rehearsal=REHEARSAL if result.rehearsal else None,
            css=asset("report.css"),
        )
    )


def expectation_figure(result: ExpectResult) -> Figure:
    """Values with one standard error each, beside exact: by row, or by observable of one row."""
    texts = result.settings.observables
    values = result.observables
    one_row = len(values) <= len(texts)
    with house_style():
        figure = Figure(figsize=(9.4, 3.9), layout="constrained")
        axes = figure.subplots()
        curves = (
            [values[:_MOST_DRAWN]]
            if one_row
            else [
                values[k :: len(texts)][:_MOST_DRAWN] for k in range(min(len(texts), _MOST_CURVES))
            ]
        )
        for curve, colour in zip(curves, _COLOURS, strict=False):
            places = list(range(len(curve))) if one_row else [value.row for value in curve]
            label = "device" if one_row else _short(curve[0].observable)
            _draw(axes, places, curve, colour, label)
        axes.axhline(0.0, color=SOFT, lw=0.6)
        axes.set_ylabel("expectation value")
        axes.grid(axis="y", color=SOFT, alpha=0.25, lw=0.6)
        if one_row:
            names = [_short(value.observable) for value in curves[0]]
            axes.set_xticks(range(len(names)), names, rotation=30 * (len(names) > 4), ha="center")
            axes.set_xlim(-0.6, len(names) - 0.4)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            rows = len(values) // len(texts)
            shown = "row" if rows <= _MOST_DRAWN else f"row (first {_MOST_DRAWN} of {rows})"
            axes.set_xlabel(shown)
        if values and values[0].exact is not None:
            axes.plot([], [], ls="none", marker="_", ms=14, mew=1.6, color=SOFT, label="exact")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _draw(
    axes: Axes, places: list[int], curve: tuple[ObservableValue, ...], colour: str, label: str
) -> None:
    axes.errorbar(
        places,
        [value.value for value in curve],
        [value.standard_error for value in curve],
        ls="none",
        marker="o",
        ms=5,
        capsize=4,
        color=colour,
        label=label,
    )
    exact = [np.nan if value.exact is None else value.exact for value in curve]
    axes.plot(places, exact, ls="none", marker="_", ms=14, mew=1.6, color=colour, alpha=0.6)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def hardware_lines(result: ExpectResult) -> list[str]:
    """Raw values on a device model, and where real devices of its vendor would have them."""
    told = [v for v in result.observables if v.raw is not None]
    lines = [
        f"{v.observable}{'' if result.settings.rows is None else f' of row {v.row_name}'}, raw "
        f"{v.raw:z.4f}: {words(v.on_hardware)}"
        for v in told[:_NAMED]
    ]
    if len(told) > _NAMED:
        lines.append(f"the same of {len(told) - _NAMED} more values is in the result")
    return lines
