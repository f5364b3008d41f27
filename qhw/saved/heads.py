"""What a list needs of every kind of result, in every version; the rest of a file is not looked at.

A result may have hundreds of kilobytes, and a list has hundreds of results.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from calibration.parts import Utc
from qhw.analysis.bench import result as bench_result
from qhw.analysis.compare import result
from qhw.analysis.compare.result import DEVICE_SOURCES, MOLECULE_SOURCES, Estimate, Skill
from qhw.analysis.expect import result as expect_result
from qhw.saved.entry import Kind, Level, Strip, Valid

_LONGEST = 200
"""Letters of a name or a sentence; the report has all."""
_MOST_NAMES = 50
_STRIP_ROWS = 60
_BASELINES = ("uniform", "prior_mean")


def _cut(text: object) -> object:
    return f"{text[:_LONGEST]}…" if isinstance(text, str) and len(text) > _LONGEST else text


def _few(items: object) -> object:
    return items[:_MOST_NAMES] if isinstance(items, list) else items


Words = Annotated[str, BeforeValidator(_cut)]
Names = Annotated[tuple[Words, ...], BeforeValidator(_few)]
Shots = Annotated[tuple[int | Words, ...], BeforeValidator(_few)]


class HeadError(ValueError):
    """A result of which not even the head can be read; one line says why."""


class _Head(BaseModel, ABC):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)
    newest: ClassVar[int] = 1
    kind: ClassVar[Kind] = "?"
    schema_version: int

    @abstractmethod
    def told(self) -> dict[str, Any]:
        """Fields of a :class:`qhw.saved.entry.SavedRun`."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


class _Asked(_Part):
    task: Words
    device: Words
    shots: int
    mitigation: Words = "readout"
    model: Words | None = None
    circuit: Words | None = None


class _Row(_Part):
    source: str
    values: tuple[float | None, ...]
    mean: Estimate | None


class _Metric(_Part):
    key: str
    rows: tuple[_Row, ...]

    def mean(self, *sources: str) -> Estimate | None:
        """Of the last of the sources that has one."""
        found = [r.mean for s in sources for r in self.rows if r.source == s and r.mean is not None]
        return found[-1] if found else None


class _Section(_Part):
    key: str
    metrics: tuple[_Metric, ...]


class _Verdict(_Part):
    level: Level
    text: Words
    section: str
    skill: Skill | None
    metric: str = "total_variation"


class _Judged(_Part):
    source: str
    protocol: str
    samples: int
    valid: int


class _Charged(_Part):
    usd: float


class _Origin(_Part):
    created: Utc


class _Named(_Part):
    name: Words


class ComparisonHead(_Head):
    """Of :class:`qhw.analysis.compare.result.ComparisonResult`."""

    newest = result.SCHEMA_VERSION
    kind = "comparison"
    settings: _Asked
    verdict: _Verdict
    model: _Named | None = None
    circuits: tuple[_Charged, ...]
    sections: tuple[_Section, ...]
    validity: tuple[_Judged, ...]
    provenance: _Origin
    rehearsal: bool = False

    @field_validator("sections", mode="before")
    @classmethod
    def _deciding(cls, sections: object, known: ValidationInfo) -> object:
        """Only what the verdict rests on: the others are most of a file."""
        verdict = known.data.get("verdict")
        if verdict is None or not isinstance(sections, list):
            return sections
        return [s for s in sections if not isinstance(s, dict) or s.get("key") == verdict.section]

    def told(self) -> dict[str, Any]:
        """Fields of a :class:`qhw.saved.entry.SavedRun`."""
        metrics = (metric for section in self.sections for metric in section.metrics)
        metric = next((m for m in metrics if m.key == self.verdict.metric), None)
        s = self.settings
        return {
            "when": self.provenance.created,
            "task": s.task,
            "subject": (self.model.name if self.model else s.circuit or s.model) or "",
            "devices": (s.device,),
            "mitigation": (s.mitigation,),
            "shots": (s.shots,),
            "level": self.verdict.level,
            "verdict": self.verdict.text,
            "skill": None if self.verdict.skill is None else self.verdict.skill.estimate,
            "distance": None if metric is None else metric.mean(*DEVICE_SOURCES),
            "valid": self._valid(),
            "usd": sum(circuit.usd for circuit in self.circuits),
            "rehearsal": self.rehearsal,
            "strip": None if metric is None else _strip(metric),
        }

    def _valid(self) -> Valid | None:
        strict = {row.source: row for row in self.validity if row.protocol == "strict"}
        device = [strict[source] for source in MOLECULE_SOURCES if source in strict]
        if not device:
            return None
        exact = strict.get("exact")
        known = None if exact is None else exact.valid
        return Valid(device[-1].valid, known, device[-1].samples)


def _strip(metric: _Metric) -> Strip | None:
    """Of a distance; a score such as linear cross-entropy, which may be negative, has none."""
    rows = {row.source: row for row in metric.rows}
    device = [rows[source] for source in DEVICE_SOURCES if source in rows]
    if not device or metric.key != "total_variation":
        return None
    floor = metric.mean("shots_only")
    constants = [m.value for m in map(metric.mean, _BASELINES) if m is not None]
    values = tuple(v for v in device[-1].values[:_STRIP_ROWS] if v is not None)
    known = None if floor is None else floor.value
    return Strip(values, known, min(constants, default=None))


class ExpectHead(_Head):
    """Of :class:`qhw.analysis.expect.result.ExpectResult`."""

    newest = expect_result.SCHEMA_VERSION
    kind = "expectation"
    settings: _Asked
    measured: Utc | None
    cost: _Charged
    rehearsal: bool

    def told(self) -> dict[str, Any]:
        """Fields of a :class:`qhw.saved.entry.SavedRun`."""
        s = self.settings
        return {
            "when": self.measured,
            "task": s.task,
            "subject": s.circuit or "",
            "devices": (s.device,),
            "mitigation": (s.mitigation,),
            "shots": (s.shots,),
            "usd": self.cost.usd,
            "rehearsal": self.rehearsal,
        }


class _Benched(_Part):
    task: Words = "generate"
    model: Words
    devices: Names
    pipelines: Names
    shots: Shots


class BenchHead(_Head):
    """Of :class:`qhw.analysis.bench.result.BenchResult`."""

    newest = bench_result.SCHEMA_VERSION
    kind = "mitigation bench"
    settings: _Benched
    created: Utc

    def told(self) -> dict[str, Any]:
        """Fields of a :class:`qhw.saved.entry.SavedRun`."""
        s = self.settings
        return {
            "when": self.created,
            "task": s.task,
            "subject": s.model,
            "devices": s.devices,
            "mitigation": s.pipelines,
            "shots": s.shots,
        }


class _DepthRow(_Part):
    device: Words


class DepthHead(_Head):
    """Of :class:`qhw.analysis.depth.report.DepthReport`."""

    kind = "depth report"
    newest = 2  # qhw.analysis.depth.report's own, which takes long to load
    created: Utc
    shots: int
    circuits: tuple[_Named, ...]
    rows: tuple[_DepthRow, ...]

    def told(self) -> dict[str, Any]:
        """Fields of a :class:`qhw.saved.entry.SavedRun`."""
        return {
            "when": self.created,
            "subject": ", ".join(c.name for c in self.circuits[:3]),
            "devices": tuple(dict.fromkeys(row.device for row in self.rows))[:_MOST_NAMES],
            "shots": (self.shots,),
        }


class _Drifted(_Part):
    device: Words
    before: Words
    after: Words


class DriftHead(_Head):
    """Of ``qhw drift``."""

    kind = "drift"
    pairs: Annotated[tuple[_Drifted, ...], Field(min_length=1)]

    def told(self) -> dict[str, Any]:
        """Fields of a :class:`qhw.saved.entry.SavedRun`."""
        days = f"{self.pairs[0].before[:10]} to {self.pairs[-1].after[:10]}"
        return {"subject": days, "devices": (self.pairs[0].device,)}


class _Grouped(_Part):
    kind: Words
    name: Words


class ValidationHead(_Head):
    """Of :class:`qhw.analysis.validate.validation.Validation`."""

    kind = "model validation"
    created: Utc
    data: Words
    groups: tuple[_Grouped, ...]

    def told(self) -> dict[str, Any]:
        """Fields of a :class:`qhw.saved.entry.SavedRun`."""
        devices = tuple(group.name for group in self.groups if group.kind == "device")
        return {"when": self.created, "subject": self.data, "devices": devices[:_MOST_NAMES]}


class _Studied(_Part):
    name: Words
    task: Words = "generate"
    models: Names
    devices: Names
    mitigation: Names = ("none", "readout")
    shots: Shots = (10_000,)


class StudyHead(_Head):
    """Of :class:`qhw.study.summary.StudySummary`."""

    kind = "noise study"
    newest = 2  # qhw.study.summary's own, which takes long to load
    config: _Studied

    def told(self) -> dict[str, Any]:
        """Fields of a :class:`qhw.saved.entry.SavedRun`."""
        c = self.config
        return {
            "task": c.task,
            "subject": ", ".join(c.models),
            "devices": c.devices,
            "mitigation": c.mitigation,
            "shots": c.shots,
        }


def head_of(data: Mapping[str, Any]) -> _Head:
    """The head of a document, whichever kind it is.

    Raises:
        HeadError: none of the house's kinds, a newer version, or a value out of place.
    """
    kind = _kind(data)
    if kind is None:
        raise HeadError("none of the results that qhw writes")
    version = data.get("schema_version")
    if isinstance(version, bool) or version not in range(1, kind.newest + 1):
        raise HeadError(f"schema_version must be 1 to {kind.newest}, but is {_shown(version)}")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:_LONGEST]
        raise HeadError(f"`{place}`: {first['msg'][:_LONGEST]}") from error


def _kind(data: Mapping[str, Any]) -> type[_Head] | None:
    settings = data.get("settings")
    asked = settings if isinstance(settings, Mapping) else {}
    if "verdict" in data:
        return ComparisonHead
    if "levels" in data and "circuits" in data:
        return DepthHead
    if asked.get("task") == "expect" or "observables" in data:
        return ExpectHead
    if "pipelines" in asked:
        return BenchHead
    if "groups" in data and "sources" in data:
        return ValidationHead
    if "pairs" in data:
        return DriftHead
    return StudyHead if "config" in data and "curves" in data else None


def _shown(value: object) -> str:
    return "not there" if value is None else repr(value)[:20]
