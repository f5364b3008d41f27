"""Results of real devices as they are shipped or handed over: a document, or a record a line.

A document is ``{"schema_version": 1, "sources": [...], "records": [...]}``; a file of JSON lines
holds the same records without a head.
"""

from __future__ import annotations

import json
import math
from datetime import date
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from calibration.documents import once, read_bounded, read_document
from qhw.analysis.validate.circuits import MOST_QUBITS

SCHEMA_VERSION = 1
Day = date
"""A record has a field of that name."""
OWN = "own"
"""Name of a circuit that no benchmark makes: its prediction is the one that was frozen."""
SHIPPED = "public_results.json"
_MOST_SIGNAL = 0.97
"""Predicted signal beyond which a shot or two decide the noise factor."""
_FLOOR_SIGMA = 3.0
"""Standard errors above the floor from which on there is a signal."""
_LONGEST = 2000
_ONLY_TOLD = ("converted",)
"""Flags so begun say what was done to a number, not that it is doubtful."""

Text = Annotated[str, Field(max_length=_LONGEST)]
_LARGEST = 1e12
"""Of scores, counts and shots: more are a mistake, and differences stay finite."""
Value = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-_LARGEST, le=_LARGEST)]
Counts = Annotated[int, Field(strict=True, ge=0, le=int(_LARGEST))]
Shots = Annotated[int, Field(strict=True, ge=1, le=int(_LARGEST))]


class DataError(ValueError):
    """A file of measured results cannot be used; one line says where and why."""


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_absent(cls, data: Any) -> Any:
        """A null is a field left out."""
        return {k: v for k, v in data.items() if v is not None} if isinstance(data, dict) else data


class Source(_Read):
    """Where records come from.

    Attributes:
        key: what records' ``source`` begins with.
        title: name.
        url: address, with the version.
        licence: SPDX name, or in words.
        attribution: who is to be named.
    """

    key: Text
    title: Text
    url: Text
    licence: Text
    attribution: Text


class Predicted(_Read):
    """What the device model says of a record.

    Attributes:
        value: of the record's score.
        how: computed.
        success: predicted success of the (median) circuit, ``None`` where nothing is compiled.
        two_qubit_gates: after compilation, mean.
        sections: of the record's sections, in order; ``None`` for one that cannot be placed.
        tvd: of the sections with counts, means over them; ``None`` where there are none.
    """

    value: Value
    how: Text
    success: Value | None = None
    two_qubit_gates: Value | None = None
    sections: tuple[Value | None, ...] = ()


class CircuitOf(BaseModel):
    """Name of a benchmark circuit (:mod:`qhw.analysis.validate.circuits`) and its arguments."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: Text
    n: Annotated[int, Field(strict=True, ge=1, le=MOST_QUBITS)] | None = None


class SectionOf(_Read):
    """One of several copies that ran side by side.

    Attributes:
        qubits: of the device, in the circuit's order.
        measured: the score; ``None`` if left out.
        unusable: a coupling of it was not there at the calibration.
        counts: dense, bit ``k`` of the index is qubit ``k``; ``None`` where not published.
    """

    qubits: tuple[Counts, ...]
    measured: Value | None = None
    unusable: bool = False
    counts: tuple[Counts, ...] | None = None


class Record(_Read):
    """One published score of one device.

    Attributes:
        id: unique in its file.
        device: house name.
        vendor: as the vendor writes itself.
        date: it ran.
        source: where it was published; empty for a person's own.
        licence: of that; a record with a source names it.
        benchmark: family.
        circuit: what ran.
        score: in words.
        exact: without noise.
        floor: of a random or uniform answer.
        shots: of each circuit.
        circuits: how many were pooled.
        measured: the score.
        uncertainty: one standard error, where published.
        compiled: by whom, in words.
        placement: of the qubits, in words; ``recorded`` first where it is known.
        qubits: of the device, where recorded for a single circuit.
        level: of the compilation that is closest to what was done.
        flags: what is doubtful; such a record judges no model (``converted ...`` only informs).
        snapshot: calibration the prediction uses.
        sections: copies side by side.
        counts: by outcome, where published.
        predicted: by the device model of ``snapshot``, as shipped; of circuit ``own`` as frozen
            before the run.
        taken: day of a calibration that is not in the catalog.
    """

    id: Text
    device: Text
    vendor: Text
    date: date
    source: Text = ""
    licence: Text = ""
    benchmark: Text
    circuit: CircuitOf
    score: Text
    exact: Value
    floor: Value
    shots: Shots
    circuits: Shots = 1
    measured: Value
    uncertainty: Annotated[Value, Field(ge=0)] | None = None
    compiled: Text = ""
    placement: Text = ""
    qubits: tuple[Counts, ...] | None = None
    level: Annotated[int, Field(ge=0, le=3)] | None = None
    flags: tuple[Text, ...] = ()
    snapshot: Text = ""
    sections: tuple[SectionOf, ...] = ()
    counts: dict[str, Counts] | None = None
    predicted: Predicted | None = None
    taken: Day | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.source and not self.licence:
            raise ValueError("names a source, so it must name its licence, but has none")
        if not math.isclose(self.exact, self.floor, abs_tol=1e-9):
            self._check_counts()
            return self
        raise ValueError(f"`exact` must differ from `floor`, but both are {self.exact:g}")

    def _check_counts(self) -> None:
        if self.counts is not None:
            widths = {len(outcome) for outcome in self.counts}
            if len(widths) != 1 or any(set(k) - {"0", "1"} for k in self.counts):
                raise ValueError("`counts` must have bit strings of one width as keys, but has not")
            _check_sum(sum(self.counts.values()), self.shots, "`counts`")
        for place, section in enumerate(self.sections):
            where = f"section {place}"
            if self.circuit.n is not None and len(section.qubits) != self.circuit.n:
                raise ValueError(
                    f"{where} must have {self.circuit.n} qubits, but has {len(section.qubits)}"
                )
            if section.counts is None:
                continue
            wanted = 2 ** len(section.qubits)
            if len(section.counts) != wanted:
                raise ValueError(
                    f"{where} must have {wanted} counts, one an outcome of "
                    f"{len(section.qubits)} bits, but has {len(section.counts)}"
                )
            _check_sum(sum(section.counts), self.shots, where)

    # -- what follows from the numbers ------------------------------------------------------------
    @property
    def placement_known(self) -> bool:
        """Whether the qubits are known that it ran on."""
        return bool(self.sections) or self.qubits is not None

    def signal(self, value: float) -> float:
        """Of a score: 1 for exact, 0 for a random answer."""
        return (value - self.floor) / (self.exact - self.floor)

    @property
    def signal_error(self) -> float:
        """Standard error of the measured signal."""
        return (self.uncertainty or 0.0) / abs(self.exact - self.floor)

    @property
    def at_floor(self) -> bool:
        """Whether nothing but noise is left: it bounds a factor, it gives none."""
        return self.signal(self.measured) <= max(_FLOOR_SIGMA * self.signal_error, 0.0)

    def unfit(self, predicted: float | None) -> str | None:
        """Why it judges no model; ``None`` if it does.

        Args:
            predicted: score of the device model, ``None`` where there is none.
        """
        doubtful = [flag for flag in self.flags if not flag.startswith(_ONLY_TOLD)]
        if doubtful:
            return doubtful[0]
        if predicted is None:
            return "no prediction"
        if self.at_floor:
            return "at the floor of a random answer"
        if not 0 < self.signal(predicted) < _MOST_SIGNAL:
            return "predicted to be nearly perfect, or to be nothing but noise"
        if not self.signal(self.measured) < 1:
            return "measured above the exact value"
        return None

    def noise_factor(self, predicted: float) -> float:
        """``ln`` measured over ``ln`` predicted signal: 2 is twice the noise predicted."""
        return math.log(self.signal(self.measured)) / math.log(self.signal(predicted))


class Results(_Read):
    """A file of results.

    Attributes:
        sources: where they come from.
        records: the results.
        schema_version: of the format.
    """

    sources: tuple[Source, ...] = ()
    records: tuple[Record, ...]
    schema_version: int = SCHEMA_VERSION

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        known: set[str] = set()
        for record in self.records:
            if record.id in known:
                raise ValueError(f"records must have ids of their own, but {record.id} is twice")
            known.add(record.id)
        return self


def _check_sum(found: int, shots: int, where: str) -> None:
    if found != shots:
        raise ValueError(f"{where} must add up to {shots} shots, but adds up to {found}")


@lru_cache(maxsize=1)
def shipped_results() -> Results:
    """The public results that come with the package.

    Raises:
        DataError: a shipped record lacks its licence, or the file is damaged.
    """
    raw = files("qhw").joinpath("data", SHIPPED).read_bytes()
    found = read_document(Results, raw, SCHEMA_VERSION, SHIPPED, DataError)
    for record in found.records:
        if not record.licence:
            raise DataError(f"{SHIPPED}: {record.id} must name its licence, but has none")
    return found


def read_results(path: Path) -> Results:
    """Results of a file, a document or a record a line.

    Raises:
        DataError: the line names the file, the record and the reason.
    """
    try:
        text = read_bounded(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if _is_document(text):
        _parsed(text, str(path))
        found = read_document(Results, text, SCHEMA_VERSION, str(path), DataError)
    else:
        lines = enumerate(text.split("\n"), start=1)  # others are letters of a JSON text
        records = tuple(_line(line, f"{path}, line {n}") for n, line in lines if line.strip())
        try:
            found = Results(records=records)
        except ValidationError as error:
            raise DataError(f"{path}: {_first(error)}") from error
    if not found.records:
        raise DataError(f"{path} must hold records, but holds none")
    return found


def _is_document(text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "records" in found


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} must be a JSON object, but: {error}") from error


def _line(line: str, where: str) -> Record:
    data = _parsed(line, where)
    if not isinstance(data, dict):
        raise DataError(f"{where} must be a JSON object, but is a {type(data).__name__}")
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        raise DataError(f"{where}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return (f"`{place}`: " if place else "") + str(first["msg"]).removeprefix("Value error, ")
