"""A comparison taken apart: figures of device, floor and baselines, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator

from qhw.analysis.compare.result import (
    DEVICE_SOURCES,
    MOLECULE_SOURCES,
    SOURCE_LABELS,
    ComparisonResult,
    Metric,
    Section,
    SourceKey,
)
from qhw.analysis.compare.settings import MeasureSettings
from qhw.analysis.scores.molecules import wilson
from qhw.latent.registry import PRIORS
from qhw.saved.parts import ALL, Cell, Figure, FigureKey, Parts, RowKey, settings_of

DEVICE = "device"
"""Source key of the last that was made of a device's counts, whatever that is in a run."""
_BESIDE: tuple[SourceKey, ...] = ("device_raw", "shots_only", "prior_mean", "uniform")
_SHARES = ("type_accuracy",)
_HIDDEN = ("workload_sha256",)
_SHORT = 12


def comparison_parts(result: ComparisonResult) -> Parts:
    """Of a comparison, in any version."""
    dumped = result.settings.model_dump(mode="json", exclude=set(_HIDDEN))
    figures: dict[FigureKey, Figure] = {}
    marks: dict[str, dict[RowKey, float | str]] = {}
    origin = _origin(result)
    for section in result.sections:
        keys = _keys(result, section)
        for metric in section.metrics:
            figures |= dict(_of_metric(section, metric, keys))
        marks[section.title] = _marks(result, section, keys)
    figures |= _validity(result)
    if result.molecules:
        inputs = {
            k: m.input_smiles for k, m in zip(_row_keys(result), result.molecules, strict=False)
        }
        marks[ALL] = {k: s for k, s in inputs.items() if s is not None}
    return Parts(settings_of(dumped), dict(_facts(result)), figures, origin, marks)


def _origin(result: ComparisonResult) -> Hashable:
    """What decides which circuit or molecule a row is."""
    s = result.settings
    if isinstance(s, MeasureSettings):
        return "circuit", s.fingerprint, s.angles_sha256
    if s.task == "generate":
        model = result.model and (result.model.sha256 or result.model.name)
        return "latents", model, s.prior or PRIORS.names()[0], s.seed, s.molecules
    return "molecules", s.input  # chosen by name of the shipped ones, by place of a file's


def _row_keys(result: ComparisonResult) -> list[RowKey]:
    """Of the rows that came all the way."""
    return [_key(result, row.index, row.name) for row in result.named_rows]


def _key(result: ComparisonResult, index: int, name: str) -> RowKey:
    s = result.settings
    shipped = not isinstance(s, MeasureSettings) and s.task != "generate" and s.input is None
    return name if shipped else (index, name)


def _keys(result: ComparisonResult, section: Section) -> list[RowKey] | None:
    """Of a section's rows; ``None`` where it is not known which row is which."""
    there = {row.index: row.name for row in result.named_rows}
    if section.key == "encoder":  # its rows need not have come through the decoder
        there |= {m.index: m.name for m in result.missing if m.role != "encoder"}
    keys = [_key(result, index, there[index]) for index in sorted(there)]
    lengths = {len(row.values) for metric in section.metrics for row in metric.rows}
    if lengths != {len(keys)} or max(Counter(keys).values(), default=0) > 1:
        return None
    return keys


def _of_metric(
    section: Section, metric: Metric, keys: list[RowKey] | None
) -> Iterator[tuple[FigureKey, Figure]]:
    device = next((s for s in reversed(DEVICE_SOURCES) if metric.row(s)), None)
    sources: list[tuple[str, SourceKey]] = [] if device is None else [(DEVICE, device)]
    sources += [(s, s) for s in _BESIDE if s != device]
    for key, source in sources:
        row = metric.row(source)
        if row is None:
            continue
        paired = keys is not None and source.startswith("device")
        values = zip(keys, row.values, strict=True) if paired and keys else ()
        said = "device" if key == DEVICE else SOURCE_LABELS[source]
        yield (
            (section.title, metric.label, key),
            Figure(
                metric.label,
                said,
                metric.better,
                row.mean,
                metric.unit,
                metric.key in _SHARES,
                {k: v for k, v in values if v is not None},
            ),
        )
    skill = next((s for s in metric.skills if s.source == device), None)
    if skill is not None:
        label = f"skill in {metric.label}"
        figure = Figure(label, "device", "higher", skill.estimate)
        yield (section.title, label, DEVICE), figure


def _validity(result: ComparisonResult) -> dict[FigureKey, Figure]:
    """Shares of strictly valid molecules, of the device with the rows behind them."""
    strict = {row.source: row for row in result.validity if row.protocol == "strict"}
    device = next((s for s in reversed(MOLECULE_SOURCES) if s in strict), None)
    found: dict[FigureKey, Figure] = {}
    sources: list[tuple[str, SourceKey | None]] = [(DEVICE, device)]
    sources += [("exact", "exact"), ("prior_mean", "prior_mean")]
    for key, source in sources:
        row = None if source is None else strict.get(source)
        if row is None or not row.samples:
            continue
        values: dict[RowKey, float] = {}
        if key == DEVICE and sum(m.device_status == "valid" for m in result.molecules) == row.valid:
            keys = _row_keys(result)
            if len(keys) == len(result.molecules) == len(set(keys)):
                valid = (float(m.device_status == "valid") for m in result.molecules)
                values = dict(zip(keys, valid, strict=True))
        said = "device" if key == DEVICE else SOURCE_LABELS[row.source]
        share = wilson(row.valid, row.samples)
        found["molecules", "strictly valid", key] = Figure(
            "strictly valid", said, "higher", share, share=True, values=values
        )
    return found


def _marks(
    result: ComparisonResult, section: Section, keys: list[RowKey] | None
) -> dict[RowKey, float | str]:
    """Distance of each row's exact distribution to the uniform one: of latents and own circuits.

    The same molecule may have another distribution in another model, and is still the same row.
    """
    s = result.settings
    metric = section.metric("total_variation")
    row = metric and metric.row("uniform")
    if keys is None or not row or not (isinstance(s, MeasureSettings) or s.task == "generate"):
        return {}
    return {k: round(v, 6) for k, v in zip(keys, row.values, strict=True) if v is not None}


def _facts(result: ComparisonResult) -> Iterator[tuple[tuple[str, str], Cell]]:
    d, p = result.device, result.provenance
    yield ("calibration", "snapshot"), d.snapshot or "none (ideal)"
    yield ("calibration", "taken"), None if d.taken is None else f"{d.taken:%Y-%m-%d %H:%M UTC}"
    yield ("calibration", "age, days"), p.snapshot_age_days
    yield ("calibration", "median one-qubit error"), d.median_one_qubit_error
    yield ("calibration", "median two-qubit error"), d.median_two_qubit_error
    yield ("calibration", "median readout error"), d.median_readout_error
    for c in result.circuits:
        group = f"circuit: {c.role}"
        yield (group, "two-qubit gates"), float(c.two_qubit_gates)
        yield (group, "two-qubit depth"), float(c.two_qubit_depth)
        yield (group, "qubits"), ", ".join(map(str, c.qubits[:40]))
        yield (group, "pipeline"), c.mitigation.pipeline if c.mitigation else None
    yield ("origin", "rows compared"), f"{result.rows} of {result.settings.rows}"
    yield ("origin", "rehearsal"), "yes" if result.rehearsal else "no"
    yield ("origin", "cost, usd"), float(sum(c.usd for c in result.circuits))
    if result.model is not None:
        yield ("origin", "model sha256"), (result.model.sha256 or "")[:_SHORT] or None
    yield ("origin", "created"), f"{p.created:%Y-%m-%d %H:%M:%S UTC}"
    changed = ", changed" if p.git_dirty else ""
    yield ("origin", "code"), f"{p.git_revision[:_SHORT]}{changed}" if p.git_revision else None
    for name, version in p.versions.items():
        yield ("versions", name[:_SHORT]), version[:_SHORT]
