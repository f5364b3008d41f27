"""Jobs that need no vendor: what both emulators share.

A job needs no memory: its id holds the key, the key seeds its shots, and the counts are made when
they are fetched, also after a restart.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from datetime import UTC, datetime

from backends.aer import MAX_STATE_QUBITS
from backends.base import BackendError, CompiledTemplate, CostEstimate
from backends.vendor import JobHandle, JobState, JobStatus, Submission, SubmissionRefused, Usage
from calibration.catalog import load_snapshot
from calibration.snapshot import DeviceSnapshot

_PREFIX = "local-"
_FREE = "emulated on this machine, free"


class EmulatedJobs(ABC):
    """The part of :class:`backends.vendor.VendorBackend` that handles jobs.

    Args:
        snapshot: the device, or its name, or a file of it.
    """

    def __init__(self, snapshot: DeviceSnapshot | str) -> None:
        self._snapshot = load_snapshot(snapshot) if isinstance(snapshot, str) else snapshot

    @property
    def name(self) -> str:
        """``emulator:`` and the device's name."""
        return f"emulator:{self._snapshot.name}"

    @property
    def snapshot(self) -> DeviceSnapshot:
        """Calibration that is emulated."""
        return self._snapshot

    @abstractmethod
    def validate(self, submission: Submission) -> None:
        """Check what the device would refuse."""

    def estimate(self, submission: Submission) -> CostEstimate:
        """Free."""
        del submission
        return CostEstimate(0.0, None, _FREE)

    def submit(self, submission: Submission, key: str) -> JobHandle:
        """Check; the work is done when the counts are fetched.

        Raises:
            SubmissionRefused: the device would refuse it.
        """
        try:
            self.validate(submission)
        except BackendError as error:
            raise SubmissionRefused(f"Not sent: {error}") from error
        return self._handle(key)

    def find(self, key: str, since: datetime) -> tuple[JobHandle, ...]:
        """The job of the key: every key has one."""
        del since
        return (self._handle(key),)

    def status(self, handle: JobHandle) -> JobStatus:
        """Done."""
        del handle
        return JobStatus(JobState.DONE, "emulated")

    def cancel(self, handle: JobHandle) -> JobStatus:
        """Already final."""
        return self.status(handle)

    def usage(self, handle: JobHandle) -> Usage:
        """Free."""
        del handle
        return Usage(0.0, None, _FREE)

    def _handle(self, key: str) -> JobHandle:
        return JobHandle(self.name, f"{_PREFIX}{key}", key, datetime.now(UTC))


def check_width(submission: Submission, most: int) -> None:
    """Refuse circuits that are too wide to simulate.

    Raises:
        BackendError: more than ``most`` qubits, but not so many that noise is twirled.
    """
    if most < submission.compiled.circuit.num_qubits <= MAX_STATE_QUBITS:
        raise BackendError(
            f"Argument `submission` must use at most {most} qubits on an emulator, or more than "
            f"{MAX_STATE_QUBITS}, whose noise is twirled, but uses "
            f"{submission.compiled.circuit.num_qubits}."
        )


def is_twirled(submission: Submission | CompiledTemplate) -> bool:
    """Whether a simulated vendor runs a circuit with twirled noise, because it is wide."""
    compiled = submission.compiled if isinstance(submission, Submission) else submission
    return bool(compiled.circuit.num_qubits > MAX_STATE_QUBITS)


def seed_of(handle: JobHandle) -> int:
    """The same key gives the same shots."""
    return int.from_bytes(hashlib.sha256(handle.key.encode()).digest()[:4], "big")
