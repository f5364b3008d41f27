"""A depth report on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from calibration.snapshot import MADE_UP
from qhw.analysis.depth.changes import Changes
from qhw.analysis.depth.mitigated import AfterMitigation
from qhw.analysis.depth.recommend import Standing
from qhw.analysis.depth.report import NO_DEVICE, DepthReport, Row
from qhw.analysis.validate.interval import words
from qhw.report.format import number, percent, printable, success, usd
from qhw.report.tables import WholeTable

_SHOWN = 10
"""Devices listed for each circuit."""


def depth_summary(report: DepthReport) -> Iterator[RenderableType]:
    """For each circuit its best devices, then what failed."""
    for facts in report.circuits:
        own = [row for row in report.rows if row.circuit == facts.name]
        good = sorted((r for r in own if r.best is not None), key=_success, reverse=True)
        by_device: dict[tuple[str, str], Row] = {}
        for row in good:
            by_device.setdefault((row.device, row.compiler), row)
        yield Text(facts.name, style="bold")
        if good:
            yield from _advised(report, facts.name)
            yield _table(list(by_device.values())[:_SHOWN], report.shots)
            best = good[0]
            yield Text(f"predicted success of {best.device}: {_beside(best)}")
            if best.warning is not None:
                yield Text(f"{best.device}: {best.warning}", style="bold yellow")
            yield Text(
                f"beats a constant that needs no QPU on {best.device}: {best.verdict}; {best.rule}"
            )
            if report.mitigation is not None:
                yield from _after(report, good)
            if len(by_device) > _SHOWN:
                yield f"and {len(by_device) - _SHOWN} more devices in the report"
        reasons = {r.reason: r for r in own if r.reason is not None}
        for reason, row in reasons.items():
            where = "" if row.device == NO_DEVICE else f" on {row.device}"
            yield Text(f"failed{where}: {printable(reason)}")
    if report.changes is not None:
        yield from changed_lines(report.changes)


def _after(report: DepthReport, rows: list[Row]) -> Iterator[RenderableType]:
    """What mitigation is expected to leave, a line a device, and why others have none."""
    found = [row for row in rows if row.mitigated is not None]
    for row in [row for row in found if row.mitigated and not row.mitigated.reason][:_SHOWN]:
        one = row.mitigated
        assert one is not None  # chosen so
        yield Text(
            f"after {one.pipeline} on {row.device}: distance {number(one.distance)} ± "
            f"{number(one.strays)} of one run ({number(one.raw)} raw, {number(one.bias)} at "
            f"endless shots), skill {number(one.skill)}, {report.shots:,} shots in "
            f"{one.circuits} circuits{_for_error(report, one)}"
        )
    reasons = {row.mitigated.reason: row for row in found if row.mitigated}
    for reason, row in reasons.items():
        if reason is not None:
            yield Text(f"after mitigation on {row.device}: {printable(reason)}")


def _for_error(report: DepthReport, one: AfterMitigation) -> str:
    """Shots for the wanted error, where one was."""
    if report.error is None:
        return ""
    value = "" if one.value_error is None else f", worst observable off by {one.value_error:.2g}"
    if one.shots_for_error is None:
        return f"{value}; an error of {report.error:g} is out of reach"
    price = one.cost_for_error
    paid = "" if price is None else f", {usd(price.usd)}"
    return f"{value}; {one.shots_for_error:,} shots for an error of {report.error:g}{paid}"


def _advised(report: DepthReport, circuit: str) -> Iterator[RenderableType]:
    """The recommendation, the runner-up, and the line that sends it."""
    for advice in report.recommendations:
        if advice.circuit != circuit:
            continue
        if advice.best is None:
            yield Text(f"no recommendation by {advice.by}: {advice.why}")
            continue
        yield Text(f"recommended: {standing(advice.best, report.shots)}; {printable(advice.why)}")
        if advice.runner_up is not None:
            yield Text(f"runner-up: {standing(advice.runner_up, report.shots)}")
        if advice.submit:
            yield Text(f"send it: {printable(advice.submit)}")


def standing(one: Standing, shots: int) -> str:
    """A recommended row on one line."""
    price = "" if one.usd is None else f", {usd(one.usd)} for {one.shots:,} shots"
    told = success(one.success, shots)
    by = "" if one.compiler == "qhw" else f", {one.compiler}"
    return f"{one.device}{by}, level {one.level}, seed {one.seed}: predicted success {told}{price}"


def changed_lines(found: Changes) -> Iterator[RenderableType]:
    """What changed since an earlier report: software, advice, and the rows that changed most."""
    yield Text(f"since the report of {found.against}", style="bold")
    for name, (before, now) in found.versions.items():
        yield Text(
            f"{printable(name)}: {printable(before) or 'none'}, now {printable(now) or 'none'}"
        )
    for circuit, (before, now) in found.advice.items():
        yield Text(f"{printable(circuit)}: best on {before}, now on {now}")
    yield Text(
        f"{len(found.rows)} rows differ, {found.same} are as they were, {found.added} are new, "
        f"{found.gone} are gone"
    )
    for row in found.rows[:_SHOWN]:
        gates = _both(["–" if g is None else str(g) for g in row.gates])
        told = _both([percent(s) for s in row.success])
        price = _both([usd(v) for v in row.usd])
        by = "" if row.compiler == "qhw" else f" by {row.compiler}"
        dates = _both([date or "–" for date in row.calibrated])
        yield Text(
            f"{printable(row.circuit)} on {row.device}{by}, level {row.level}: two-qubit gates "
            f"{gates}, success {told}, cost {price}, calibrated {dates}"
        )


def _both(values: list[str]) -> str:
    before, now = values
    return now if before == now else f"{before}, now {now}"


def _table(rows: list[Row], shots: int) -> WholeTable:
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    table.add_column("device")
    for heading in ("level", "2q gates", "2q depth", "pulses", "success"):
        table.add_column(heading, justify="right")
    table.add_column("real devices", justify="right")
    for heading in ("distance", "skill", "beats"):
        table.add_column(heading, justify="right")
    table.add_column("cost", justify="right")
    for row in rows:
        best = row.best
        if best is None:
            continue
        table.add_row(
            _made_on(row),
            str(row.level),
            str(best.two_qubit_gates),
            str(best.two_qubit_depth),
            str(best.pulses),
            success(best.success, shots),
            _range(row),
            number(row.tvd),
            number(row.skill),
            row.verdict,
            f"{usd(row.cost.usd)} ({row.cost.as_of})" if row.cost else "–",
        )
    return table


def _made_on(row: Row) -> str:
    """Device of a row, and who compiled it where that was not us."""
    device = f"{row.device} (made up)" if MADE_UP in row.source else row.device
    return device if row.compiler == "qhw" else f"{device}, {row.compiler}"


def _beside(row: Row) -> str:
    success = percent(row.best.success if row.best else None)
    return f"{success}; {words(row.success_interval, percent=True)}"


def _range(row: Row) -> str:
    """Where real devices lie, briefly."""
    ends = row.success_interval
    return "not known" if ends is None else f"{percent(ends.low)} to {percent(ends.high)}"


def _success(row: Row) -> float:
    return row.best.success if row.best else 0.0
