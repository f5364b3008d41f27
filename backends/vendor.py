"""What a backend that costs money offers: a submission in steps that a crash cannot confuse.

The caller (``qhw.jobs``) writes an intent with a unique key down, then calls :meth:`submit` once.
Every failure of a submission is one of two kinds, and the difference decides whether it may be
sent again: :class:`SubmissionRefused` (certainly not accepted) or :class:`SubmissionUncertain`
(may have been accepted; look the key up with :meth:`VendorBackend.find` first).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.base import BackendError, CompiledTemplate, CostEstimate
from backends.outcomes import Outcomes
from backends.secrets import without_secrets
from backends.vendor_text import clean_text
from calibration.snapshot import DeviceSnapshot


class VendorError(BackendError):
    """The vendor said no, or could not be reached; holds its own words, bounded, no secrets."""

    def __init__(self, message: str = "") -> None:
        super().__init__(clean_text(message))


class CredentialsError(VendorError):
    """No credentials, or the vendor does not take them; names where they are looked for."""


class SubmissionRefused(VendorError):  # noqa: N818 - a state, not an accident
    """Certainly not accepted: nothing runs, nothing is billed, sending again is safe."""


class SubmissionUncertain(VendorError):  # noqa: N818
    """May have been accepted: the key must be looked up before anything is sent again."""


class UnknownJob(VendorError):  # noqa: N818 - an answer
    """The vendor has no job of that id, or the id is that of somebody else's job."""


class VendorUnavailable(VendorError):  # noqa: N818
    """A question could not be answered in bounded time; asking again is safe."""


class JobState(StrEnum):
    """State of a job at the vendor."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether it can still change."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Submission:
    """What one vendor job runs: rows of angles on compiled templates.

    Attributes:
        compiled: from :meth:`VendorBackend.compile`; runs the first rows, all where ``more`` is
            empty.
        angles: ``(B, P)`` radians, columns ``compiled.parameter_names``.
        shots: per row.
        more: templates of the rows after that, each with its first row, rising; variants of
            ``compiled`` with its parameters, qubits and measurements.
    """

    compiled: CompiledTemplate
    angles: NDArray[np.float64]
    shots: int
    more: tuple[tuple[int, CompiledTemplate], ...] = ()

    @classmethod
    def joined(cls, parts: Sequence[Submission]) -> Submission:
        """Submissions of one template each, of equal shots, as one; rows keep their order."""
        starts = np.cumsum([len(part.angles) for part in parts]).tolist()
        more = tuple(zip(starts[:-1], (part.compiled for part in parts[1:]), strict=True))
        angles = np.concatenate([part.angles for part in parts])
        return cls(parts[0].compiled, angles, parts[0].shots, more)

    def parts(self) -> tuple[Submission, ...]:
        """Submissions of one template each, in the order of their rows."""
        starts = (0, *(start for start, _ in self.more))
        templates = (self.compiled, *(template for _, template in self.more))
        ends = (*starts[1:], len(self.angles))
        return tuple(
            Submission(template, self.angles[start:end], self.shots)
            for start, end, template in zip(starts, ends, templates, strict=True)
        )

    def rows(self, start: int, stop: int) -> Submission:
        """Some of the rows, each with its template."""
        if not self.more:
            return Submission(self.compiled, self.angles[start:stop], self.shots)
        kept, first = [], 0
        for part in self.parts():
            last = first + len(part.angles)
            if first < stop and last > start:
                kept.append(part.rows(max(start - first, 0), min(stop - first, len(part.angles))))
            first = last
        return Submission.joined(kept)


@dataclass(frozen=True)
class JobHandle:
    """A job the vendor has accepted.

    Attributes:
        backend: name of the backend, for example ``ibm:ibm_fez``.
        vendor_id: the vendor's id (job id, task ARN).
        key: our unique key, carried as job tag or client token.
        created: the vendor's creation time, UTC.
    """

    backend: str
    vendor_id: str
    key: str
    created: datetime


@dataclass(frozen=True)
class JobStatus:
    """What the vendor says of a job.

    Attributes:
        state: normalised.
        vendor_text: the vendor's own state and reason, secrets hidden.
        queue_position: where known.
    """

    state: JobState
    vendor_text: str
    queue_position: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "vendor_text", without_secrets(self.vendor_text))


@dataclass(frozen=True)
class JobCounts:
    """Counts of a job, whatever part of it worked.

    Attributes:
        counts: ``(B, 2**m)`` int64, amplitude index of the measured wires; rows that failed are
            all zero. Beyond :data:`backends.outcomes.DENSE_BITS` bits ``(B, K)``, columns
            ``outcomes``.
        row_errors: the vendor's text for each failed row, by row; empty when all worked.
        raw: the vendor's result payload, byte for byte.
        finished: UTC.
        unproven: what could not be checked about whose results these are; empty for nothing.
        outcomes: that the columns of ``counts`` stand for; ``None`` for all in order.
    """

    counts: NDArray[np.int64]
    row_errors: dict[int, str]
    raw: bytes
    finished: datetime
    unproven: str = ""
    outcomes: Outcomes | None = None

    def __post_init__(self) -> None:
        told = {row: without_secrets(text) for row, text in self.row_errors.items()}
        object.__setattr__(self, "row_errors", told)


@dataclass(frozen=True)
class Usage:
    """What a finished job really cost.

    Attributes:
        usd: dollars, ``None`` where the vendor gives no figure to compute it from.
        qpu_seconds: billed device seconds, where billed by time.
        basis: one line saying where the figure is from.
        contradiction: why a figure that the vendor gave is not believed; ``usd`` is then ``None``.
    """

    usd: float | None
    qpu_seconds: float | None
    basis: str
    contradiction: str = ""


@runtime_checkable
class VendorMitigated(Protocol):
    """A backend that says whether its vendor mitigates the counts it gives."""

    @property
    def vendor_mitigation(self) -> str | None:
        """In words; ``None`` for nothing."""


@runtime_checkable
class ChecksEarly(Protocol):
    """A backend that knows some refusals before a circuit is compiled for it."""

    def check_early(self, shots: int, *, whole: bool) -> None:
        """Refuse a device that is not there or not open, and shots that it does not take.

        Args:
            shots: of a row.
            whole: a circuit has all of them; otherwise they may be shared out among several.

        Raises:
            BackendError: what :meth:`VendorBackend.validate` would refuse in any case.
        """


@runtime_checkable
class MayRehearse(Protocol):
    """A backend that says whether its vendor is a server on this machine."""

    @property
    def rehearsal(self) -> bool:
        """Whether no device runs what is submitted, and nothing is charged for it."""


def is_rehearsal(backend: object) -> bool:
    """Whether a backend leads to a vendor simulated on this machine.

    Raises:
        VendorError: the vendor's address cannot be known yet, without credentials.
    """
    return isinstance(backend, MayRehearse) and backend.rehearsal


@runtime_checkable
class JoiningBackend(Protocol):
    """A vendor's backend whose jobs may hold several templates (:attr:`Submission.more`)."""

    joins_templates: Literal[True]


@runtime_checkable
class VendorBackend(Protocol):
    """A paid device behind a network. Every call returns or raises in bounded time."""

    @property
    def name(self) -> str:
        """Registry name, for example ``braket:iqm_garnet``."""

    @property
    def snapshot(self) -> DeviceSnapshot | None:
        """Calibration that circuits are compiled against."""

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """Compile a measured circuit with free parameters to the device's native gates."""

    def split(self, submission: Submission) -> tuple[Submission, ...]:
        """Cut into as few vendor jobs as the device's limits allow, rows kept in order."""

    def validate(self, submission: Submission) -> None:
        """Check everything the device would refuse, without sending anything.

        Raises:
            BackendError: native gates, angle limits, shots, rows, closed window, device offline.
        """

    def payload(self, submission: Submission, key: str) -> bytes:
        """Exactly what :meth:`submit` would post."""

    def estimate(self, submission: Submission) -> CostEstimate:
        """Price before it is made."""

    def submit(self, submission: Submission, key: str) -> JobHandle:
        """Post once; never retried by the vendor's client in a way that could make two jobs.

        Just before the first byte it calls :func:`backends.last_check.check_last`, as every
        session of :mod:`backends.bounded_http` does, and lets what that raises pass.

        Raises:
            SubmissionRefused: certainly not accepted.
            SubmissionUncertain: may have been accepted.
        """

    def find(self, key: str, since: datetime) -> tuple[JobHandle, ...]:
        """Every job at the vendor that carries the key, oldest first; ``()`` is certain.

        Raises:
            VendorUnavailable: the vendor could not be asked, nothing is known.
        """

    def status(self, handle: JobHandle) -> JobStatus:
        """State of a job.

        Raises:
            UnknownJob: there is no such job, or it is not the one with the handle's key.
        """

    def fetch(self, handle: JobHandle, submission: Submission) -> JobCounts:
        """Counts of a finished job; partial results are kept.

        Raises:
            UnknownJob: as :meth:`status`.
            VendorError: results of something else, or that contradict what was asked for.
        """

    def cancel(self, handle: JobHandle) -> JobStatus:
        """Ask for cancellation; a job already final is no error."""

    def usage(self, handle: JobHandle) -> Usage:
        """What the job cost, from the vendor's own record."""
