"""What is wrong with what a command printed, and with what the ledger came to hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.vendor import JobState
from benchmarks.books import MARKED
from benchmarks.vendor_process import Billed
from benchmarks.wire_faults.commands import Done
from qhw.jobs.desk import attempts_of
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import costs_of, jobs_of, latest_jobs, row_counts
from qhw.jobs.records import JobRecord
from qhw.jobs.states import Attempt

MOST_MB = 400.0
"""What a command may need above what it starts with; the largest of our answers are far smaller."""
_LONGEST_LINE = 4000
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that change a terminal or the order of a line; tabs and line ends are none."""


@dataclass(frozen=True)
class Books:
    """What a home's ledger holds, and its problems.

    Attributes:
        open: jobs that are not final, by state.
        problems: each in a few words.
    """

    open: tuple[str, ...]
    problems: tuple[str, ...]


def of_output(done: Done, secrets: tuple[str, ...], limit_s: float) -> list[str]:
    """What a command did that none may do."""
    problems = []
    text = (done.out + done.err).decode(errors="replace")
    if done.code < 0:
        problems.append("hang" if done.seconds >= limit_s else f"signal {-done.code}")
    elif "Traceback (most recent call last)" in text:
        last = [line for line in text.splitlines() if line.strip()][-1]
        problems.append(f"traceback {_RAW.sub('?', last)[:60]}")
    elif done.code == 1 and "job " in done.err.decode(errors="replace"):
        pass  # what could not be done is told job by job, the others went on
    elif done.code not in (0, 2):
        problems.append(f"exit {done.code}")
    elif done.code == 2 and done.err.decode(errors="replace").count("error: ") != 1:
        problems.append("not one line")
    if done.grew_mb > MOST_MB:
        problems.append(f"memory {done.grew_mb:.0f} MB")
    if _RAW.search(text):
        problems.append("raw escape")
    if any(secret in text for secret in secrets):
        problems.append("secret shown")
    if max(map(len, text.splitlines() or [""])) > _LONGEST_LINE:
        problems.append("line without bound")
    return problems


def of_books(url: str, account: tuple[Billed, ...], *, lie: bool = False) -> Books:
    """A ledger beside the vendor's own account.

    Args:
        url: of the ledger.
        account: everything the vendor has accepted, of others too.
        lie: the vendor has said that a job failed that worked.
    """
    problems: list[str] = []
    still_open: list[str] = []
    with Ledger.open(url) as ledger, ledger.read() as connection:
        runs = dict.fromkeys(job.run_id for job in latest_jobs(connection, limit=100))
        for job in (job for run in runs for job in jobs_of(connection, run)):
            accepted = [billed for billed in account if billed.key == job.key]
            copies = attempts_of(connection, job.id)
            kept = [a.vendor_id for a in copies if a.state is Attempt.KEPT]
            counts = row_counts(connection, [job]).counts
            costs = " ".join(c.basis for c in costs_of(connection, job.id) if c.kind == "actual")
            problems += _job(job, accepted, kept, counts, costs, lie=lie)
            known = {a.vendor_id for a in copies}
            if job.state.final and any(billed.vendor_id not in known for billed in accepted):
                problems.append("job lost")
            if not job.state.final:
                still_open.append(str(job.state))
    return Books(tuple(still_open), tuple(dict.fromkeys(problems)))


def _job(
    job: JobRecord,
    accepted: list[Billed],
    kept: list[str | None],
    counts: NDArray[np.int64],
    costs: str,
    *,
    lie: bool,
) -> list[str]:
    problems = []
    if len(accepted) > 1:
        problems.append(f"posted {len(accepted)} times")
    own = {billed.vendor_id: billed for billed in accepted}
    if any(name not in own for name in kept) and job.state.has_counts:
        problems.append("another job kept")
    measured = [row for row in range(len(counts)) if counts[row].sum()]
    truth = next((own[name].counts for name in kept if name in own), None)
    if measured and (
        truth is None
        or truth.shape != counts.shape
        or not np.array_equal(truth[measured], counts[measured])
    ):
        problems.append("wrong counts")
    worked = [billed for billed in accepted if billed.state is JobState.DONE]
    if job.state.final and worked and not lie and len(measured) < job.rows:
        problems.append(f"{job.state}, counts not here")
    charged, billed = job.charge_micro, sum(b.micro for b in accepted)
    if job.state.final and abs(charged - billed) > 1 and not MARKED.search(costs):
        problems.append(f"charged {charged / 1e6:g}, was {billed / 1e6:g}")
    return problems
