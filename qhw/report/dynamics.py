"""Energy, temperature and distances along a trajectory, drawn."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from qhw.forces.dynamics import Dynamics
from qhw.report.svg import house_style, to_svg

_TOTAL, _KINETIC = "#2a6f97", "#b0722a"


def write_dynamics_plot(found: Dynamics, path: Path) -> None:
    """SVG file: total energy with its error bars, temperature, and distances of atoms."""
    with house_style():
        figure = Figure(figsize=(9.4, 6.3), layout="constrained")
        upper, lower, last = figure.subplots(3, 1)
        lower.sharex(upper)
        total = 1e3 * (found.total - found.total[0])
        upper.errorbar(found.time, total, 1e3 * found.potential_error, color=_TOTAL, lw=1)
        upper.set_ylabel("total energy\nless the first (meV)")
        lower.plot(found.time, found.temperature, color=_KINETIC, lw=1)
        lower.set_ylabel("temperature (K)")
        lower.set_xlabel("time (fs)")
        last.step(*found.radial_distribution(), where="mid", color=_TOTAL, lw=1)
        last.set_ylabel("radial distribution\n(pairs / Å)")
        last.set_xlabel("distance of two atoms (Å)")
        text = to_svg(figure, "Total energy, temperature and distances along the trajectory")
    path.write_text(text, encoding="utf-8")
