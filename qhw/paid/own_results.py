"""A person's own runs as results that judge device models: what was frozen, what came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from calibration.documents import read_bounded
from qhw.analysis.compare.facts import PredictionFacts
from qhw.analysis.compare.result import ComparisonResult, ResultError
from qhw.analysis.expect.result import ExpectResult
from qhw.analysis.validate.interval import noise_factors
from qhw.analysis.validate.records import (
    OWN,
    CircuitOf,
    DataError,
    Predicted,
    Record,
    Results,
    read_results,
)
from qhw.paid.verified import BundleError, verify

_HOW = "frozen before the run"
_LEAST = 0.1
"""Distance of a value from the maximally mixed state's from which on noise shows in it."""
_SIMULATED = "a simulated vendor: no device measured anything"


def given_results(path: Path) -> Results:
    """Results of a file of records, of a bundle of ``qhw jobs export``, or of a run's folder.

    Raises:
        DataError: it cannot be read, or nothing in it was predicted before it ran.
    """
    if path.is_dir():
        records = tuple(_of_folder(path))
    elif path.suffix == ".zip":
        records = tuple(_of_bundle(path))
    else:
        return read_results(path)
    if not records:
        raise DataError(
            f"{path} must hold a distribution or values that were predicted before a paid job was "
            "sent, and their counts, but holds none"
        )
    return Results(records=records)


def _of_bundle(path: Path) -> Iterator[Record]:
    try:
        found = verify(path)
    except BundleError as error:
        raise DataError(str(error)) from error
    manifest = found.manifest
    simulated = manifest.rehearsal or manifest.backend.startswith("emulator:")
    finished = [job.finished for job in manifest.jobs if job.finished is not None]
    for facts in found.predictions:
        ran = max(finished) if finished else manifest.created
        yield from _of_distribution(facts, manifest.run, ran, simulated=simulated)


def _of_folder(path: Path) -> Iterator[Record]:
    file = path / "result.json"
    try:
        text = read_bounded(file).decode("utf-8")
        task = json.loads(text)["settings"]["task"]
    except OSError as error:
        raise DataError(f"{path} must be a run's folder, but {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{file} must be the result of a run, but is not") from error
    try:
        if task == "expect":
            yield from _of_values(ExpectResult.from_json(text, str(file)))
            return
        result = ComparisonResult.from_json(text, str(file))
    except ResultError as error:
        raise DataError(str(error)) from error
    simulated = result.rehearsal or result.settings.device.startswith("emulator:")
    for facts in result.predictions:
        yield from _of_distribution(
            facts, path.name, result.provenance.created, simulated=simulated
        )


def _of_distribution(
    facts: PredictionFacts, run: str, ran: datetime, *, simulated: bool
) -> Iterator[Record]:
    """Of a circuit's mean distance to exact; none where it was not predicted or not measured."""
    numbers = (facts.floor, facts.uniform, facts.measured, facts.predicted)
    floor, uniform, measured, predicted = numbers
    if floor is None or uniform is None or measured is None or predicted is None:
        return
    if facts.device is None or facts.taken is None or uniform <= floor:
        return
    yield _record(
        f"{run}/{facts.role}",
        facts.device,
        ran.date(),
        "distance to exact (TVD)",
        (floor, uniform, measured, predicted),
        taken=facts.taken.date(),
        simulated=simulated,
    )


def _of_values(result: ExpectResult) -> Iterator[Record]:
    """Of raw values that are not next to the maximally mixed state's."""
    told = result.prediction
    if told is None or told.device is None or told.taken is None or result.measured is None:
        return
    simulated = result.rehearsal or result.device.startswith("emulator:")
    spread = {(v.row, v.observable): v for v in result.observables}
    for place, value in enumerate(told.values):
        of = spread.get((value.row, value.observable))
        if of is None or value.measured is None or abs(value.exact - of.uniform) < _LEAST:
            continue
        yield _record(
            f"{result.run}/{place}",
            told.device,
            result.measured.date(),
            value.observable,
            (value.exact, of.uniform, value.measured, value.predicted),
            taken=told.taken.date(),
            simulated=simulated,
        )


def _record(
    name: str,
    device: str,
    ran: date,
    score: str,
    numbers: tuple[float, float, float, float],
    *,
    taken: date,
    simulated: bool,
) -> Record:
    exact, floor, measured, predicted = numbers
    vendor = device.partition("_")[0]
    known = noise_factors(vendor)
    return Record(
        id=name,
        device=device,
        vendor=vendor if known is None else known.vendor,
        date=ran,
        benchmark=OWN,
        circuit=CircuitOf(name=OWN),
        score=score,
        exact=exact,
        floor=floor,
        shots=1,
        measured=measured,
        flags=(_SIMULATED,) if simulated else (),
        snapshot=device,
        predicted=Predicted(value=predicted, how=_HOW),
        taken=taken,
    )
