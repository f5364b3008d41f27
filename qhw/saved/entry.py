"""What a list says of one run's folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from qhw.analysis.compare.result import Estimate

Kind = Literal[
    "comparison",
    "expectation",
    "mitigation bench",
    "depth report",
    "drift",
    "noise study",
    "model validation",
    "?",
]
Level = Literal["better", "same", "worse", "unknown"]


@dataclass(frozen=True)
class Strip:
    """A run's rows in a thumbnail: distances to exact.

    Attributes:
        values: of the first rows, by the device.
        floor: mean of the shot floor, where known.
        baseline: mean of the best baseline, likewise.
    """

    values: tuple[float, ...]
    floor: float | None
    baseline: float | None


@dataclass(frozen=True)
class Valid:
    """Strictly valid molecules of the device, and of the exact way beside them."""

    device: int
    exact: int | None
    samples: int


@dataclass(frozen=True)
class SavedRun:
    """One folder; what is not known, or does not apply, is ``None``.

    Attributes:
        name: of the folder.
        kind: what ran; ``?`` where the folder holds no result that can be read.
        when: UTC: when the result was made, else the time in the folder's name, else the file's.
        problem: why it cannot be read, in one line.
        task: of the run.
        subject: model, circuit or study.
        devices: backends.
        mitigation: pipelines.
        shots: of a row or observable.
        level: of its verdict.
        verdict: its sentence.
        skill: of the device.
        distance: mean of the measure that the verdict rests on, of the device.
        valid: of molecules.
        usd: cost; of a rehearsal what it would have been.
        rehearsal: no device ran.
        page: whether there is a ``report.html``.
        strip: for a thumbnail.
    """

    name: str
    kind: Kind
    when: datetime
    problem: str | None = None
    task: str = ""
    subject: str = ""
    devices: tuple[str, ...] = ()
    mitigation: tuple[str, ...] = ()
    shots: tuple[int | str, ...] = ()
    level: Level | None = None
    verdict: str = ""
    skill: Estimate | None = None
    distance: Estimate | None = None
    valid: Valid | None = None
    usd: float | None = None
    rehearsal: bool = False
    page: bool = False
    strip: Strip | None = None

    def has(self, words: str) -> bool:
        """Whether each of the words is in its name, task, subject, devices or pipelines."""
        told = (self.name, self.kind, self.task, self.subject, *self.devices, *self.mitigation)
        text = " ".join((*told, self.problem or "", "rehearsal" * self.rehearsal)).lower()
        return all(word in text for word in words.lower().split())

    def document(self) -> dict[str, Any]:
        """For JSON: money in US dollars, an ISO moment."""
        return {
            "run": self.name,
            "kind": self.kind,
            "when": self.when.isoformat(),
            "problem": self.problem,
            "task": self.task,
            "subject": self.subject,
            "devices": list(self.devices),
            "mitigation": list(self.mitigation),
            "shots": list(self.shots),
            "verdict": self.level,
            "skill": None if self.skill is None else self.skill.model_dump(),
            "distance": None if self.distance is None else self.distance.model_dump(),
            "valid": None if self.valid is None else vars(self.valid),
            "usd": self.usd,
            "rehearsal": self.rehearsal,
        }
