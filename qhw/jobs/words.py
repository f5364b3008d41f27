"""How jobs stand, in a line for people."""

from __future__ import annotations

from qhw.jobs.records import JobRecord


def states_line(jobs: tuple[JobRecord, ...]) -> str:
    """``3 complete, 1 queued (place 12)`` for people."""
    counts = {state: sum(job.state is state for job in jobs) for state in {j.state for j in jobs}}
    text = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
    places = [job.queue_position for job in jobs if job.queue_position is not None]
    open_jobs = any(not job.state.final for job in jobs)
    return f"{text} (place {min(places)} in the queue)" if places and open_jobs else text
