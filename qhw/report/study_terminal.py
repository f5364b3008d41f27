"""A noise study as a few lines on a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from qhw.report.format import interval, number, percent, printable
from qhw.report.study import crossing_words, cut, headline_curves, real_devices, verdicts
from qhw.report.tables import WholeTable
from qhw.study.summary import StudySummary


def study_lines(summary: StudySummary) -> RenderableType:
    """One row a model and device, then the verdicts in words, then what failed."""
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    table.add_column("model" if summary.config.circuit is None else "circuit")
    table.add_column("device")
    molecules = summary.config.circuit is None
    headings = ["2q gates", "TVD at 1x", "real devices (80 %)", "skill at 1x", "interval"]
    headings += ["crosses at"]
    for heading in [*headings, *(["valid"] if molecules else [])]:
        table.add_column(heading, justify="right")
    for curve in headline_curves(summary):
        point = curve.point(1.0)
        table.add_row(
            curve.model,
            curve.device,
            " to ".join(dict.fromkeys(map(str, curve.decoder_two_qubit_gates))),
            number(point.tvd.value) if point else "",
            real_devices(point, curve.mitigation) if point else "",
            f"{point.skill.value:.2f}" if point and point.skill else "",
            interval(point.skill) if point else "",
            crossing_words(curve),
            *([percent(point.valid.value) if point and point.valid else ""] if molecules else []),
        )
    words = [Text(verdict.text) for verdict in verdicts(summary)]
    failures = [
        Text(f"{f.rows} rows of {f.model} on {f.device} failed: {cut(printable(f.reason))}")
        for f in summary.failures
    ]
    return Group(table, *words, *failures)
