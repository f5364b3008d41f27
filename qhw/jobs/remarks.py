"""What is remarked of jobs: what the vendor's answers contradict, what remains unproven."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from backends.vendor_text import clean_text
from qhw.jobs.records import JobRecord, RemarkRecord
from qhw.jobs.schema import remark
from qhw.jobs.states import Remark

_MOST = 50
"""Of a job; a vendor that errs with every answer must not fill the ledger."""


def add_remark(connection: Connection, job_id: int, kind: Remark, text: str) -> None:
    """Write a remark down, once."""
    plain = clean_text(text)
    known = connection.execute(
        sa.select(remark.c.kind, remark.c.text).where(remark.c.job_id == job_id)
    ).all()
    if (kind, plain) in {(row.kind, row.text) for row in known} or len(known) >= _MOST:
        return
    row = {"job_id": job_id, "kind": kind, "text": plain, "written": datetime.now(UTC)}
    connection.execute(remark.insert().values(**row))


def remarks_of(connection: Connection, job_id: int) -> tuple[RemarkRecord, ...]:
    """Remarks of a job, oldest first."""
    rows = sa.select(remark).where(remark.c.job_id == job_id).order_by(remark.c.id)
    return tuple(
        RemarkRecord(Remark(row.kind), row.text, row.written) for row in connection.execute(rows)
    )


def doubts(connection: Connection, jobs: Sequence[JobRecord]) -> tuple[str, ...]:
    """What a report must say of some jobs: contradictions of the vendor, jobs given up."""
    return tuple(
        f"job {job.id}: {found.text}"
        for job in jobs
        for found in remarks_of(connection, job.id)
        if found.kind is not Remark.UNPROVEN
    )
