"""A mitigation bench as tables on a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from qhw.analysis.advise.advise import Advice
from qhw.analysis.bench.result import BEST_RULE, BenchResult, Budget, DeviceBench
from qhw.analysis.validate.interval import words
from qhw.report.format import percent, printable
from qhw.report.mitigation import AGAINST, MOLECULES, measured, verdict_level, verdict_words
from qhw.report.tables import WholeTable
from qhw.report.terminal import STYLES


def bench_lines(result: BenchResult) -> RenderableType:
    """A table a device and budget, then one sentence a device."""
    s = result.settings
    title = (
        f"{s.task}: {s.model}, {s.rows} {s.row_word}, {s.repeats} repeats, total shots equal; "
        "± is a standard error"
    )
    parts: list[RenderableType] = [Text(title, style="bold"), Text(f"bold: {BEST_RULE}")]
    for device in result.devices:
        parts.append(Text(device_words(device)))
        parts += [_table(device, budget) for budget in device.budgets]
    parts += [Text(verdict_words(d), style=STYLES[verdict_level(d)]) for d in result.devices]
    return Group(*parts)


def device_words(device: DeviceBench) -> str:
    """The circuit on a device and the baselines."""
    errors = device.expected_errors
    reported = "" if errors is None else f" (their errors add to {errors:.3f})"
    angle = device.prior_mean_angle_deg
    beside = "" if angle is None else f" ({angle:.1f}°)"
    return (
        f"\n{device.device}: {device.two_qubit_gates} two-qubit gates{reported}; uniform "
        f"{device.uniform:.3f}, mean of the others {device.prior_mean:.3f}{beside}; "
        f"default is {device.default}"
    )


def _table(device: DeviceBench, budget: Budget) -> WholeTable:
    angle = device.prior_mean_angle_deg is not None
    title = f"{budget.shots:,} shots a circuit, shot floor {budget.floor:.4f}"
    if budget.floor_angle_deg is not None:
        title += f" ({budget.floor_angle_deg:.2f}°)"
    table = WholeTable(
        box=None, pad_edge=False, header_style="dim", title=title, title_justify="left"
    )
    table.add_column("pipeline")
    headings = ("TVD to exact", "raw / this", "readout − this", *AGAINST, "covered")
    molecules = MOLECULES if device.valid is not None else {}
    for heading in (*headings, *(("angle",) if angle else ()), *molecules):
        table.add_column(heading, justify="right")
    best = budget.best
    for cell in budget.cells:
        if cell.refused is not None:
            table.add_row(cell.asked, Text(f"refused: {printable(cell.refused)}", style="yellow"))
            continue
        coverage = "" if cell.coverage is None else f"{100 * cell.coverage:.0f} %"
        table.add_row(
            cell.asked,
            measured(cell.tvd),
            measured(cell.ratio, 2),
            measured(cell.over_readout),
            *(words(cell) for words in AGAINST.values()),
            coverage,
            *((measured(cell.angle_deg, 2),) if angle else ()),
            *(words(cell) for words in molecules.values()),
            style="bold" if cell is best else None,
        )
    return table


def advice_lines(advice: Advice) -> RenderableType:
    """Where it was predicted, the pipelines best first, and what to do."""
    title = (
        f"{advice.model} on {advice.device}, {advice.rows} rows, {advice.shots:,} shots a circuit; "
        "± is a standard error"
    )
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    for heading in ("pipeline", "predicted TVD to exact", "as it would run"):
        table.add_column(heading)
    for p in advice.predictions:
        if p.refused is not None:
            table.add_row(p.asked, Text(f"refused: {printable(p.refused)}", style="yellow"))
        else:
            style = "bold" if p is advice.best else None
            table.add_row(p.asked, measured(p.tvd), p.pipeline, style=style)
    lines = [f"{_where(advice)} {_beside(advice)}", _real_devices(advice)]
    lines += [] if advice.warning is None else [advice.warning]
    if advice.hopeless is None and advice.best.tvd is not None:
        lines.append(f'Run it with --mitigation "{advice.best.pipeline}".')
    if advice.target is not None:
        lines.append(_target(advice))
    return Group(Text(title, style="bold"), table, *map(Text, lines))


def _where(advice: Advice) -> str:
    how = f"Predicted from {advice.training} near-Clifford circuits on {advice.predicted_on}"
    if advice.predicted_on == advice.device:
        return f"{how}."
    taken = "" if advice.taken is None else f" of {advice.taken:%Y-%m-%d}"
    return f"{how}, the noise model of the calibration{taken}: nothing was sent, nothing is paid."


def _beside(advice: Advice) -> str:
    errors = advice.expected_errors
    said = "" if errors is None else f" (their errors add to {errors:.3f})"
    return (
        f"{advice.two_qubit_gates} two-qubit gates{said}; shot floor {advice.floor:.4f}, best "
        f"constant that needs no QPU {advice.constant:.3f}."
    )


def _real_devices(advice: Advice) -> str:
    success = advice.predicted_success
    if success is None:
        return ""
    return f"Predicted success {percent(success)}; {words(advice.success_interval, percent=True)}."


def _target(advice: Advice) -> str:
    target = advice.target
    if target is None:
        return ""
    if target.shots is None:
        return (
            f"TVD {target.tvd:g} is not predicted to be reached with up to {target.most:,} shots a "
            f"row; the least is {target.reached:.4f}."
        )
    return (
        f"TVD {target.tvd:g} is predicted to take {target.shots:,} shots a circuit: {target.asked}."
    )
