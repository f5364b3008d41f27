"""How right the device models were, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from qhw.analysis.validate.validation import GroupAccuracy, ValidatedRow, Validation
from qhw.report.format import number, percent, printable
from qhw.report.tables import WholeTable

_REASONS = 12


def validation_summary(found: Validation) -> Iterator[RenderableType]:
    """Vendors, devices and benchmarks, every result, then what was left out and why."""
    good = [row for row in found.rows if row.suspect is None]
    yield Text(f"{len(found.rows)} results of real devices, {len(good)} judge a model", "bold")
    yield _results(found.rows)
    yield _groups(found.groups)
    if found.median_error is not None:
        yield f"median |ln(measured signal / predicted signal)|: {number(found.median_error)}"
    for reason, ids in found.left_out()[:_REASONS]:
        some = ", ".join(ids[:3]) + (" ..." if len(ids) > 3 else "")
        yield Text(f"left out, {len(ids)} ({printable(some)}): {printable(reason)}")
    for source in found.sources:
        yield Text(
            printable(f"data: {source.title}, {source.licence}, {source.attribution}, {source.url}")
        )


def _results(rows: tuple[ValidatedRow, ...]) -> WholeTable:
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    for heading in ("device", "benchmark"):
        table.add_column(heading, no_wrap=True)
    for heading in ("qubits", "age (days)", "2q gates", "measured", "predicted", "noise factor"):
        table.add_column(heading, justify="right")
    table.add_column("placement")
    table.add_column("")
    for row in rows:
        table.add_row(
            row.device,
            row.benchmark,
            "–" if row.qubits is None else str(row.qubits),
            str(row.age_days),
            number(row.two_qubit_gates),
            number(row.measured),
            number(row.predicted),
            number(row.noise_factor),
            "known" if row.placement_known else "–",
            "suspect" if row.suspect else "" if row.inside is not False else "outside",
        )
    return table


def _groups(groups: tuple[GroupAccuracy, ...]) -> WholeTable:
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    table.add_column("noise factor by", no_wrap=True)
    headings = ("N", "devices", "median", "80 % interval", "median |ln|", "others' interval covers")
    for heading in headings:
        table.add_column(heading, justify="right")
    for group in groups:
        ends = f"{number(group.low)} to {number(group.high)}" if group.low is not None else "–"
        table.add_row(
            group.name,
            str(group.n),
            str(group.devices),
            number(group.median_factor),
            ends,
            number(group.median_error),
            percent(group.covered),
        )
    return table
