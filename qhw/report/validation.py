"""How right the device models were, as a page: measured against predicted, and every result."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from qhw.analysis.validate.interval import noise_factors
from qhw.analysis.validate.validation import ValidatedRow, Validation
from qhw.report.page import asset, environment
from qhw.report.pareto import VENDOR_COLOURS
from qhw.report.svg import INK, SOFT, house_style, to_svg

_MARKERS = "osD^vP*X<>"
_LEAST = 1e-3
"""Signal below which a mark would say nothing."""


def write_validation(folder: Path, run_id: str, found: Validation) -> None:
    """Write page, JSON and table.

    Args:
        folder: existing.
        run_id: name of the run.
        found: the validation.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / "result.json").write_text(found.to_json(), encoding="utf-8")
    (folder / "rows.csv").write_text(rows_csv(found), encoding="utf-8")
    (folder / "report.html").write_text(render_validation(found, run_id), encoding="utf-8")


def render_validation(found: Validation, run_id: str) -> str:
    """The page's HTML text."""
    template = environment().get_template("validation.html.j2")
    return template.render(
        run_id=run_id,
        found=found,
        judging=sum(row.suspect is None for row in found.rows),
        left_out=found.left_out(),
        figure=Markup(scatter_figure(found)),
        factors=Markup(factor_figure(found)),
        css=asset("report.css"),
    )


def rows_csv(found: Validation) -> str:
    """Every result as a line."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(ValidatedRow.model_fields), lineterminator="\n")
    writer.writeheader()
    for row in found.rows:
        writer.writerow(row.model_dump(mode="json"))
    return buffer.getvalue()


def scatter_figure(found: Validation) -> str:
    """SVG text: signal measured against predicted, with the vendors' intervals as lines."""
    good = [row for row in found.rows if row.suspect is None and row.signal_predicted]
    with house_style():
        figure = Figure(figsize=(9.4, 5.4), layout="constrained")
        axes = figure.subplots()
        benchmarks = list(dict.fromkeys(row.benchmark for row in good))
        for device in dict.fromkeys(row.device for row in good):
            for row in (r for r in good if r.device == device):
                axes.scatter(
                    row.signal_predicted or 0.0,
                    max(row.signal_measured, _LEAST),
                    marker=_MARKERS[benchmarks.index(row.benchmark) % len(_MARKERS)],
                    color=VENDOR_COLOURS.get(row.vendor.lower(), SOFT),
                    s=30,
                    lw=0,
                    alpha=0.7,
                )
        line = [i / 100 for i in range(1, 101)]
        axes.plot(line, line, color=INK, lw=0.9, label="as predicted")
        for vendor in dict.fromkeys(row.vendor for row in good):
            factors = noise_factors(vendor)
            if factors is not None:
                colour = VENDOR_COLOURS.get(vendor.lower(), SOFT)
                for end in (factors.low, factors.high):
                    axes.plot(line, [s**end for s in line], color=colour, lw=0.9, ls="--")
                axes.plot([], [], color=colour, ls="--", label=f"{vendor}: 80 % interval")
        for place, benchmark in enumerate(benchmarks):
            mark = _MARKERS[place % len(_MARKERS)]
            axes.scatter([], [], marker=mark, color=SOFT, label=benchmark)
        axes.set(xlabel="signal predicted", ylabel="signal measured", xlim=(0, 1), ylim=(0, 1))
        axes.legend(loc="upper left", fontsize=8.5)
    return to_svg(figure, "Signal measured against signal predicted, one mark a result")


def factor_figure(found: Validation) -> str:
    """SVG text: noise factor of each result by device."""
    good = [row for row in found.rows if row.noise_factor is not None]
    devices = sorted({row.device for row in good})
    with house_style():
        figure = Figure(figsize=(9.4, 0.9 + 0.5 * max(1, len(devices))), layout="constrained")
        axes = figure.subplots()
        for row in good:
            known = row.placement_known
            axes.scatter(
                row.noise_factor or 0.0,
                devices.index(row.device),
                s=24,
                alpha=0.7,
                color=VENDOR_COLOURS.get(row.vendor.lower(), SOFT),
                marker="o" if known else "x",
                lw=0 if known else 1,
            )
        axes.axvline(1.0, color=INK, lw=0.9)
        axes.set_xscale("log")
        ticks = [t for t in (0.5, 0.7, 1, 1.5, 2, 3, 5, 8) if good]
        axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes.minorticks_off()
        axes.set_yticks(range(len(devices)), devices)
        axes.set_xlabel("noise factor (dot: placement known, cross: not)")
    return to_svg(figure, "Noise factor of each result by device")
