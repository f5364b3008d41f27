"""The depth report as one HTML file, as CSV, and its circuits as files."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from qiskit import QuantumCircuit

from backends.native.compile import NativeCircuit
from qhw.analysis.depth.merits import MERITS
from qhw.analysis.depth.mitigated import AfterMitigation
from qhw.analysis.depth.natives import native_of
from qhw.analysis.depth.report import FIGURES, CircuitFacts, DepthReport, Row, Spread
from qhw.analysis.depth.subjects import Subject
from qhw.analysis.validate.interval import words
from qhw.report.chip import chip_figure
from qhw.report.format import duration, number
from qhw.report.page import asset, environment
from qhw.report.pareto import pareto_figure

_DRAWN_GATES = 1500
"""A larger circuit is not drawn: the page would hold megabytes of text."""
_COLUMNS = 150
_MITIGATED = [
    "pipeline",
    "circuits",
    "raw_tvd_simulated",
    "mitigated_tvd",
    "mitigated_tvd_strays",
    "mitigated_tvd_endless",
    "mitigated_success",
    "mitigated_skill",
    "mitigated_value_error",
    "mitigated_usd",
    "mitigated_shots_for_error",
    "mitigated_usd_for_error",
    "not_simulated",
]
"""Columns of what is expected after mitigation."""
_FOLD_FROM = 4
"""Circuits from which on each is folded away: the page then begins with all recommendations."""


@dataclass(frozen=True)
class Failure:
    """Levels that failed on a device for one reason."""

    device: str
    levels: str
    reason: str


@dataclass(frozen=True)
class Section:
    """One circuit of the page."""

    facts: CircuitFacts
    rows: tuple[Row, ...]
    failed: tuple[Failure, ...]
    best: Row | None
    advised: Row | None
    best_rows: frozenset[tuple[str, int | None, str]]
    devices: int
    beating: int
    needed: float | None
    pareto: Markup | None
    chip: Markup | None
    drawing: str | None
    native_drawing: str | None


def best_natives(report: DepthReport, subjects: Sequence[Subject]) -> dict[str, NativeCircuit]:
    """The compiled circuit of each subject's best row, compiled once more from its seed."""
    found = {}
    for subject in subjects:
        row = report.best_row(subject.name)
        if row is not None and subject.compiled_from is not None:
            found[subject.name] = native_of(row, subject, fractional=report.fractional)
    return found


def render_depth(
    report: DepthReport,
    subjects: Sequence[Subject],
    natives: dict[str, NativeCircuit],
    run_id: str,
) -> str:
    """The report's HTML text.

    Args:
        report: the sweep.
        subjects: its circuits, in the report's order.
        natives: from :func:`best_natives`.
        run_id: name of its folder.
    """
    sections = [
        _section(report, facts, subject, natives.get(facts.name))
        for facts, subject in zip(report.circuits, subjects, strict=True)
    ]
    return (
        environment()
        .get_template("depth.html.j2")
        .render(
            report=report,
            sections=sections,
            fold_from=_FOLD_FROM,
            favourites=_favourites(sections),
            unadvised=sum(s.advised is None for s in sections),
            skill_cell=skill_cell,
            mitigated_cell=mitigated_cell,
            live=any(row.waiting is not None for row in report.rows),
            merit=next((MERITS[one.by] for one in report.recommendations), ""),
            advised={one.circuit: one for one in report.recommendations},
            run_id=run_id,
            figures={key: heading for key, (heading, _) in FIGURES.items()},
            cell=cell,
            beside=words,
            css=asset("report.css") + asset("depth.css"),
            script=asset("sort.js"),
        )
    )


def needed_success(facts: CircuitFacts) -> float | None:
    """Success from which the predicted distance is below the measured baseline's, if any."""
    if facts.baseline is None or not facts.spread:
        return None
    return max(0.0, 1 - facts.baseline / facts.spread)


def cell(key: str, spread: Spread | None) -> Markup:
    """A figure of a row: the median, and below it the range over seeds where there is one."""
    write = duration if key.endswith("_s") else number
    if spread is None or (key == "duration_s" and spread.high == 0):  # 0 in version 1
        return Markup("unknown")
    text = Markup("{}").format(write(spread.median))
    if spread.low == spread.high:
        return text
    return text + Markup('<br><span class="range">{} to {}</span>').format(
        write(spread.low), write(spread.high)
    )


def skill_cell(row: Row) -> Markup:
    """Predicted skill of a row, below it where real devices lie."""
    text = Markup("{}").format(number(row.skill))
    if (ends := row.skill_interval) is None:
        return text
    return text + Markup('<br><span class="range">{} to {}</span>').format(
        number(ends.low), number(ends.high)
    )


def _favourites(sections: Sequence[Section]) -> list[tuple[str, int]]:
    """Devices recommended, and for how many circuits, the most often first."""
    return Counter(s.advised.device for s in sections if s.advised is not None).most_common()


def to_csv(report: DepthReport) -> str:
    """All rows as CSV, one line a row, times in seconds."""
    buffer = io.StringIO()
    spreads = [f"{key}_{part}" for key in FIGURES for part in ("median", "low", "high")]
    names = ["circuit", "device", "vendor", "taken", "level", "seeds", *spreads]
    names += ["best_seed", "qubits", "two_qubit_errors", "predicted_tvd", "beats_baseline", "rule"]
    names += ["shots_per_second", "usd", "price_as_of", "shots_for_error", "usd_for_error"]
    names += ["jobs_waiting", "skill", "real_skill_low", "real_skill_high", "compiler"]
    names += ["reason", "real_success_low", "real_success_high", "public_results", "warning"]
    names += _MITIGATED if report.mitigation is not None else []
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for row in report.rows:
        figures = [
            getattr(row.figures.get(key), part, "")
            for key in FIGURES
            for part in ("median", "low", "high")
        ]
        best = row.best
        values: list[object] = [row.circuit, row.device, row.vendor]
        values += [row.taken.isoformat() if row.taken else "", row.level, row.seeds, *figures]
        values += [best.seed, " ".join(map(str, best.qubits))] if best else ["", ""]
        values += [best.two_qubit_errors if best else "", row.tvd, row.verdict if best else None]
        values += [row.rule]
        values += [row.shots_per_second]
        values += [row.cost.usd, row.cost.as_of.isoformat()] if row.cost else ["", ""]
        paid, ends = row.cost_for_error, row.success_interval
        values += [row.shots_for_error, paid.usd if paid else ""]
        skill = row.skill_interval
        values += [
            row.waiting.jobs if row.waiting else "",
            row.skill,
            *((skill.low, skill.high) if skill else ("", "")),
            row.compiler,
        ]
        values += [row.reason, *((ends.low, ends.high, ends.n) if ends else ("", "", ""))]
        values += [row.warning]
        values += _after(row.mitigated) if report.mitigation is not None else []
        writer.writerow(["" if v is None else v for v in values])
    return buffer.getvalue()


def mitigated_cell(row: Row) -> Markup:
    """Expected distance after mitigation, below it that of plain counts and of endless shots."""
    found = row.mitigated
    if found is None:
        return Markup("")
    if found.reason is not None:
        return Markup('<span title="{}">not simulated</span>').format(found.reason)
    text = Markup("{} ± {}").format(number(found.distance), number(found.strays))
    below = Markup('<br><span class="range">{} raw, {} at endless shots</span>')
    return text + below.format(number(found.raw), number(found.bias))


def _after(found: AfterMitigation | None) -> list[object]:
    """Values of :data:`_MITIGATED`."""
    if found is None:
        return [""] * len(_MITIGATED)
    needed, price = found.cost_for_error, found.cost
    return [
        found.pipeline,
        found.circuits or "",
        found.raw,
        found.distance,
        found.strays,
        found.bias,
        found.success,
        found.skill,
        found.value_error,
        price.usd if price else "",
        found.shots_for_error,
        needed.usd if needed else "",
        found.reason,
    ]


def _section(
    report: DepthReport, facts: CircuitFacts, subject: Subject, native: NativeCircuit | None
) -> Section:
    own = [r for r in report.rows if r.circuit == facts.name]
    good = sorted((r for r in own if r.best is not None), key=_success, reverse=True)
    by_device: dict[str, Row] = {}
    for row in good:
        by_device.setdefault(row.device, row)
    needed = needed_success(facts)
    standing = next((a.best for a in report.recommendations if a.circuit == facts.name), None)
    chip = None
    if native is not None:
        chip = Markup(chip_figure(native.snapshot, {"circuit": native.qubits}))
    return Section(
        facts=facts,
        rows=tuple(good),
        failed=_failures(own),
        best=good[0] if good else None,
        advised=report.row_of(facts.name, standing),
        best_rows=frozenset((r.device, r.level, r.compiler) for r in by_device.values()),
        devices=len(by_device),
        beating=sum(bool(r.beats_baseline) for r in by_device.values()),
        needed=needed,
        pareto=Markup(pareto_figure(good, needed)) if good else None,
        chip=chip,
        drawing=_drawing(subject.circuit),
        native_drawing=_drawing(native.circuit if native else None),
    )


def _failures(rows: Sequence[Row]) -> tuple[Failure, ...]:
    levels: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.reason is not None:
            level = "–" if row.level is None else str(row.level)
            levels.setdefault((row.device, row.reason), []).append(level)
    return tuple(
        Failure(device, ", ".join(found), reason) for (device, reason), found in levels.items()
    )


def _success(row: Row) -> float:
    return row.best.success if row.best else 0.0


def _drawing(circuit: QuantumCircuit | None) -> str | None:
    if circuit is None or circuit.size() > _DRAWN_GATES:
        return None
    return str(circuit.draw("text", fold=_COLUMNS, idle_wires=False))
