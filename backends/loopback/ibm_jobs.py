"""Jobs of the loopback IBM: a queue, one worker, and the account a test can trust."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.loopback.ibm_execute import (
    IllegalProgramError,
    check,
    decode,
    quantum_seconds,
    run,
)
from backends.loopback.queue import WorkQueue
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot

FINAL = ("Completed", "Failed", "Cancelled")
RAN_TOO_LONG = 1305
"""Reason code of a job that passed its ``max_execution_time``."""


@dataclass
class Job:
    """One accepted job; times are UTC, billed seconds 0 until it has run.

    ``measured`` is the truth about it: counts ``(B, 2**clbits)`` of each circuit, classical bit 0
    least significant.
    """

    id: str
    number: int
    backend: str
    tags: list[str]
    body: dict[str, Any] = field(repr=False)
    created: datetime
    status: str = "Queued"
    reason: str = ""
    reason_code: int | None = None
    billed_s: float = 0.0
    started: datetime | None = None
    finished: datetime | None = None
    result: dict[str, Any] | None = field(default=None, repr=False)
    measured: list[NDArray[np.int64]] = field(default_factory=list, repr=False)

    def document(self) -> dict[str, Any]:
        """What ``GET /jobs/{id}`` answers, parameters left out."""
        state: dict[str, Any] = {"status": self.status}
        if self.reason:
            state |= {"reason": self.reason, "reason_code": self.reason_code}
        return {
            "id": self.id,
            "backend": self.backend,
            "state": state,
            "status": self.status,
            "program": {"id": self.body.get("program_id", "")},
            "created": self.created.isoformat().replace("+00:00", "Z"),
            "tags": list(self.tags),
            "session_id": self.body.get("session_id"),
            "private": bool(self.body.get("private", False)),
        }

    def metrics(self) -> dict[str, Any]:
        """What ``GET /jobs/{id}/metrics`` answers."""
        moments = {"created": self.created, "running": self.started, "finished": self.finished}
        return {
            "timestamps": {name: m and m.isoformat() for name, m in moments.items()},
            "usage": {
                "quantum_seconds": self.billed_s,
                "qpu_charge_time_seconds": self.billed_s,
                "status": "final" if self.status in FINAL else "pending",
            },
        }


class JobQueue(WorkQueue[Job]):
    """Accepts jobs and runs them one after another, as a device does.

    Args:
        devices: snapshot of each device.
        noise: strength of the devices' noise, ``None`` for perfect devices.
        rep_delay_s: pause between shots where a job asks for none.
        seed: of shots and twirling.

    Attributes:
        failing: reason with which a job fails, by its number; the first accepted is 0.
        slowness: how many times longer than estimated a job takes.
    """

    def __init__(
        self,
        devices: dict[str, DeviceSnapshot],
        noise: NoiseOptions | None,
        rep_delay_s: float,
        seed: int,
    ) -> None:
        self._devices = devices
        self._noise = noise
        self._rep_delay_s = rep_delay_s
        self._seed = seed
        self.failing: dict[int, str] = {}
        self.slowness = 1.0
        super().__init__("Queued", FINAL)

    def place(self, job: Job) -> int | None:
        """Place among the waiting jobs of its device, 1 is the next; ``None`` once it has begun."""
        waiting = [j.id for j in self.jobs if j.backend == job.backend and j.status == "Queued"]
        return waiting.index(job.id) + 1 if job.id in waiting else None

    # -- what a vendor's account shows -----------------------------------------------------------
    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job ever accepted, oldest first."""
        return self._all()

    @property
    def billed_s(self) -> float:
        """Seconds billed, all jobs together."""
        return sum(job.billed_s for job in self.jobs)

    def of_tags(self, tags: Sequence[str]) -> tuple[Job, ...]:
        """Jobs that carry all these tags, oldest first."""
        return tuple(job for job in self.jobs if set(tags) <= set(job.tags))

    # -- what the API does -----------------------------------------------------------------------
    def accept(self, body: dict[str, Any]) -> Job:
        """Put a job into the queue."""
        with self._changed:
            job = Job(
                id=f"d{len(self._items):05d}{uuid.uuid4().hex[:14]}",
                number=len(self._items),
                backend=body["backend"],
                tags=list(body.get("tags", ())),
                body=body,
                created=datetime.now(UTC),
            )
            self._items[job.id] = job
            self._changed.notify_all()
            return job

    def cancel(self, job: Job) -> bool:
        """Cancel unless it is final."""
        with self._changed:
            if job.status in FINAL:
                return False
            job.status, job.finished = "Cancelled", datetime.now(UTC)
            self._changed.notify_all()
            return True

    def delete(self, job: Job) -> None:
        """Forget a job's data; the account keeps the job."""
        with self._changed:
            job.result = None

    # -- the device ------------------------------------------------------------------------------
    def _begin(self, job: Job) -> None:
        job.status, job.started = "Running", datetime.now(UTC)

    def _run(self, job: Job) -> None:
        snapshot = self._devices[job.backend]
        seed = self._seed + job.number
        try:
            if job.number in self.failing:
                raise IllegalProgramError(self.failing[job.number])
            program = decode(job.body["params"], seed=seed, default_rep_delay_s=self._rep_delay_s)
            check(program, snapshot)
        except IllegalProgramError as error:
            self._finish(job, "Failed", 0.0, reason=str(error), code=1517)
            return
        seconds = self.slowness * quantum_seconds(program, snapshot)
        most = job.body.get("cost")
        if most is not None and seconds > most:
            self._finish(job, "Cancelled", float(most), reason="ran too long", code=RAN_TOO_LONG)
            return
        result, job.measured = run(program, snapshot, self._noise, seed)
        self._finish(job, "Completed", seconds, result=result)

    def _finish(
        self,
        job: Job,
        status: str,
        billed_s: float,
        *,
        reason: str = "",
        code: int | None = None,
        result: dict[str, Any] | None = None,
    ) -> None:
        with self._changed:
            # Cancelled while running: the device time is spent all the same.
            job.billed_s = billed_s
            if job.status == "Cancelled":
                return
            job.result, job.reason, job.reason_code = result, reason, code
            job.status, job.finished = status, datetime.now(UTC)
