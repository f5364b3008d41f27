"""Jobs of the ledger for JSON and for people; loads nothing heavy, so a listing is quick."""

from __future__ import annotations

from typing import Any

from qhw.jobs.records import JobRecord


def job_document(job: JobRecord) -> dict[str, Any]:
    """A job for JSON; dollars (in a rehearsal those it would have cost), ISO moments."""
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
        "charged_usd": job.charge_micro / 1e6,
    }


def states_line(jobs: tuple[JobRecord, ...]) -> str:
    """``3 complete, 1 queued (place 12)`` for people."""
    counts = {state: sum(job.state is state for job in jobs) for state in {j.state for j in jobs}}
    text = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
    places = [job.queue_position for job in jobs if job.queue_position is not None]
    open_jobs = any(not job.state.final for job in jobs)
    return f"{text} (place {min(places)} in the queue)" if places and open_jobs else text
