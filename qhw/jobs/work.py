"""Submitting runs, and taking up whatever is left to do in them."""

from __future__ import annotations

import getpass
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from backends.base import BackendError
from backends.vendor import Submission, VendorBackend, is_rehearsal
from qhw.jobs.budget import Budget, release_later
from qhw.jobs.config import Patience
from qhw.jobs.desk import Desk
from qhw.jobs.engine import Engine, Observe
from qhw.jobs.errors import LedgerError
from qhw.jobs.intent import Plan, RunRequest, check_same_vendor, plan_jobs, write_intents
from qhw.jobs.ledger import Ledger
from qhw.jobs.money import show_money
from qhw.jobs.queries import charged_micro, get_job, jobs_of, unfinished, unpriced
from qhw.jobs.records import JobRecord
from qhw.jobs.schema import job
from qhw.jobs.states import State

Vendors = Callable[[str], VendorBackend]
"""Maker of a backend from its registry name."""

_SHORT_WAIT_S = 15.0
"""How long a submission waits for refused posts to be tried again before it leaves them."""


@dataclass(frozen=True)
class Outcome:
    """What a round of work came to.

    Attributes:
        jobs: those that were worked on, as they stand now.
        busy: ids of jobs that another process holds.
        errors: backends that could not be reached at all, with the reason.
        problems: why jobs could not be taken further, by their ids.
    """

    jobs: tuple[JobRecord, ...] = ()
    busy: tuple[int, ...] = ()
    errors: dict[str, str] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)


def submit_run(
    ledger: Ledger,
    backend: VendorBackend,
    submission: Submission,
    request: RunRequest,
    budget: Budget,
    *,
    role: str = "circuit",
    later_micro: int = 0,
    prediction: bytes | None = None,
    patience: Patience | None = None,
    observe: Observe | None = None,
) -> Outcome:
    """Write a submission down within the budget, then send it. Returns without waiting for counts.

    Args:
        ledger: where.
        backend: to whom.
        submission: rows of angles on a compiled circuit.
        request: the run it belongs to.
        budget: caps.
        role: circuit of the model; a run has one submission a role.
        later_micro: reserved for the run's later stages, millionths of a dollar.
        prediction: what a device model says that comes out, written down before it is sent.
        patience: waits and repeats.
        observe: told of every step.

    Raises:
        BackendError: the device would refuse it, or its price is unknown; nothing was sent.
        BudgetError: it would pass a cap; nothing was written or sent.
        LedgerError: the ledger cannot be written; whatever was sent is in it as an intent.
    """
    told = {} if prediction is None else {role: prediction}
    plan = Plan({role: plan_jobs(backend, submission)}, later_micro=later_micro, predictions=told)
    return submit_plan(ledger, backend, plan, request, budget, patience=patience, observe=observe)


def submit_plan(
    ledger: Ledger,
    backend: VendorBackend,
    plan: Plan,
    request: RunRequest,
    budget: Budget,
    *,
    patience: Patience | None = None,
    observe: Observe | None = None,
) -> Outcome:
    """Write all jobs of a plan down within the budget, then send them, as :func:`submit_run` does.

    Raises:
        BudgetError: together they would pass a cap; nothing was written or sent.
        LedgerError: the ledger cannot be written; whatever was sent is in it as an intent.
    """
    ids = write_intents(ledger, backend, request, plan, budget)
    engine = _engine(ledger, backend, patience or Patience(), observe)
    done = {job_id: engine.advance(job_id) for job_id in ids}
    until = time.monotonic() + _SHORT_WAIT_S
    while waits := [
        (record.not_before - ledger.now()).total_seconds()
        for record in done.values()
        if record is not None and record.state is State.INTENDED and record.not_before is not None
    ]:
        if time.monotonic() + min(waits) > until:
            break
        time.sleep(max(0.01, min(waits)))
        for job_id, record in done.items():
            if record is not None and record.state is State.INTENDED:
                done[job_id] = engine.advance(job_id)
    return _outcome(done, problems=engine.problems)


def reconcile(
    ledger: Ledger,
    vendors: Vendors,
    *,
    run_id: str | None = None,
    patience: Patience | None = None,
    observe: Observe | None = None,
) -> Outcome:
    """Take every job that is not final as far as it will go now.

    After a crash this looks keys up at the vendor, adopts what is found, cancels extra copies,
    sends what certainly was not accepted, fetches what is finished and writes costs down. It may
    be interrupted anywhere and run by several processes at once. What goes wrong with one job is
    kept with that job, and the others go on. Vendors are asked again what finished jobs cost
    where they had not said it. A job of the real vendor is never
    looked up at a simulated one, nor the other way round: its absence there would say nothing.

    Args:
        ledger: where.
        vendors: maker of backends.
        run_id: only this run.
        patience: waits and repeats.
        observe: told of every step.
    """
    with ledger.read() as connection:
        jobs = (*unfinished(connection, run_id), *unpriced(connection, run_id, datetime.now(UTC)))
    done: dict[int, JobRecord | None] = {}
    errors: dict[str, str] = {}
    problems: dict[int, str] = {}
    for name in dict.fromkeys(record.backend for record in jobs):
        try:
            backend = vendors(name)
            rehearsal = is_rehearsal(backend)
        except BackendError as error:
            errors[name] = str(error)
            continue
        engine = _engine(ledger, backend, patience or Patience(), observe)
        for record in jobs:
            if record.backend != name or record.id in done:
                continue
            try:
                check_same_vendor(f"Job {record.id}", record.rehearsal, rehearsal)
            except LedgerError as error:
                errors[name] = str(error)
            else:
                done[record.id] = engine.advance(record.id)
        problems |= engine.problems
    return _outcome(done, errors, problems)


def watch(
    ledger: Ledger,
    vendors: Vendors,
    run_id: str,
    *,
    patience: Patience | None = None,
    timeout_s: float | None = None,
    tell: Callable[[tuple[JobRecord, ...]], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[JobRecord, ...]:
    """Reconcile a run until all its jobs are final, or until the time is up.

    Args:
        ledger: where.
        vendors: maker of backends.
        run_id: full name of the run.
        patience: waits and repeats.
        timeout_s: give up after so many seconds; the jobs go on at the vendor.
        tell: given the jobs after every round.
        sleep: waits between rounds, 1 second growing to 30.

    Returns:
        The run's jobs as they stand.

    Raises:
        BackendError: the vendor cannot be reached at all.
    """
    until = None if timeout_s is None else time.monotonic() + timeout_s
    wait = 1.0
    while True:
        outcome = reconcile(ledger, vendors, run_id=run_id, patience=patience)
        with ledger.read() as connection:
            jobs = jobs_of(connection, run_id)
            left = unfinished(connection, run_id)
        tell(jobs)
        if not left or (until is not None and time.monotonic() + wait > until):
            return jobs
        if outcome.errors:
            raise BackendError("; ".join(outcome.errors.values()))
        sleep(wait)
        wait = min(30.0, wait * 1.5)


def give_up(ledger: Ledger, job_id: int, micro: int, why: str) -> JobRecord:
    """End a job that no other way ends, and book what a person says that it cost.

    Nothing is asked of the vendor: what it still has of the job, it keeps. Of a job that is final
    already only the charge is booked, where the vendor has not said it.

    Args:
        ledger: where.
        job_id: number of the job.
        micro: what it is taken to have cost, millionths of a dollar.
        why: words of who ends it.

    Raises:
        UnknownRunError: no such job.
        LedgerError: another process works on it, or its cost is known.
    """
    desk = Desk(ledger, Patience().lease_s)
    with ledger.read() as connection:
        get_job(connection, job_id)
    record = desk.claim(job_id)
    if record is None:
        raise LedgerError(f"Job {job_id} is held by another process: try again when it is done")
    try:
        with ledger.read() as connection:
            (known,) = charged_micro(connection, [record]).values()
        if known is not None:
            raise LedgerError(
                f"Job {job_id} is {record.state}, and its charge is known: {show_money(known)}"
            )
        if not why.strip():
            raise LedgerError("Argument `why` must say why the job is given up, but is empty")
        who = f"{getpass.getuser()} on {platform.node()}"
        basis = (
            f"named by {who}, who gave the job up when it was {record.state}: {why.strip()}; up "
            f"to {show_money(record.charge_micro)} was reserved, and the vendor may have charged it"
        )
        return desk.give_up(record, micro, basis)
    finally:
        desk.release(job_id)


def request_cancel(ledger: Ledger, run_id: str) -> int:
    """Mark a run's jobs as cancelled; ``reconcile`` carries it out for those that are open.

    Nothing further is submitted for the run, also where all its jobs are final already.

    Returns:
        How many jobs were still open.
    """

    def work(connection: sa.Connection) -> int:
        chosen = sa.update(job).where(job.c.run_id == run_id)
        connection.execute(chosen.values(cancel_requested=True))
        release_later(connection, run_id)
        return sum(not record.state.final for record in unfinished(connection, run_id))

    return ledger.write(work)


def _engine(
    ledger: Ledger, backend: VendorBackend, patience: Patience, observe: Observe | None
) -> Engine:
    desk = Desk(ledger, patience.lease_s)
    return (
        Engine(desk, backend, patience)
        if observe is None
        else Engine(desk, backend, patience, observe)
    )


def _outcome(
    done: dict[int, JobRecord | None],
    errors: dict[str, str] | None = None,
    problems: dict[int, str] | None = None,
) -> Outcome:
    jobs: Iterable[JobRecord] = (record for record in done.values() if record is not None)
    busy = tuple(job_id for job_id, record in done.items() if record is None)
    return Outcome(tuple(jobs), busy, errors or {}, problems or {})
