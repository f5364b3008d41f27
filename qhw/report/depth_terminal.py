"""A depth report on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from calibration.snapshot import MADE_UP
from qhw.analysis.depth.report import DepthReport, Row
from qhw.analysis.validate.interval import words
from qhw.report.format import number, percent, printable
from qhw.report.tables import WholeTable

_SHOWN = 10
"""Devices listed for each circuit."""


def depth_summary(report: DepthReport) -> Iterator[RenderableType]:
    """For each circuit its best devices, then what failed."""
    for facts in report.circuits:
        own = [row for row in report.rows if row.circuit == facts.name]
        good = sorted((r for r in own if r.best is not None), key=_success, reverse=True)
        by_device: dict[str, Row] = {}
        for row in good:
            by_device.setdefault(row.device, row)
        yield Text(facts.name, style="bold")
        if good:
            yield _table(list(by_device.values())[:_SHOWN])
            best = good[0]
            yield Text(f"predicted success of {best.device}: {_beside(best)}")
            if best.warning is not None:
                yield Text(f"{best.device}: {best.warning}", style="bold yellow")
            yield Text(
                f"beats a constant that needs no QPU on {best.device}: {best.verdict}; {best.rule}"
            )
            if len(by_device) > _SHOWN:
                yield f"and {len(by_device) - _SHOWN} more devices in the report"
        reasons = {r.reason: r for r in own if r.reason is not None}
        for reason, row in reasons.items():
            yield Text(f"failed on {row.device}: {printable(reason)}")


def _table(rows: list[Row]) -> WholeTable:
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    table.add_column("device")
    for heading in ("level", "2q gates", "2q depth", "pulses", "success"):
        table.add_column(heading, justify="right")
    table.add_column("real devices", justify="right")
    for heading in ("distance", "beats"):
        table.add_column(heading, justify="right")
    table.add_column("cost", justify="right")
    for row in rows:
        best = row.best
        if best is None:
            continue
        table.add_row(
            f"{row.device} (made up)" if MADE_UP in row.source else row.device,
            str(row.level),
            str(best.two_qubit_gates),
            str(best.two_qubit_depth),
            str(best.pulses),
            percent(best.success),
            _range(row),
            number(row.tvd),
            row.verdict,
            f"${row.cost.usd:,.2f} ({row.cost.as_of})" if row.cost else "–",
        )
    return table


def _beside(row: Row) -> str:
    success = percent(row.best.success if row.best else None)
    return f"{success}; {words(row.success_interval, percent=True)}"


def _range(row: Row) -> str:
    """Where real devices lie, briefly."""
    ends = row.success_interval
    return "not known" if ends is None else f"{percent(ends.low)} to {percent(ends.high)}"


def _success(row: Row) -> float:
    return row.best.success if row.best else 0.0
