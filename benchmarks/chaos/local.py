"""A small vendor in a file: it accepts, queues, runs and bills jobs, and fails as planned.

Its book is an SQLite file, so it survives the clients that talk to it. It decodes what was posted
(QPY circuit, angles) and runs that. Faults are planned call by call.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.base import BackendError, CompiledTemplate, CostEstimate
from backends.exact import ExactBackend
from backends.stored import circuits_from_bytes, circuits_to_bytes
from backends.vendor import (
    JobCounts,
    JobHandle,
    JobState,
    JobStatus,
    Submission,
    SubmissionRefused,
    SubmissionUncertain,
    Usage,
    VendorError,
    VendorUnavailable,
)
from calibration.snapshot import DeviceSnapshot

Operation = Literal["submit", "find", "status", "fetch", "cancel", "usage"]
SUBMIT_FAULTS = (
    "refuse",  # certainly not accepted
    "drop_before",  # the connection breaks, nothing arrived
    "drop_after",  # accepted, the answer is lost
    "late",  # accepted, the answer is lost, and lookups do not show it at once
    "copy",  # accepted, and the network repeats the post: a second, slower copy
    "kill_before",  # the client dies before the post arrives
    "kill_after",  # the client dies before the answer arrives
    "fails",  # accepted; the job will fail
    "bad_row",  # accepted; its first row will fail
)
ASK_FAULTS = ("unavailable", "kill_before", "kill_after")
FETCH_FAULTS = (*ASK_FAULTS, "garbage")
MICRO_PER_SHOT = 1_000
LATE_S = 0.03
_PATIENT_COPY = 40
_MAX_ROWS = 2
_BOOK = """
CREATE TABLE IF NOT EXISTS task (
    id INTEGER PRIMARY KEY, key TEXT, created REAL, visible REAL, state TEXT, polls INTEGER,
    slow INTEGER, fault TEXT, qpy BLOB, angles BLOB, shots INTEGER, rows INTEGER, billed INTEGER);
CREATE TABLE IF NOT EXISTS call (operation TEXT PRIMARY KEY, number INTEGER);
CREATE TABLE IF NOT EXISTS fault (
    operation TEXT, number INTEGER, kind TEXT, PRIMARY KEY (operation, number));
"""


@dataclass(frozen=True)
class Task:
    """A job in the vendor's own book."""

    id: str
    key: str
    state: JobState
    rows: int
    shots: int
    billed_micro: int


class LocalVendor:
    """The client and the server of the file, in one."""

    def __init__(self, path: Path, *, name: str = "local:file") -> None:
        self._path = path
        self._name = name
        self._exact = ExactBackend()
        with self._book() as book:
            book.executescript(_BOOK)

    @property
    def name(self) -> str:
        return self._name

    @property
    def snapshot(self) -> DeviceSnapshot | None:
        return None

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        return self._exact.compile(circuit, seed=seed)

    def split(self, submission: Submission) -> tuple[Submission, ...]:
        rows = range(0, len(submission.angles), _MAX_ROWS)
        return tuple(
            replace(submission, angles=submission.angles[row : row + _MAX_ROWS]) for row in rows
        )

    def validate(self, submission: Submission) -> None:
        if submission.shots > 100_000:
            raise BackendError("Argument `shots` must be at most 100000 on local")

    def payload(self, submission: Submission, key: str) -> bytes:
        return (
            key.encode()
            + circuits_to_bytes([submission.compiled.circuit])
            + submission.angles.tobytes()
        )

    def estimate(self, submission: Submission) -> CostEstimate:
        shots = len(submission.angles) * submission.shots
        return CostEstimate(shots * MICRO_PER_SHOT / 1e6, None, "0.001 usd a shot")

    def submit(self, submission: Submission, key: str) -> JobHandle:
        with self._call("submit") as (book, fault):
            if fault == "refuse":
                raise SubmissionRefused("429: too many requests")
            if fault == "drop_before":
                raise SubmissionUncertain("connection reset")
            made = self._accept(book, submission, key, fault)
            if fault == "copy":
                self._accept(book, submission, key, "slow")
        if fault in ("drop_after", "late"):
            raise SubmissionUncertain("504: gateway timeout")
        return made

    def find(self, key: str, since: datetime) -> tuple[JobHandle, ...]:
        with self._call("find") as (book, _):
            rows = book.execute(
                "SELECT id, created FROM task WHERE key = ? AND created >= ? AND visible <= ? "
                "ORDER BY created, id",
                (key, since.timestamp(), time.time()),
            ).fetchall()
        return tuple(self._handle(number, key, created) for number, created in rows)

    def status(self, handle: JobHandle) -> JobStatus:
        with self._call("status") as (book, _):
            task = self._task(book, handle)
            state = JobState(task["state"])
            if not state.final:
                polls = task["polls"] + 1
                state = self._later(polls, task["slow"], task["fault"])
                billed = 0
                if state is JobState.DONE:
                    billed = task["rows"] * task["shots"] * MICRO_PER_SHOT
                book.execute(
                    "UPDATE task SET polls = ?, state = ?, billed = ? WHERE id = ?",
                    (polls, state, billed, handle.vendor_id),
                )
        reason = "calibration lost at 03:12" if state is JobState.FAILED else ""
        return JobStatus(state, f"{state.value.upper()} {reason}".strip())

    def fetch(self, handle: JobHandle, submission: Submission) -> JobCounts:
        del submission  # what was posted is what ran
        with self._call("fetch") as (book, fault):
            task = self._task(book, handle)
            if task["state"] != JobState.DONE:
                raise VendorError(f"job {handle.vendor_id} has no result")
            if fault == "garbage":
                raise VendorError("the result is not JSON: unexpected end")
            counts = self._run(task)
        errors = {}
        if task["fault"] == "bad_row":
            counts[0] = 0
            errors[0] = "row 0: laser lost lock"
        return JobCounts(counts, errors, counts.tobytes(), datetime.now(UTC))

    def cancel(self, handle: JobHandle) -> JobStatus:
        with self._call("cancel") as (book, _):
            state = JobState(self._task(book, handle)["state"])
            if not state.final:
                state = JobState.CANCELLED
                book.execute("UPDATE task SET state = ? WHERE id = ?", (state, handle.vendor_id))
        return JobStatus(state, state.value.upper())

    def usage(self, handle: JobHandle) -> Usage:
        with self._call("usage") as (book, _):
            billed = self._task(book, handle)["billed"]
        return Usage(billed / 1e6, None, "the vendor's bill")

    def plan(self, operation: Operation, number: int, kind: str) -> None:
        """Make the n-th call from now on (0 is the next) of an operation fail."""
        with self._book() as book:
            made = book.execute("SELECT number FROM call WHERE operation = ?", (operation,))
            done = (made.fetchone() or (0,))[0]
            book.execute(
                "INSERT OR REPLACE INTO fault VALUES (?, ?, ?)", (operation, done + number, kind)
            )

    def calm(self) -> None:
        """No more faults."""
        with self._book() as book:
            book.execute("DELETE FROM fault")

    def calls(self, operation: Operation) -> int:
        """How often an operation was called."""
        with self._book() as book:
            made = book.execute("SELECT number FROM call WHERE operation = ?", (operation,))
            return int((made.fetchone() or (0,))[0])

    def tasks(self) -> tuple[Task, ...]:
        """The vendor's own account of everything it accepted."""
        with self._book() as book:
            rows = book.execute("SELECT id, key, state, rows, shots, billed FROM task ORDER BY id")
            return tuple(
                Task(str(row[0]), row[1], JobState(row[2]), row[3], row[4], row[5])
                for row in rows.fetchall()
            )

    def true_counts(self, vendor_id: str) -> NDArray[np.int64]:
        """What a task measured."""
        with self._book() as book:
            return self._run(self._task(book, JobHandle("", vendor_id, "", datetime.now(UTC))))

    @contextmanager
    def _book(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        with closing(connection):
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous=OFF")  # killed clients, not power cuts
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")

    @contextmanager
    def _call(self, operation: Operation) -> Iterator[tuple[sqlite3.Connection, str | None]]:
        """One request: counted, its planned fault looked up, committed before the answer."""
        with self._book() as book:
            book.execute(
                "INSERT INTO call VALUES (?, 1) "
                "ON CONFLICT (operation) DO UPDATE SET number = number + 1",
                (operation,),
            )
            row = book.execute(
                "SELECT kind FROM fault JOIN call USING (operation) "
                "WHERE operation = ? AND fault.number = call.number - 1",
                (operation,),
            ).fetchone()
            fault = None if row is None else row[0]
            if fault == "kill_before":
                book.execute("COMMIT")
                os.kill(os.getpid(), signal.SIGKILL)
            if fault == "unavailable":
                raise VendorUnavailable("503: service unavailable")
            yield book, fault
        if fault == "kill_after":
            os.kill(os.getpid(), signal.SIGKILL)

    def _accept(
        self, book: sqlite3.Connection, submission: Submission, key: str, fault: str | None
    ) -> JobHandle:
        now = time.time()
        row = (
            key,
            now,
            now + (LATE_S if fault == "late" else 0.0),
            JobState.QUEUED,
            0,
            int(fault == "slow"),
            fault,
            circuits_to_bytes([submission.compiled.circuit]),
            submission.angles.tobytes(),
            submission.shots,
            len(submission.angles),
            0,
        )
        columns = (
            "key, created, visible, state, polls, slow, fault, qpy, angles, shots, rows, billed"
        )
        marks = ", ".join("?" * len(row))
        done = book.execute(f"INSERT INTO task ({columns}) VALUES ({marks})", row)
        assert done.lastrowid is not None
        return self._handle(done.lastrowid, key, now)

    def _run(self, task: sqlite3.Row) -> NDArray[np.int64]:
        circuit = circuits_from_bytes(task["qpy"])[0]
        angles = np.frombuffer(task["angles"]).reshape(task["rows"], -1)
        names = tuple(p.name for p in circuit.parameters)
        compiled = CompiledTemplate(circuit, names, circuit.num_clbits, (), 0, 0, 0, 0.0, 0, None)
        seed = int(task["id"])
        return self._exact.run(compiled, angles, shots=task["shots"], seed=seed).counts

    def _handle(self, number: int, key: str, created: float) -> JobHandle:
        return JobHandle(self._name, str(number), key, datetime.fromtimestamp(created, UTC))

    @staticmethod
    def _task(book: sqlite3.Connection, handle: JobHandle) -> Any:
        row = book.execute("SELECT * FROM task WHERE id = ?", (handle.vendor_id,)).fetchone()
        if row is None:
            raise VendorError(f"404: no job {handle.vendor_id}")
        return row

    @staticmethod
    def _later(polls: int, slow: int, fault: str | None) -> JobState:
        """States out of order on purpose: running, queued again, then the end."""
        if slow and polls < _PATIENT_COPY:
            return JobState.QUEUED
        if polls < 3:
            return (JobState.RUNNING, JobState.QUEUED)[polls - 1]
        return JobState.FAILED if fault == "fails" else JobState.DONE
