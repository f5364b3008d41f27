"""Spending caps, checked in the transaction that writes an intent down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from qhw.jobs.config import Caps
from qhw.jobs.errors import BudgetError
from qhw.jobs.money import show_money
from qhw.jobs.schema import job, run


@dataclass(frozen=True)
class Budget:
    """What a submission may cost.

    Attributes:
        run_cap: of the run, millionths of a dollar; ``None`` for no cap of its own.
        caps: of day and project.
    """

    run_cap: int | None = None
    caps: Caps = field(default_factory=Caps)


def check_budget(
    connection: Connection,
    *,
    run_id: str,
    project: str,
    adds: int,
    budget: Budget,
    now: datetime,
    rehearsal: bool,
) -> None:
    """Refuse what would pass a cap; committed, already spent and new are counted together.

    What rehearsals would cost counts against rehearsals only, and never against real money.

    A job counts on the UTC day its intent was written: with the most it may cost, and from its
    end with what it did cost.

    Args:
        connection: of a writing transaction, so that nobody else can pass the cap meanwhile.
        run_id: the run, which may have jobs already.
        project: its project.
        adds: millionths of a dollar that the submission may add at most.
        budget: the caps.
        now: UTC.
        rehearsal: whether the vendor is simulated on this machine.

    Raises:
        BudgetError: a cap would be passed, or the submission costs something and no cap exists.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    scopes = (
        ("run", budget.run_cap, job.c.run_id == run_id, run.c.id == run_id),
        ("day", budget.caps.per_day, job.c.created >= midnight, run.c.created >= midnight),
        (
            f"project {project}",
            budget.caps.of_project(project),
            job.c.project == project,
            run.c.project == project,
        ),
    )
    if adds and all(cap is None for _, cap, _, _ in scopes):
        raise BudgetError(
            f"Argument `budget` must be given (such as --budget 20usd, or caps in the "
            f"configuration) for a submission that costs {show_money(adds)}, but no cap is set"
        )
    for name, cap, of_jobs, of_runs in scopes:
        if cap is None:
            continue
        held = committed(
            connection,
            of_jobs & (job.c.rehearsal == rehearsal),
            of_runs & (run.c.rehearsal == rehearsal),
        )
        if held + adds > cap:
            raise BudgetError(
                f"Submission refused: up to {show_money(adds)} would pass the cap of the {name}, "
                f"{show_money(cap)}, of which {show_money(held)} are spent or committed; "
                "nothing was sent"
            )


def committed(
    connection: Connection, of_jobs: ColumnElement[bool], of_runs: ColumnElement[bool]
) -> int:
    """Millionths of a dollar spent and reserved by some jobs and the later stages of some runs."""
    spent = connection.scalar(sa.select(sa.func.sum(job.c.charge_micro)).where(of_jobs))
    later = connection.scalar(sa.select(sa.func.sum(run.c.later_micro)).where(of_runs))
    return int(spent or 0) + int(later or 0)


def release_later(connection: Connection, run_id: str) -> None:
    """Give back what is reserved for a run's later stages: they will never be submitted."""
    connection.execute(sa.update(run).where(run.c.id == run_id).values(later_micro=0))
