"""A comparison as a few lines on a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from qhw.analysis.compare.facts import CircuitFacts, DeviceFacts
from qhw.analysis.compare.result import (
    DEVICE_SOURCES,
    HEAD_OF,
    REHEARSAL,
    SOURCE_LABELS,
    ComparisonResult,
    Metric,
    Section,
    SourceKey,
)
from qhw.report.foreign import foreign_lines
from qhw.report.format import duration, interval, number, percent, printable
from qhw.report.head import head_lines
from qhw.report.missing import missing_groups, rows_said
from qhw.report.pipeline import mitigation_line
from qhw.report.prediction import prediction_line
from qhw.report.probe import probe_lines
from qhw.report.tables import WholeTable

_GROUPS = 5
"""Reasons for missing rows shown; the report has all."""
_NO_MOLECULES = (
    "No molecule of the exact reference is strictly valid either: that is the model and its prior, "
    "not the device. Task reconstruct shows what noise does to molecules."
)
STYLES = {
    "better": "bold green",
    "same": "bold yellow",
    "worse": "bold red",
    "unknown": "bold yellow",
}


def summary(result: ComparisonResult) -> RenderableType:
    """Verdict, one table of the main numbers, circuits and device."""
    s = result.settings
    rows = rows_said(result)
    title = f"{s.task}: {result.subject} on {s.device}, {rows}, {s.shots:,} shots"
    return Group(
        Text(title, style="bold"),
        *([Text(REHEARSAL, style="bold yellow")] if result.rehearsal else []),
        _numbers(result),
        *(Text(line) for line in (*_molecules(result), *_facts(result))),
        *(Text(line) for line in _kappas(result)),
        *(Text(line, style="bold yellow") for line in _missing(result)),
        *([Text(_NO_MOLECULES, style="bold yellow")] if _without_molecules(result) else []),
        Text(result.verdict.text, style=STYLES[result.verdict.level]),
    )


def _numbers(result: ComparisonResult) -> WholeTable:
    table = WholeTable(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    molecules = result.section("molecules_exact")
    judged = ("RMSD (Å)", "types", "strict valid") if molecules else ()
    main = result.section(result.verdict.section)
    metric = main.leading if main else None
    wide = metric is not None and metric.key != "total_variation"
    score = metric.label if metric and wide else "TVD to exact"
    for heading in (score, "95 % interval", "skill", *judged):
        table.add_column(heading, justify="right")
    sources: list[SourceKey] = [row.source for row in metric.rows] if metric else []
    if molecules:
        judged_sources = [row.source for row in molecules.metrics[0].rows]
        heads = [source for source in HEAD_OF.values() if source in judged_sources]
        last = sum(source in DEVICE_SOURCES for source in sources)  # they come first
        sources = ["exact", *sources[:last], *heads, *sources[last:]]
    for source in sources:
        row = metric.row(source) if metric else None
        skill = next((k for k in metric.skills if k.source == source), None) if metric else None
        table.add_row(
            SOURCE_LABELS[source],
            number(row.mean.value) if row and row.mean else "",
            interval(row.mean) if row else "",
            f"{skill.estimate.value:.2f}" if skill else "",
            *(
                (
                    _mean(molecules, "rmsd", source),
                    _mean(molecules, "type_accuracy", source, share=True),
                    _valid(result, source),
                )
                if molecules
                else ()
            ),
            style="bold" if source.startswith("device") else None,
        )
    return table


def _mean(section: Section | None, key: str, source: SourceKey, *, share: bool = False) -> str:
    metric: Metric | None = section.metric(key) if section else None
    row = metric.row(source) if metric else None
    if row is None or row.mean is None:
        return ""
    return percent(row.mean.value) if share else number(row.mean.value, 2)


def _valid(result: ComparisonResult, source: SourceKey) -> str:
    for row in result.validity:
        if row.source == source and row.protocol == "strict":
            return f"{row.valid} of {row.samples}"
    return ""


def _molecules(result: ComparisonResult) -> list[str]:
    """How many molecules are identical, and how many of generated ones are new."""
    same, lines = result.agreement, []
    if same is not None:
        ends = "" if same.all_the_same is None else f"; input = exact = device {same.all_the_same}"
        lines.append(
            f"identical molecules, device and exact: {same.device_is_exact} of {same.rows} "
            f"(same connectivity {same.same_connectivity}{ends})"
        )
    judged = {r.source: r.novelty for r in result.validity if r.protocol == "strict" and r.novelty}
    new, exact = judged.get(result.device_source), judged.get("exact")
    if new is not None and exact is not None:
        lines.append(
            f"new skeletons among the valid: device {new.novel_skeletons}, exact "
            f"{exact.novel_skeletons}; new SMILES: {new.novel_unique}, {exact.novel_unique}; "
            f"novel against {new.against}"
        )
    return lines


def _kappas(result: ComparisonResult) -> list[str]:
    """What the verdict is at other concentrations, of a model whose own is assumed."""
    if result.model is None or not result.model.kappa_assumed:
        return []
    assumed = f"kappa {number(result.model.kappa)} is assumed, the checkpoint does not hold it"
    told = [
        f"{number(p.kappa)}: {number(skill.value, 2)}"
        for p in result.kappas
        if (skill := p.device_skill or p.encoder_skill) is not None
    ]
    of = "end to end" if any(p.device_skill for p in result.kappas) else "with an exact decoder"
    return [assumed, *([f"skill {of} at kappa {', '.join(told)}"] if told else [])]


def _without_molecules(result: ComparisonResult) -> bool:
    exact = [r for r in result.validity if r.source == "exact" and r.protocol == "strict"]
    return result.settings.task == "generate" and any(row.valid == 0 for row in exact)


def _missing(result: ComparisonResult) -> list[str]:
    groups = missing_groups(result)
    lines = [
        f"left out, {group.role} failed, row{'s' if len(group.rows) > 1 else ''} {group.numbers}: "
        f"{printable(group.text)}"
        for group in groups[:_GROUPS]
    ]
    if len(groups) > _GROUPS:
        lines.append(f"and {len(groups) - _GROUPS} other reasons: `missing` of result.json")
    return lines


def _predicted(facts: CircuitFacts) -> str:
    return f"predicted share of runs without any error: {percent(facts.predicted_success)}"


def _time(facts: CircuitFacts, device: DeviceFacts) -> str:
    if not facts.duration_s:
        return "gate times unknown, " if device.snapshot is not None else ""
    return f"{duration(facts.duration_s)}, "


def _facts(result: ComparisonResult) -> list[str]:
    lines = [
        f"{c.role}: {c.two_qubit_gates} two-qubit gates, two-qubit depth {c.two_qubit_depth}, "
        f"{_time(c, result.device)}qubits {', '.join(map(str, c.qubits))}"
        + (f"; loading fidelity {number(c.loading_fidelity_min)}" if result.model else "")
        for c in result.circuits
    ]
    lines += filter(None, map(mitigation_line, result.circuits))
    lines += [f"{c.role}: {c.approximation}" for c in result.circuits if c.approximation]
    lines += [] if result.on_hardware is None else result.on_hardware.words
    lines += map(prediction_line, result.predictions)
    lines += [line for told in result.probes for line in probe_lines(told)]
    lines += [] if result.foreign is None else foreign_lines(result.foreign)
    lines += [] if result.head is None else head_lines(result.head)
    if result.reference is not None:
        lines.append(f"exact: {result.reference.method}; {printable(result.reference.detail)}")
        lines.append(f"different outcomes seen: {result.reference.distinct:,}")
        if result.reference.method == "none":
            lines.append(_predicted(result.circuits[0]))
    device, age = result.device, result.provenance.snapshot_age_days
    if device.snapshot is not None and device.taken is not None:
        lines.append(
            f"snapshot {device.snapshot} of {device.taken:%Y-%m-%d} ({number(age)} days old), "
            f"median two-qubit error {number(device.median_two_qubit_error)}"
        )
    cost = sum(c.usd for c in result.circuits)
    word = "would have cost" if result.rehearsal else "cost"
    beside = "" if result.head is None else f", and ${result.head.usd:.2f} once for its head"
    lines.append(f"{word}: ${cost:.2f} ({result.circuits[0].cost_basis}){beside}")
    return lines
