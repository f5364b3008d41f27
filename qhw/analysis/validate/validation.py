"""Every prediction beside what the real device gave, and how wrong a vendor's models are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

from pydantic import AwareDatetime

from calibration.closest import closest, quoted
from calibration.parts import Frozen
from qhw.analysis.validate.interval import FEWEST, LEVEL, factors_of
from qhw.analysis.validate.predict import check, predicted, snapshot_of
from qhw.analysis.validate.records import DataError, Record, Results, Source, shipped_results
from qhw.provenance import versions


class ValidatedRow(Frozen):
    """One published result and its prediction.

    Attributes:
        id: of the record.
        device: house name.
        vendor: whose it is.
        benchmark: family.
        qubits: of the circuit, ``None`` where it does not say.
        date: it ran.
        snapshot: calibration of the prediction.
        age_days: the run minus the calibration; below 0 the calibration is younger.
        placement_known: whether it ran on recorded qubits.
        measured: the published score.
        uncertainty: its standard error.
        predicted: by the device model; ``None`` where it says nothing.
        how: predicted.
        success: predicted.
        two_qubit_gates: compiled.
        signal_measured: 1 for exact, 0 for random.
        signal_predicted: likewise.
        noise_factor: ``ln`` measured over ``ln`` predicted signal; ``None`` where it says nothing.
        inside: whether the measurement lies in the interval that other devices give (those of its
            vendor where there are others, else its own); ``None`` where there is none.
        suspect: why it judges no model; ``None`` if it does.
    """

    id: str
    device: str
    vendor: str
    benchmark: str
    qubits: int | None
    date: date
    snapshot: str
    age_days: int
    placement_known: bool
    measured: float
    uncertainty: float | None
    predicted: float | None
    how: str
    success: float | None
    two_qubit_gates: float | None
    signal_measured: float
    signal_predicted: float | None
    noise_factor: float | None
    inside: bool | None = None
    suspect: str | None


class GroupAccuracy(Frozen):
    """How right predictions were for a vendor, a device or a benchmark.

    Attributes:
        kind: ``vendor``, ``device`` or ``benchmark``.
        name: of the group, with its vendor where it is a benchmark.
        n: results that judge.
        devices: machines.
        median_factor: median noise factor.
        low: end of the interval of the noise factor; ``None`` for fewer than ten results.
        high: other end.
        median_error: median of ``|ln(measured signal / predicted signal)|``.
        covered: share of results inside the interval made without their device, ``None`` where
            there is one device only.
    """

    kind: str
    name: str
    n: int
    devices: int
    median_factor: float
    low: float | None
    high: float | None
    median_error: float
    covered: float | None


class Validation(Frozen):
    """All of it.

    Attributes:
        created: when.
        data: file, or ``shipped``.
        level: of the intervals.
        median_error: over all results that judge; ``None`` without any.
        groups: by vendor, device and benchmark.
        rows: every result.
        sources: of the results, with licences.
        versions: of the software.
        schema_version: of this format.
    """

    created: AwareDatetime
    data: str
    level: float
    median_error: float | None
    groups: tuple[GroupAccuracy, ...]
    rows: tuple[ValidatedRow, ...]
    sources: tuple[Source, ...]
    versions: dict[str, str]
    schema_version: int = 1

    def left_out(self) -> list[tuple[str, list[str]]]:
        """Why results judge no model, and which, the most frequent reason first."""
        reasons: dict[str, list[str]] = {}
        for row in self.rows:
            if row.suspect is not None:
                reasons.setdefault(row.suspect, []).append(row.id)
        return sorted(reasons.items(), key=lambda item: -len(item[1]))

    def to_json(self) -> str:
        """JSON text."""
        return self.model_dump_json(indent=1) + "\n"


def validate_models(
    results: Results,
    devices: Sequence[str] = (),
    *,
    data: str = "shipped",
    cache: Path | None = None,
    done: Callable[[int, int], None] = lambda _finished, _total: None,
    now: datetime | None = None,
) -> Validation:
    """Predict every result anew and lay the predictions beside the measurements.

    Args:
        results: published or a person's own.
        devices: only these; all by default.
        data: where they come from, for the report.
        cache: folder of earlier predictions.
        done: told how many results of how many are predicted.
        now: the present by default.

    Raises:
        DataError: a device without results, or what :func:`check` and :func:`predicted` raise.
    """
    chosen = _chosen(results, devices)
    if results is not shipped_results():  # tests check those
        for record in chosen:
            _check(record, data)
    rows = []
    for finished, record in enumerate(chosen):
        done(finished, len(chosen))
        rows.append(_row(record, cache))
    done(len(chosen), len(chosen))
    rows = [_judged(row, rows) for row in rows]
    good = [row for row in rows if row.noise_factor is not None]
    keys = {source.key for source in results.sources}
    cited = {key for key in keys for record in chosen if record.source.startswith(key)}
    return Validation(
        created=now or datetime.now(UTC),
        data=data,
        level=LEVEL,
        median_error=median(map(_error, good)) if good else None,
        groups=tuple(_groups(rows)),
        rows=tuple(rows),
        sources=tuple(source for source in results.sources if source.key in cited),
        versions=versions(),
    )


def _check(record: Record, data: str) -> None:
    try:
        check(record)
    except DataError as error:
        raise DataError(f"{data}: {error}") from error


def _chosen(results: Results, devices: Sequence[str]) -> list[Record]:
    known = sorted({record.device for record in results.records})
    for device in devices:
        if device not in known:
            raise DataError(
                f"Argument `device` must have results, but there are none of {quoted(device)} "
                f"({closest(device, known, 'qhw validate-models')})."
            )
    return [r for r in results.records if not devices or r.device in devices]


def _row(record: Record, cache: Path | None) -> ValidatedRow:
    taken = record.taken or snapshot_of(record).taken.date()
    said = predicted(record, cache=cache)
    value = None if said is None else said.value
    suspect = record.unfit(value)
    factor = record.noise_factor(value) if suspect is None and value is not None else None
    return ValidatedRow(
        id=record.id,
        device=record.device,
        vendor=record.vendor,
        benchmark=record.benchmark,
        qubits=record.circuit.n,
        date=record.date,
        snapshot=record.snapshot or record.device,
        age_days=(record.date - taken).days,
        placement_known=record.placement_known,
        measured=record.measured,
        uncertainty=record.uncertainty,
        predicted=value,
        how="" if said is None else said.how,
        success=None if said is None else said.success,
        two_qubit_gates=None if said is None else said.two_qubit_gates,
        signal_measured=record.signal(record.measured),
        signal_predicted=None if value is None else record.signal(value),
        noise_factor=factor,
        suspect=suspect,
    )


def _judged(row: ValidatedRow, rows: Sequence[ValidatedRow]) -> ValidatedRow:
    """With whether it lies in the interval that the vendor's other devices give."""
    others = [
        other.noise_factor
        for other in rows
        if other.vendor == row.vendor
        and other.device != row.device
        and other.noise_factor is not None
    ]
    if row.noise_factor is None or len(others) < FEWEST:
        return row
    low, high = factors_of(others)
    return row.model_copy(update={"inside": low <= row.noise_factor <= high})


def _groups(rows: Sequence[ValidatedRow]) -> list[GroupAccuracy]:
    kinds: dict[str, Callable[[ValidatedRow], str]] = {
        "vendor": lambda row: row.vendor,
        "device": lambda row: row.device,
        "benchmark": lambda row: f"{row.benchmark}, {row.vendor}",
    }
    found = []
    for kind, name_of in kinds.items():
        for name in sorted({name_of(row) for row in rows}):
            own = [r for r in rows if name_of(r) == name and r.noise_factor is not None]
            if own:
                found.append(_group(kind, name, own))
    return found


def _group(kind: str, name: str, rows: Sequence[ValidatedRow]) -> GroupAccuracy:
    factors = [row.noise_factor for row in rows if row.noise_factor is not None]
    low, high = factors_of(factors) if len(rows) >= FEWEST else (None, None)
    judged = [row.inside for row in rows if row.inside is not None]
    return GroupAccuracy(
        kind=kind,
        name=name,
        n=len(rows),
        devices=len({row.device for row in rows}),
        median_factor=median(factors),
        low=low,
        high=high,
        median_error=median(map(_error, rows)),
        covered=sum(judged) / len(judged) if judged else None,
    )


def _error(row: ValidatedRow) -> float:
    return abs(math.log(row.signal_measured / (row.signal_predicted or math.nan)))
