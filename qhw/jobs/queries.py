"""Questions people ask the ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from backends.base import CompiledTemplate
from backends.outcomes import Outcomes, none_seen, stacked
from qhw.jobs import blobs
from qhw.jobs.content import get_template
from qhw.jobs.errors import UnknownRunError
from qhw.jobs.records import GIVEN, CostRecord, JobRecord, RunRecord
from qhw.jobs.schema import attempt, cost, job, result, run, template
from qhw.jobs.states import OPEN, Attempt, State

PRICE_DAYS = 14
"""How long a vendor is asked what a finished job cost, where it has not said."""


@dataclass(frozen=True)
class RowCounts:
    """Counts of a run's circuit, whatever part of it is there.

    Attributes:
        counts: ``(B, 2**m)`` int64, amplitude index of the measured wires; rows without a result
            are all zero. Of wide circuits ``(B, K)``, columns ``outcomes``.
        row_errors: why each row without a result has none.
        angles: ``(B, P)`` radians, as submitted.
        shots: per row.
        compiled: circuit that ran; the first of several.
        jobs: the vendor jobs, in order of their rows.
        outcomes: that the columns of ``counts`` stand for; ``None`` for all in order.
    """

    counts: NDArray[np.int64]
    row_errors: dict[int, str]
    angles: NDArray[np.float64]
    shots: int
    compiled: CompiledTemplate
    jobs: tuple[JobRecord, ...]
    outcomes: Outcomes | None = None


def get_run(connection: Connection, run_id: str) -> RunRecord:
    """A run by its name, or by a beginning or an end of it that fits no other.

    Raises:
        UnknownRunError: none or several fit.
    """
    exact = connection.execute(sa.select(run).where(run.c.id == run_id)).one_or_none()
    if exact is not None:
        return RunRecord.of(exact)
    like = sa.or_(
        run.c.id.startswith(run_id, autoescape=True), run.c.id.endswith(run_id, autoescape=True)
    )
    found = connection.execute(sa.select(run).where(like).limit(5)).all() if run_id else []
    if len(found) != 1:
        said = f"{', '.join(row.id for row in found)} fit" if found else "none is in the ledger"
        raise UnknownRunError(f"Argument `run` must name a run, but for {run_id!r} {said}")
    return RunRecord.of(found[0])


def runs_of(connection: Connection, task: str, backend: str) -> tuple[RunRecord, ...]:
    """Every run of a task on a backend, newest first."""
    rows = sa.select(run).where(run.c.task == task, run.c.backend == backend)
    newest = rows.order_by(run.c.created.desc(), run.c.id.desc())
    return tuple(RunRecord.of(row) for row in connection.execute(newest))


def latest_runs(connection: Connection, limit: int) -> tuple[RunRecord, ...]:
    """The newest runs, newest first."""
    rows = sa.select(run).order_by(run.c.created.desc(), run.c.id.desc()).limit(limit)
    return tuple(RunRecord.of(row) for row in connection.execute(rows))


def began_as_rehearsal(connection: Connection, run_id: str) -> bool | None:
    """Whether a run went to a vendor simulated on this machine; ``None`` before it is there."""
    told: bool | None = connection.scalar(sa.select(run.c.rehearsal).where(run.c.id == run_id))
    return told


def latest_jobs(
    connection: Connection,
    *,
    limit: int = 50,
    states: Sequence[State] = (),
    skip: int = 0,
    run_id: str | None = None,
) -> tuple[JobRecord, ...]:
    """The newest jobs, newest first.

    Args:
        connection: to read with.
        limit: most.
        states: only jobs in these; all by default.
        skip: so many newer ones.
        run_id: only of this run.
    """
    rows = sa.select(job).order_by(job.c.created.desc(), job.c.id.desc()).limit(limit).offset(skip)
    if states:
        rows = rows.where(job.c.state.in_(states))
    if run_id is not None:
        rows = rows.where(job.c.run_id == run_id)
    return tuple(JobRecord.of(row) for row in connection.execute(rows))


def count_by_state(connection: Connection, run_id: str | None = None) -> dict[State, int]:
    """How many jobs, of all or of one run, are in each state."""
    rows = sa.select(job.c.state, sa.func.count()).group_by(job.c.state)
    if run_id is not None:
        rows = rows.where(job.c.run_id == run_id)
    return {State(state): int(number) for state, number in connection.execute(rows)}


def jobs_of(connection: Connection, run_id: str, role: str | None = None) -> tuple[JobRecord, ...]:
    """A run's jobs in the order they were written down."""
    rows = sa.select(job).where(job.c.run_id == run_id).order_by(job.c.created, job.c.id)
    if role is not None:
        rows = rows.where(job.c.role == role)
    return tuple(JobRecord.of(row) for row in connection.execute(rows))


def template_of(connection: Connection, run_id: str, role: str) -> CompiledTemplate | None:
    """The circuit of the model that a run's jobs are variants of, as it was submitted.

    Args:
        connection: to read with.
        run_id: full name of the run.
        role: circuit of the model.

    Returns:
        ``None`` before anything of the role is submitted.

    Raises:
        LedgerError: content is missing or damaged.
    """
    origin = sa.select(template.c.circuit_id).where(
        template.c.run_id == run_id, template.c.role == role
    )
    name = connection.scalar(origin)
    if name is None:
        jobs = jobs_of(connection, run_id, role)
        name = jobs[0].circuit_id if jobs else None
    return None if name is None else get_template(connection, name)


def variant_jobs(connection: Connection, run_id: str, role: str) -> tuple[JobRecord, ...]:
    """A run's jobs of a circuit of the model and of its variants, ``<role>/<variant>``."""
    jobs = jobs_of(connection, run_id)
    return tuple(j for j in jobs if j.role == role or j.role.startswith((f"{role}/", f"{role} ")))


def unfinished(connection: Connection, run_id: str | None = None) -> tuple[JobRecord, ...]:
    """Jobs in which something is left to do, extra copies at the vendor included; oldest first."""
    extra = sa.select(attempt.c.job_id).where(
        attempt.c.state == Attempt.EXTRA, ~attempt.c.settled, attempt.c.vendor_id.is_not(None)
    )
    rows = sa.select(job).where(sa.or_(job.c.state.in_(OPEN), job.c.id.in_(extra)))
    if run_id is not None:
        rows = rows.where(job.c.run_id == run_id)
    return tuple(JobRecord.of(row) for row in connection.execute(rows.order_by(job.c.id)))


def unpriced(connection: Connection, run_id: str | None, now: datetime) -> tuple[JobRecord, ...]:
    """Final jobs of which the vendor has not said what they cost; oldest first.

    After :data:`PRICE_DAYS` the question is not put again, and what is reserved stays counted.
    """
    asked = sa.select(cost.c.job_id).where(
        cost.c.kind == "actual",
        cost.c.micro.is_(None),
        cost.c.written > now - timedelta(days=PRICE_DAYS),
        cost.c.job_id.not_in(sa.select(cost.c.job_id).where(cost.c.kind == GIVEN)),
    )
    rows = sa.select(job).where(job.c.state.not_in(OPEN), job.c.id.in_(asked))
    if run_id is not None:
        rows = rows.where(job.c.run_id == run_id)
    return tuple(JobRecord.of(row) for row in connection.execute(rows.order_by(job.c.id)))


def get_job(connection: Connection, job_id: int) -> JobRecord:
    """A job by its number.

    Raises:
        UnknownRunError: there is none.
    """
    found = connection.execute(sa.select(job).where(job.c.id == job_id)).one_or_none()
    if found is None:
        raise UnknownRunError(
            f"Argument `job` must be the number of a job, but none is {job_id}: `qhw jobs list`"
        )
    return JobRecord.of(found)


def costs_of(connection: Connection, job_id: int) -> tuple[CostRecord, ...]:
    """A job's estimate and the actual cost of each of its copies."""
    rows = sa.select(cost).where(cost.c.job_id == job_id).order_by(cost.c.id)
    return tuple(
        CostRecord(row.kind, row.micro, row.qpu_seconds, row.basis, row.written)
        for row in connection.execute(rows)
    )


def actual_costs(costs: Sequence[CostRecord]) -> list[CostRecord]:
    """What the copies of one job did cost; what a person named who gave it up comes before."""
    given = [cost for cost in costs if cost.kind == GIVEN]
    return given[-1:] or [cost for cost in costs if cost.kind == "actual"]


def actual_micro(costs: Sequence[CostRecord]) -> int | None:
    """What one job did cost, all copies together; ``None`` where a part is not known."""
    amounts = [cost.micro for cost in actual_costs(costs)]
    if not amounts or None in amounts:
        return None
    return sum(micro for micro in amounts if micro is not None)


def charged_micro(connection: Connection, jobs: Sequence[JobRecord]) -> dict[int, int | None]:
    """What each job was charged, every copy of it together, millionths of a dollar, by id.

    ``None`` while that may change: the job is open, or the vendor has not said what a copy cost.
    Until then :attr:`JobRecord.charge_micro` is what is reserved.
    """
    ids = [record.id for record in jobs]
    # a range, not a list: databases take only so many values in one statement
    between = attempt.c.job_id.between(min(ids, default=0), max(ids, default=0))
    unknown = cost_unknown().where(between)
    waiting = set(connection.scalars(unknown))
    return {
        record.id: record.charge_micro if record.state.final and record.id not in waiting else None
        for record in jobs
    }


def cost_unknown() -> sa.Select[int]:
    """Ids of jobs of which what a copy at the vendor cost is not known, and nobody named it."""
    return (
        sa.select(attempt.c.job_id)
        .select_from(attempt.outerjoin(cost, cost.c.attempt_id == attempt.c.id))
        .where(attempt.c.vendor_id.is_not(None), cost.c.micro.is_(None))
        .where(attempt.c.job_id.not_in(sa.select(cost.c.job_id).where(cost.c.kind == GIVEN)))
    )


def raw_payload(connection: Connection, job_id: int) -> bytes | None:
    """The vendor's result, byte for byte; ``None`` where there is none."""
    sha = connection.scalar(sa.select(result.c.raw_sha256).where(result.c.job_id == job_id))
    return None if sha is None else blobs.get(connection, sha)


def row_errors_of(connection: Connection, record: JobRecord) -> dict[int, str]:
    """Why each row of a job without counts has none, by row of the job; verbatim where known."""
    told = connection.scalar(sa.select(result.c.row_errors).where(result.c.job_id == record.id))
    if told is not None:
        return {int(row): text for row, text in json.loads(told).items()}
    why = f"{record.state}: {record.vendor_text or 'no result'}"
    return dict.fromkeys(range(record.rows), why)


def failed_rows(connection: Connection, jobs: Sequence[JobRecord]) -> dict[int, dict[int, str]]:
    """Rows that failed for good, of every job by its id.

    Args:
        connection: to read with.
        jobs: a run's jobs in the order they were written down.

    Returns:
        For each job the reasons by row, counted through all jobs of the same circuit.
    """
    found: dict[int, dict[int, str]] = {}
    starts: dict[str, int] = {}
    for record in jobs:
        start = starts.get(record.role, 0)
        starts[record.role] = start + record.rows
        errors = row_errors_of(connection, record) if record.state.final else {}
        found[record.id] = {start + row: text for row, text in errors.items()}
    return found


def row_counts(connection: Connection, jobs: Sequence[JobRecord]) -> RowCounts:
    """Counts of the jobs of one role of a run, put together in order.

    Raises:
        UnknownRunError: no jobs given.
        LedgerError: content is missing or damaged.
    """
    if not jobs:
        raise UnknownRunError("Argument `jobs` must hold at least one job, but is empty")
    compiled = get_template(connection, jobs[0].circuit_id)
    parts: list[tuple[NDArray[np.int64], Outcomes | None]] = []
    errors: dict[int, str] = {}
    angles = []
    start = 0
    for record in jobs:
        angles.append(blobs.unpack_floats(blobs.get(connection, record.angles_sha256)))
        end = start + record.rows
        there = sa.select(result.c.counts_sha256).where(result.c.job_id == record.id)
        sha = connection.scalar(there)
        if sha is not None:
            parts.append(blobs.unpack_counts(blobs.get(connection, sha)))
        else:
            parts.append(none_seen(record.rows, compiled.n_measured))
        errors |= {start + row: text for row, text in row_errors_of(connection, record).items()}
        start = end
    counts, outcomes = stacked(parts)
    return RowCounts(
        counts, errors, np.concatenate(angles), jobs[0].shots, compiled, tuple(jobs), outcomes
    )
