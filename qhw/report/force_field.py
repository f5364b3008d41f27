"""A force field on a device: on a terminal, and as a page with its parity plots."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qhw.analysis.force.compare import COVERS, FieldComparison
from qhw.chem.geometries import FloatArray
from qhw.provenance import versions
from qhw.report.format import interval, number
from qhw.report.page import asset, environment
from qhw.report.runfolder import run_folder, run_id
from qhw.report.svg import SOFT, house_style, to_svg
from qhw.report.tables import WholeTable

_COLOURS = ("#b0722a", "#2a6f97")
_MILLI = 1000.0


def field_table(found: FieldComparison) -> WholeTable:
    """One row a reading, then the controls on the whole test set."""
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"{found.frames} frames of {found.data} on {found.device}")
    for heading in ("energy MAE (meV)", "95 %", "force MAE (meV/Å)", "95 %"):
        table.add_column(heading, justify="right")
    for heading in ("off exact", "bar", "force off exact", "bar", "bars cover E, F", "circuits"):
        table.add_column(heading, justify="right")
    for one in found.readings:
        energy, force = one.to_labels.energy_mae, one.to_labels.force_mae
        cells = [one.name, number(energy.value), interval(energy)]
        cells += [number(force.value), interval(force)]
        if one.to_exact is not None:
            cells += [number(one.to_exact.energy_mae.value), number(one.energy_bar)]
            cells += [number(one.to_exact.force_mae.value), number(one.force_bar)]
            shares = one.energies_covered, one.forces_covered
            told = ("–" if share is None else f"{100 * share.value:.0f} %" for share in shares)
            cells += [" ".join(told), f"{one.circuits:,}"]
        table.add_row(*cells)
    for name, values in found.controls.items():
        energy_mae, force_mae = values.get("energy_mae"), values.get("force_mae")
        words = "whole test set, exact" if name == "field" else f"control: {name}, whole test set"
        table.add_row(words, number(energy_mae), "", number(force_mae))
    return table


def cost_lines(found: FieldComparison) -> list[str]:
    """Shots and price of every reading."""
    return [
        f"{one.name}: {one.circuits:,} circuits, {one.shots:,} shots"
        + (f", {one.shots_a_row:,} a row" if one.shots_a_row else "")
        + f"; {one.usd:,.2f} USD ({one.basis})"
        for one in found.readings
        if one.to_exact is not None
    ]


def write_field_comparison(found: FieldComparison, folder: Path, command: str) -> Path:
    """Write ``report.html``, ``result.json`` and ``values.csv`` into a new folder of a run.

    Raises:
        OutputError: it cannot be written.
    """
    document = found.to_dict()
    text = json.dumps(document, indent=1) + "\n"
    with run_folder(folder, run_id("force-field", text)) as made:
        (made.staging / "result.json").write_text(text, encoding="utf-8")
        page = render_field_comparison(found, command)
        (made.staging / "report.html").write_text(page, encoding="utf-8")
        with (made.staging / "values.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(_values(found))
    return made.final


def _values(found: FieldComparison) -> list[list[Any]]:
    """Every energy and force component, eV and eV/Å."""
    rows: list[list[Any]] = [["reading", "frame", "atom", "component", "value", "standard_error"]]
    for name, one in found.measured.items():
        for frame, energy in enumerate(one.energies):
            rows.append([name, frame + 1, "", "energy", energy, one.energy_error[frame]])
        for frame, atom, axis in np.ndindex(*one.forces.shape):
            place = [name, frame + 1, atom + 1, "force " + "xyz"[axis]]
            value, bar = one.forces[frame, atom, axis], one.forces_error[frame, atom, axis]
            rows.append([*place, value, bar])
    return rows


def render_field_comparison(found: FieldComparison, command: str) -> str:
    """The page's HTML text."""
    return (
        environment()
        .get_template("force_field.html.j2")
        .render(
            found=found,
            command=command,
            costs=cost_lines(found),
            figures=[Markup(parity(found)), Markup(deviations(found))],
            versions=versions(),
            css=asset("report.css"),
        )
    )


def parity(found: FieldComparison) -> str:
    """SVG text: energies and force components of every reading against the labels."""
    with house_style():
        figure = Figure(figsize=(9.4, 4.2), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, part, unit in zip(panels, (0, 1), ("meV", "meV/Å"), strict=True):
            labels = _part(found, "labels", part)[0]
            middle = float(labels.mean()) if part == 0 else 0.0
            for name, colour in _drawn(found):
                values = _part(found, name, part)[0]
                style = {"marker": ".", "ls": "", "color": colour, "label": name, "alpha": 0.7}
                axes.plot(_MILLI * (labels - middle), _MILLI * (values - middle), **style)
            _diagonal(axes)
            what = "energy less its mean" if part == 0 else "force component"
            axes.set_xlabel(f"{what}, label ({unit})")
            axes.set_ylabel(f"field ({unit})")
        panels[0].legend(fontsize=8.5)
        return to_svg(figure, "Energies and forces of the field against the labels")


def deviations(found: FieldComparison) -> str:
    """SVG text: what the device is off the exact field, with 95 % error bars."""
    with house_style():
        figure = Figure(figsize=(9.4, 3.6), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, part, unit in zip(panels, (0, 1), ("meV", "meV/Å"), strict=True):
            exact = _part(found, "exact", part)[0]
            for place, (name, colour) in enumerate(_drawn(found)[1:]):
                values, bar = _part(found, name, part)
                off, reach = _MILLI * (values - exact), COVERS * _MILLI * bar
                x = np.arange(len(values)) + 0.3 * place
                style = {"fmt": ".", "ms": 3, "lw": 0.8, "color": colour, "label": name}
                axes.errorbar(x, off, reach, **style)
            axes.axhline(0, color=SOFT, lw=0.8)
            axes.set_xlabel("frame" if part == 0 else "force component")
            axes.set_ylabel(f"device less exact ({unit})")
        panels[0].legend(fontsize=8.5)
        return to_svg(figure, "Device less exact field, with 95 % error bars")


def _part(found: FieldComparison, name: str, part: int) -> tuple[FloatArray, FloatArray]:
    """Energies (0) or force components (1) of a reading, and their standard errors, flat."""
    one = found.measured[name]
    if part == 0:
        return one.energies, one.energy_error
    return one.forces.ravel(), one.forces_error.ravel()


def _drawn(found: FieldComparison) -> list[tuple[str, str]]:
    names = [name for name in found.measured if name != "labels"]
    return list(zip(names, (SOFT, *_COLOURS), strict=False))


def _diagonal(axes: Axes) -> None:
    ends = [
        min(axes.get_xlim()[0], axes.get_ylim()[0]),
        max(axes.get_xlim()[1], axes.get_ylim()[1]),
    ]
    axes.plot(ends, ends, color=SOFT, lw=0.8, zorder=0)
