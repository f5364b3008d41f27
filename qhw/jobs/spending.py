"""What is spent and what is reserved against each cap; the database does the sums."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from qhw.jobs.config import Caps
from qhw.jobs.queries import cost_unknown
from qhw.jobs.schema import job, run
from qhw.jobs.states import OPEN


@dataclass(frozen=True)
class Spending:
    """Money of one scope, millionths of a dollar; in a rehearsal what it would be.

    Attributes:
        scope: ``today (UTC)``, ``project <name>`` or ``run <name>``.
        cap: ``None`` where there is none.
        spent: of jobs whose cost is known.
        reserved: the most that all others, and the later stages of runs, may still cost.
        rehearsal: whether the vendors were simulated on this machine.
    """

    scope: str
    cap: int | None
    spent: int
    reserved: int
    rehearsal: bool

    @property
    def left(self) -> int | None:
        """What may still be committed; ``None`` without a cap."""
        return None if self.cap is None else max(0, self.cap - self.spent - self.reserved)


def spending(
    connection: Connection, caps: Caps, now: datetime, *, runs: int = 10
) -> tuple[Spending, ...]:
    """Of today, of every project, and of the newest runs with a cap of their own.

    Counted as :func:`qhw.jobs.budget.check_budget` does; real money and rehearsals never together.

    Args:
        connection: to read with.
        caps: of the configuration.
        now: UTC.
        runs: so many at most.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found: list[Spending] = []
    by_project = _sums(
        connection,
        (job.c.project, job.c.created >= midnight),
        (run.c.project, run.c.created >= midnight),
    )
    for rehearsal in (False, True):
        parts = [m for (_, new, r), m in by_project.items() if new and r == rehearsal]
        money = _Money.all(parts)
        if money.some or (caps.per_day is not None and not rehearsal):
            found.append(money.of("today (UTC)", caps.per_day, rehearsal=rehearsal))
    for name, rehearsal in sorted({(name, r) for name, _, r in by_project}):
        parts = [m for (n, _, r), m in by_project.items() if (n, r) == (name, rehearsal)]
        money, cap = _Money.all(parts), caps.of_project(name)
        if money.some or cap is not None:
            found.append(money.of(f"project {name}", cap, rehearsal=rehearsal))
    newest = sa.select(run.c.id, run.c.budget_micro, run.c.rehearsal)
    newest = newest.where(run.c.budget_micro.is_not(None)).order_by(run.c.created.desc())
    capped = connection.execute(newest.order_by(run.c.id.desc()).limit(runs)).all()
    names = [row.id for row in capped]
    by_run = _sums(
        connection, (job.c.run_id,), (run.c.id,), job.c.run_id.in_(names), run.c.id.in_(names)
    )
    for row in capped:
        money = by_run.get((row.id, row.rehearsal), _Money())
        found.append(money.of(f"run {row.id}", row.budget_micro, rehearsal=row.rehearsal))
    return tuple(found)


@dataclass(frozen=True)
class _Money:
    spent: int = 0
    reserved: int = 0

    @classmethod
    def all(cls, parts: Iterable[_Money]) -> _Money:
        parts = tuple(parts)
        return cls(sum(p.spent for p in parts), sum(p.reserved for p in parts))

    @property
    def some(self) -> bool:
        return bool(self.spent or self.reserved)

    def of(self, scope: str, cap: int | None, *, rehearsal: bool) -> Spending:
        return Spending(scope, cap, self.spent, self.reserved, rehearsal)


def _sums(
    connection: Connection,
    job_keys: tuple[ColumnElement[Any], ...],
    run_keys: tuple[ColumnElement[Any], ...],
    of_jobs: ColumnElement[bool] | None = None,
    of_runs: ColumnElement[bool] | None = None,
) -> dict[tuple[Any, ...], _Money]:
    """Money by the keys' values and, last, whether it was a rehearsal's."""
    known = job.c.state.not_in(OPEN) & job.c.id.not_in(cost_unknown())
    keys = tuple(key.label(f"key_{i}") for i, key in enumerate(job_keys))
    jobs = sa.select(
        *keys,
        job.c.rehearsal,
        sa.func.sum(sa.case((known, job.c.charge_micro), else_=0)),
        sa.func.sum(sa.case((known, 0), else_=job.c.charge_micro)),
    ).group_by(*(sa.text(key.name) for key in keys), job.c.rehearsal)
    keys = tuple(key.label(f"key_{i}") for i, key in enumerate(run_keys))
    later = sa.select(*keys, run.c.rehearsal, sa.func.sum(run.c.later_micro)).group_by(
        *(sa.text(key.name) for key in keys), run.c.rehearsal
    )
    if of_jobs is not None and of_runs is not None:
        jobs, later = jobs.where(of_jobs), later.where(of_runs)
    found = {
        tuple(row[:-2]): _Money(int(row[-2] or 0), int(row[-1] or 0))
        for row in connection.execute(jobs)
    }
    for row in connection.execute(later):
        more = _Money(0, int(row[-1] or 0))
        found[tuple(row[:-1])] = _Money.all((found.get(tuple(row[:-1]), _Money()), more))
    return found
