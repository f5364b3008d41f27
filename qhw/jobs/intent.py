"""From a request to intents in the ledger: priced, checked, within budget, nothing sent yet."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection

from backends.base import CircuitBatch, CompiledTemplate, CostEstimate
from backends.checks import measured_qubits
from backends.vendor import JoiningBackend, Submission, VendorBackend, is_rehearsal
from qhw.jobs import blobs
from qhw.jobs.budget import Budget, check_budget
from qhw.jobs.content import pack_template, put_template
from qhw.jobs.errors import LedgerError
from qhw.jobs.ledger import Ledger
from qhw.jobs.money import to_micro
from qhw.jobs.predictions import put_prediction
from qhw.jobs.schema import cost, job, run, template
from qhw.jobs.states import State

JOINED = " +"
"""In the role of jobs that hold more batches than the one they are named after."""
_NO_ROWS = np.zeros((0, 0))
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_KEY_LETTERS = 20  # 100 random bits; with the prefix 24 characters, short enough for any tag


_BASES = 3
"""Different ones that are told in words."""


@dataclass(frozen=True)
class RunRequest:
    """What a person asked for.

    Attributes:
        id: name of the run.
        task: of the main job.
        project: whose cap it counts against.
        settings: JSON of the settings.
        command: command line.
    """

    id: str
    task: str = "counts"
    project: str = "default"
    settings: str = "{}"
    command: str = ""


@dataclass(frozen=True)
class PlannedJob:
    """One vendor job before it is written down.

    Attributes:
        submission: what it runs.
        cost: its price.
    """

    submission: Submission
    cost: CostEstimate

    @property
    def micro(self) -> int:
        """The price in millionths of a dollar, rounded up."""
        return to_micro(self.cost.usd)

    @property
    def reserve_micro(self) -> int:
        """What it may cost at most, millionths of a dollar; budgets count this."""
        most = self.cost.most_usd
        return self.micro if most is None else max(self.micro, to_micro(most))


@dataclass(frozen=True, eq=False)
class Quote:
    """Vendor jobs, checked and priced, in the order they are sent.

    Attributes:
        jobs: mitigation included.
    """

    jobs: tuple[PlannedJob, ...]

    @property
    def micro(self) -> int:
        """Price, millionths of a dollar."""
        return sum(job.micro for job in self.jobs)

    @property
    def reserve_micro(self) -> int:
        """The most the vendor may charge, millionths of a dollar."""
        return sum(job.reserve_micro for job in self.jobs)

    @property
    def basis(self) -> str:
        """What the price is made of, in words: of each job, of many alike of one."""
        told = dict.fromkeys(job.cost.basis for job in self.jobs)
        shown = list(told)[:_BASES]
        more = len(told) - len(shown)
        return "; and ".join(shown) + (f"; and {more} more" if more else "")

    @property
    def executions(self) -> int:
        """Bound circuits."""
        return sum(len(job.submission.angles) for job in self.jobs)


def new_run_id(now: datetime | None = None) -> str:
    """``<UTC time>-<6 letters>``: sorts by time, unique without asking anybody."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(6))
    return f"{moment:%Y%m%dT%H%M%S}Z-{letters}"


def plan_jobs(backend: VendorBackend, submission: Submission) -> tuple[PlannedJob, ...]:
    """Cut a submission into vendor jobs, check each, price each; nothing is sent.

    Raises:
        BackendError: the device would refuse one of them, or its price is unknown.
    """
    parts = backend.split(submission)
    for part in parts:
        backend.validate(part)
    return tuple(PlannedJob(part, backend.estimate(part)) for part in parts)


def circuits_of(submission: Submission) -> tuple[int, ...]:
    """Equal for submissions of the very same templates on the same rows."""
    more = (part for row, template in submission.more for part in (row, id(template)))
    return (id(submission.compiled), *more)


def plan_batches(
    backend: VendorBackend, batches: Sequence[CircuitBatch]
) -> dict[str, tuple[PlannedJob, ...]]:
    """Put batches into as few vendor jobs as the device allows, check each, price each.

    Returns:
        Jobs by role, see :func:`group_batches`.

    Raises:
        BackendError: as :func:`plan_jobs`.
    """
    groups = group_batches(batches, join=isinstance(backend, JoiningBackend))
    return {
        role: plan_jobs(
            backend,
            Submission.joined([Submission(b.compiled, b.angles, b.shots) for b in members]),
        )
        for role, members in groups.items()
    }


def group_batches(
    batches: Sequence[CircuitBatch], *, join: bool
) -> dict[str, tuple[CircuitBatch, ...]]:
    """Batches that share jobs, by role: the label, or ``<first label> +<number of others>``.

    Args:
        batches: with different labels.
        join: put those together that have equal shots, parameters, qubits and measurements.
    """
    groups: dict[object, list[CircuitBatch]] = {}
    for batch in batches:
        compiled = batch.compiled
        alike = (
            batch.shots,
            compiled.parameter_names,
            compiled.physical_qubits,
            measured_qubits(compiled.circuit),
        )
        groups.setdefault(alike if join else batch.label, []).append(batch)
    return {
        members[0].label + (f"{JOINED}{len(members) - 1}" if len(members) > 1 else ""): tuple(
            members
        )
        for members in groups.values()
    }


@dataclass(frozen=True)
class Plan:
    """What a run submits at once: nothing of it is sent before all of it is written down.

    Attributes:
        jobs: by role, from :func:`plan_jobs`; rows continue from one job of a role to the next.
        templates: circuits of the model that the jobs run variants of, by role of the model.
        later_micro: reserved for the run's stages after this one.
        predictions: what a device model says that comes out, by role of the model; written down
            in the same commit as the jobs, so before any of them is sent.
    """

    jobs: Mapping[str, Sequence[PlannedJob]]
    templates: Mapping[str, CompiledTemplate] = field(default_factory=dict)
    later_micro: int = 0
    predictions: Mapping[str, bytes] = field(default_factory=dict)

    def all_jobs(self) -> list[tuple[str, int, PlannedJob]]:
        """Every job with its role and its part of it, in order."""
        return [(role, part, j) for role, jobs in self.jobs.items() for part, j in enumerate(jobs)]


def write_intents(
    ledger: Ledger,
    backend: VendorBackend,
    request: RunRequest,
    plan: Plan,
    budget: Budget,
) -> tuple[int, ...]:
    """Write a run's jobs of some roles down, within the budget, in one transaction.

    Calling it again for the same run and roles changes nothing and gives the same jobs.

    Args:
        ledger: where.
        backend: whom they will be sent to.
        request: the run; made if it is not there.
        plan: the jobs.
        budget: caps; the run's own cap is that of its first submission.

    Returns:
        Ids of the jobs, in order.

    Raises:
        BudgetError: a cap would be passed; nothing was written.
        LedgerError: the ledger cannot be written, or the run began as a rehearsal and the device
            is real, or the other way round; nothing was written.
    """
    jobs = plan.all_jobs()
    needed = {circuits_of(j.submission): j.submission for _, _, j in jobs}
    needed |= {(id(one),): Submission(one, _NO_ROWS, 0) for one in plan.templates.values()}
    packed = {
        key: (pack_template(one.compiled, one.more), one.compiled.snapshot)
        for key, one in needed.items()
    }
    angles = [blobs.pack_array(j.submission.angles) for _, _, j in jobs]
    now = datetime.now(UTC)
    rehearsal = is_rehearsal(backend)  # outside the transaction: a client may have to be made

    def work(connection: Connection) -> tuple[int, ...]:
        run_cap = _open_run(connection, request, backend.name, budget, now, rehearsal=rehearsal)
        there = _job_ids(connection, request.id, list(plan.jobs))
        if there:
            return there
        # first, so that the check sees what stays reserved for later and not what was
        later = {"later_micro": plan.later_micro}
        connection.execute(sa.update(run).where(run.c.id == request.id).values(**later))
        check_budget(
            connection,
            run_id=request.id,
            project=request.project,
            adds=sum(planned.reserve_micro for _, _, planned in jobs),
            budget=Budget(run_cap, budget.caps),
            now=now,
            rehearsal=rehearsal,
        )
        kept = {name: put_template(connection, *both) for name, both in packed.items()}
        for role, one in plan.templates.items():
            origin = {"run_id": request.id, "role": role, "circuit_id": kept[(id(one),)]}
            connection.execute(template.insert().values(**origin))
        for role, told in plan.predictions.items():
            put_prediction(connection, request.id, role, told, now)
        for place, (role, part, planned) in enumerate(jobs):
            row = _job_row(request, backend.name, role, part, planned, now)
            row["rehearsal"] = rehearsal
            # jobs keep their order in lists sorted by time
            row["created"] = now + timedelta(microseconds=place)
            row["circuit_id"] = kept[circuits_of(planned.submission)]
            row["angles_sha256"] = blobs.put(connection, angles[place])
            inserted = connection.execute(job.insert().values(**row)).inserted_primary_key
            assert inserted is not None  # one row, autoincrement key
            _put_estimate(connection, inserted[0], planned, now)
        return _job_ids(connection, request.id, list(plan.jobs))

    return ledger.write(work)


def _open_run(
    connection: Connection,
    request: RunRequest,
    backend: str,
    budget: Budget,
    now: datetime,
    *,
    rehearsal: bool,
) -> int | None:
    """The run's own cap; the run is made if missing."""
    there = connection.execute(sa.select(run).where(run.c.id == request.id)).one_or_none()
    if there is not None:
        check_same_vendor(f"Run {request.id}", there.rehearsal, rehearsal)
        cap: int | None = there.budget_micro
        return cap
    row: dict[str, Any] = {
        "id": request.id,
        "created": now,
        "task": request.task,
        "project": request.project,
        "backend": backend,
        "settings": request.settings,
        "command": request.command,
        "budget_micro": budget.run_cap,
        "later_micro": 0,
        "rehearsal": rehearsal,
    }
    connection.execute(run.insert().values(**row))
    return budget.run_cap


def check_same_vendor(what: str, began: bool, now: bool) -> None:
    """Refuse to go on with a rehearsal on a real device, or with paid work on a simulated one.

    Args:
        what: for the message, for example ``Run x``.
        began: whether it began as a rehearsal.
        now: whether the vendor now is simulated on this machine.

    Raises:
        LedgerError: the two differ.
    """
    if began == now:
        return
    words = {True: "a vendor simulated on this machine", False: "the real vendor"}
    raise LedgerError(
        f"{what} must go on with {words[began]}, where it began, but the environment now leads to "
        f"{words[now]}; nothing was sent"
    )


def _job_ids(connection: Connection, run_id: str, roles: Sequence[str]) -> tuple[int, ...]:
    found = sa.select(job.c.id).where(job.c.run_id == run_id, job.c.role.in_(roles))
    return tuple(connection.scalars(found.order_by(job.c.created, job.c.id)))


def _job_row(
    request: RunRequest, backend: str, role: str, part: int, planned: PlannedJob, now: datetime
) -> dict[str, Any]:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_KEY_LETTERS))
    return {
        "run_id": request.id,
        "role": role,
        "part": part,
        "key": f"qhw-{letters}",
        "project": request.project,
        "backend": backend,
        "rows": len(planned.submission.angles),
        "shots": planned.submission.shots,
        "created": now,
        "updated": now,
        "state": State.INTENDED,
        "vendor_text": "",
        "cancel_requested": False,
        "estimate_micro": planned.micro,
        "charge_micro": planned.reserve_micro,
        "reserve_micro": planned.reserve_micro,
    }


def _put_estimate(connection: Connection, job_id: int, planned: PlannedJob, now: datetime) -> None:
    row = {
        "job_id": job_id,
        "kind": "estimate",
        "micro": planned.micro,
        "qpu_seconds": planned.cost.qpu_seconds,
        "basis": planned.cost.basis,
        "written": now,
    }
    connection.execute(cost.insert().values(**row))
