"""Jobs of the ledger for JSON and for people; loads nothing heavy, so a listing is quick."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from qhw.jobs.money import show_money
from qhw.jobs.records import JobRecord
from qhw.jobs.words import states_line as states_line


def job_document(job: JobRecord, charged: int | None) -> dict[str, Any]:
    """A job for JSON; dollars (in a rehearsal those it would have cost), ISO moments.

    Args:
        job: of the ledger.
        charged: of :func:`qhw.jobs.queries.charged_micro`; until it is known, what is reserved is
            told in its place.
    """
    return {
        "job": job.id,
        "run": job.run_id,
        "role": job.role,
        "part": job.part,
        "backend": job.backend,
        "rehearsal": job.rehearsal,
        "key": job.key,
        "rows": job.rows,
        "shots": job.shots,
        "state": str(job.state),
        "vendor": job.vendor_text,
        "queue_position": job.queue_position,
        "created": job.created.isoformat(),
        "updated": job.updated.isoformat(),
        "estimate_usd": job.estimate_micro / 1e6,
        "most_usd": job.reserve_micro / 1e6,
        "reserved_usd": job.charge_micro / 1e6 if charged is None else None,
        "charged_usd": None if charged is None else charged / 1e6,
    }


def charge_line(job: JobRecord, charged: int | None) -> str:
    """``0.48 usd`` that was charged, or ``up to 0.90 usd`` that is reserved until that is known.

    Args:
        job: of the ledger.
        charged: of :func:`qhw.jobs.queries.charged_micro`.
    """
    known = "up to " if charged is None else ""
    return f"{'rehearsal: ' if job.rehearsal else ''}{known}{show_money(job.charge_micro)}"


def open_lines(jobs: tuple[JobRecord, ...], told: Collection[int] = ()) -> list[str]:
    """What is known of jobs whose cancellation is asked for and not done.

    Args:
        jobs: of the ledger.
        told: those of which the vendor's words are told elsewhere.
    """
    lines = []
    for job in jobs:
        if job.cancel_requested and not job.state.final:
            said = f" ({job.vendor_text})" if job.vendor_text and job.id not in told else ""
            lines.append(
                f"job {job.id} is {job.state}{said}, {charge_line(job, None)}; its cancellation is "
                "written down and carried out at the next contact with the vendor: "
                "`qhw jobs reconcile`"
            )
    return lines
