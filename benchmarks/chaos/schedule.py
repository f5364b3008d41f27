"""One seeded schedule: clients that submit and reconcile, killed at chosen and at random moments.

Clients are forked processes that die by SIGKILL. The seed decides faults, kill points and the
order of clients; only where a kill "at a random time" lands depends on the machine.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import make_url

from backends.base import BackendError
from backends.vendor import JobState
from benchmarks.books import MARKED, files_problems
from benchmarks.chaos.world import World
from benchmarks.vendor_process import Billed
from qhw.jobs.budget import Budget
from qhw.jobs.config import Caps
from qhw.jobs.desk import attempts_of
from qhw.jobs.errors import BudgetError
from qhw.jobs.intent import RunRequest, plan_jobs
from qhw.jobs.ledger import Ledger
from qhw.jobs.predictions import predictions_of
from qhw.jobs.queries import costs_of, jobs_of, raw_payload, row_counts, unfinished
from qhw.jobs.records import AttemptRecord, JobRecord
from qhw.jobs.states import Attempt
from qhw.jobs.work import reconcile, request_cancel, submit_run

_FORK = multiprocessing.get_context("fork")
_SHOTS = 20
_RUNS = ("run-a", "run-b", "run-c")
_ROOM = 10
"""Times the price of a run that fits below the cap where it is not tight."""
_MOST_ROUNDS = 400
_REFUSED_EXIT = 3
_REACHED_EXIT = 4


@dataclass
class Report:
    """What a schedule came to.

    Attributes:
        seed: of the schedule.
        intended: jobs written down.
        accepted: jobs the vendor accepted.
        billed: of those, billed.
        known: accepted jobs that the ledger knows.
        copies: accepted more than once for one key, by the vendor's doing.
        killed: clients killed.
        refused_by_budget: submissions refused.
        ended_by_hand: jobs that came to no end before they were cancelled.
        problems: everything that should not be; empty when all is well.
    """

    seed: int
    intended: int = 0
    accepted: int = 0
    billed: int = 0
    known: int = 0
    copies: int = 0
    killed: int = 0
    refused_by_budget: int = 0
    ended_by_hand: int = 0
    problems: list[str] = field(default_factory=list)


def run_schedule(world: World, ledger_url: str, seed: int, *, hostile: bool = True) -> Report:
    """Run a schedule and check it.

    Args:
        world: the vendor.
        ledger_url: an empty ledger.
        seed: of everything that is chosen.
        hostile: the vendor lies; costs that are said not to fit are then no problem.
    """
    rng = np.random.default_rng([seed, 77])
    report = Report(seed)
    Ledger.open(ledger_url).close()
    rows = int(rng.integers(1, 6))
    tight = rng.random() < 0.4
    jobs = plan_jobs(world.client(), world.submission(rows, _SHOTS))
    cap = sum(job.reserve_micro for job in jobs) * (1 if tight else _ROOM)
    world.arrange(rng)
    runs = _RUNS[: 2 if tight else int(rng.integers(1, 4))]
    kills = _Kills(rng, report)
    kills.together([_submit(world, ledger_url, name, rows, cap) for name in runs])
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.5:  # somebody starts the same submission again
            kills.together([_submit(world, ledger_url, "run-a", rows, cap)])
        world.arrange(rng)
        crowd = int(rng.integers(1, 4))
        kills.together([_reconcile(world, ledger_url)] * crowd)
    world.calm()
    with Ledger.open(ledger_url) as ledger:
        _finish(world, ledger, report)
        _check(world, ledger, report, runs, cap)
    if hostile:
        _check_files(ledger_url, world.secrets(), report)
    return report


def _submit(
    world: World, url: str, name: str, rows: int, cap: int
) -> Callable[[Callable[..., None]], None]:
    def client(observe: Callable[..., None]) -> None:
        budget = Budget(run_cap=cap, caps=Caps(per_day=cap))
        with Ledger.open(url) as ledger:
            submit_run(
                ledger,
                world.client(),
                world.submission(rows, _SHOTS),
                RunRequest(name),
                budget,
                prediction=f"{name} by {os.getpid()}".encode(),
                patience=world.patience,
                observe=observe,
            )

    return client


def _reconcile(world: World, url: str) -> Callable[[Callable[..., None]], None]:
    def client(observe: Callable[..., None]) -> None:
        with Ledger.open(url) as ledger:
            for _ in range(3):
                reconcile(
                    ledger, lambda _: world.client(), patience=world.patience, observe=observe
                )

    return client


@dataclass
class _Kills:
    """Starts clients, each with its own way to die or none."""

    rng: np.random.Generator
    report: Report

    def together(self, clients: list[Callable[[Callable[..., None]], None]]) -> None:
        """Run clients at the same time until all have ended."""
        started: list[tuple[BaseProcess, float | None]] = []
        for client in clients:
            draw = self.rng.random()
            step = int(self.rng.integers(1, 25)) if draw < 0.5 else None
            after = float(self.rng.uniform(0.0, 0.25)) if 0.5 <= draw < 0.75 else None
            process: BaseProcess = _FORK.Process(target=_client, args=(client, step))
            process.start()
            started.append((process, after))
        begin = time.monotonic()
        for process, after in sorted(started, key=lambda pair: pair[1] or 1e9):
            if after is not None:
                process.join(max(0.0, begin + after - time.monotonic()))
                if process.is_alive() and process.pid is not None:
                    os.kill(process.pid, signal.SIGKILL)
            process.join(120)
            if process.exitcode is None:
                self.report.problems.append("a client did not end in bounded time")
                process.kill()
            elif process.exitcode == _REFUSED_EXIT:
                self.report.refused_by_budget += 1
            elif process.exitcode == -signal.SIGKILL:
                self.report.killed += 1
            elif process.exitcode not in (0, _REACHED_EXIT):
                self.report.problems.append(f"a client ended with {process.exitcode}")


def _client(work: Callable[[Callable[..., None]], None], die_at: int | None) -> None:
    steps = 0

    def observe(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        work(observe)
    except BudgetError:
        os._exit(_REFUSED_EXIT)
    except BackendError:  # the vendor could not even be greeted; a person would try again
        os._exit(_REACHED_EXIT)


def _finish(world: World, ledger: Ledger, report: Report) -> None:
    """Reconcile until all is final; what does not get there must end when it is cancelled."""
    left = _reconciled(world, ledger, _MOST_ROUNDS)
    if left:
        report.ended_by_hand += len(left)
        for run in dict.fromkeys(job.run_id for job in left):
            request_cancel(ledger, run)
        left = _reconciled(world, ledger, _MOST_ROUNDS)
    # costs that were not told when their jobs ended are asked for again
    reconcile(ledger, lambda _: world.client(), patience=world.patience)
    if left:
        told = [(job.id, str(job.state), job.vendor_text[:80]) for job in left]
        report.problems.append(f"not final: {told}")


def _reconciled(world: World, ledger: Ledger, rounds: int) -> tuple[JobRecord, ...]:
    """Jobs that are still open after so many rounds."""
    for _ in range(rounds):
        with ledger.read() as connection:
            left = tuple(unfinished(connection))
        if not left:
            return ()
        reconcile(ledger, lambda _: world.client(), patience=world.patience)
        time.sleep(0.01)
    return left


def _check(world: World, ledger: Ledger, report: Report, runs: tuple[str, ...], cap: int) -> None:
    account = {billed.vendor_id: billed for billed in world.account()}
    with ledger.read() as connection:
        jobs = [job for name in runs for job in jobs_of(connection, name)]
        copies = {job.id: attempts_of(connection, job.id) for job in jobs}
        costs = {job.id: costs_of(connection, job.id) for job in jobs}
        kept = {
            job.id: row_counts(connection, [job]).counts
            for job in jobs
            if raw_payload(connection, job.id) is not None
        }
        predicted = {name: predictions_of(connection, name) for name in runs}
    known = {a.vendor_id for group in copies.values() for a in group if a.vendor_id}
    bills = [bill for bill in account.values() if bill.micro]
    report.intended = len(jobs)
    report.accepted, report.billed = len(account), len(bills)
    report.known = len(known & set(account))
    report.copies = len(account) - len({bill.key for bill in account.values()})
    say = report.problems.append
    if lost := sorted(set(account) - known):
        say(f"the ledger does not know {lost}")
    if len({bill.key for bill in bills}) != len(bills):
        say("a key was billed twice")
    billed, charged = sum(bill.micro for bill in bills), sum(job.charge_micro for job in jobs)
    if billed > cap or charged > cap:
        say(f"cap {cap} passed: billed {billed}, charged {charged}")
    for job in jobs:
        _check_prediction(job, copies[job.id], predicted[job.run_id], say)
        ids = [a.vendor_id for a in copies[job.id] if a.state is Attempt.KEPT]
        _check_job(job, ids, account, kept, say)
        own = sum(bill.micro for bill in account.values() if bill.key == job.key)
        bases = " ".join(cost.basis for cost in costs[job.id] if cost.kind == "actual")
        if job.state.final and abs(job.charge_micro - own) > 1 and not MARKED.search(bases):
            say(f"job {job.id} is charged with {job.charge_micro}, the vendor billed {own}")


def _check_prediction(
    job: JobRecord,
    attempts: tuple[AttemptRecord, ...],
    predicted: dict[str, tuple[bytes, datetime]],
    say: Callable[[str], None],
) -> None:
    """Every job was predicted, once and before its first post, and its posts have their hashes."""
    found = predicted.get(job.role)
    if found is None or not found[0].startswith(f"{job.run_id} by ".encode()):
        say(f"job {job.id} of {job.run_id} has the prediction {found}")
        return
    # copies that were found at the vendor were posted by nobody here
    posted = [a for a in attempts if a.payload_sha256 is not None]
    if any(a.created < found[1] for a in attempts):
        say(f"job {job.id} was posted before its prediction was written down")
    if len({a.payload_sha256 for a in posted}) > 1:
        say(f"job {job.id} was posted with different contents")
    if not posted and any(a.state is Attempt.KEPT for a in attempts):
        say(f"job {job.id} was posted without a hash of its contents")


def _check_job(
    job: JobRecord,
    kept_ids: list[str | None],
    account: dict[str, Billed],
    kept: dict[int, NDArray[np.int64]],
    say: Callable[[str], None],
) -> None:
    """A job has a result exactly where its kept copy has one, and the same one."""
    if len(kept_ids) > 1:
        say(f"job {job.id} keeps {kept_ids}")
    own = [account[i] for i in kept_ids if i in account]
    strange = [i for i in kept_ids if i not in account or account[i].key != job.key]
    if strange and (job.state.has_counts or job.id in kept):
        say(f"job {job.id} has counts of another job: {strange}")
    done = [billed for billed in own if billed.state is JobState.DONE]
    if bool(done) != (job.id in kept):
        say(f"job {job.id} is {job.state}, its copy at the vendor done: {bool(done)}")
    elif done:
        truth = done[0].counts
        rows = kept[job.id].sum(axis=1) > 0
        if truth is None or not np.array_equal(truth[rows], kept[job.id][rows]):
            say(f"job {job.id} has other counts than the vendor measured")
    if job.updated - job.created > timedelta(minutes=10):
        say(f"job {job.id} took {job.updated - job.created}")


def _check_files(ledger_url: str, secrets: tuple[str, ...], report: Report) -> None:
    """The ledger's files are their owner's alone and hold nothing that opens an account."""
    name = make_url(ledger_url).database
    if not ledger_url.startswith("sqlite") or name is None:
        return
    report.problems += files_problems(Path(name).parent, secrets)
