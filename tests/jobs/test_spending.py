"""Money by scope against an addition by hand; a ledger opened for reading stays as it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks.chaos.local import LocalVendor
from qhw.jobs.budget import Budget
from qhw.jobs.config import Caps
from qhw.jobs.errors import LedgerError
from qhw.jobs.intent import Plan, RunRequest, plan_jobs, write_intents
from qhw.jobs.ledger import Ledger
from qhw.jobs.schema import attempt, cost, job, run
from qhw.jobs.spending import spending
from qhw.jobs.states import State
from tests.jobs.conftest import small_submission

NOW = datetime(2026, 6, 2, 12, tzinfo=UTC)
TODAY, YESTERDAY = NOW - timedelta(hours=2), NOW - timedelta(hours=13)
USD = 1_000_000


def _filled(ledger: Ledger, vendor: LocalVendor) -> None:
    """Jobs: run, project, created, state, whether its cost is known, charge, rehearsal."""
    planned = plan_jobs(vendor, small_submission(vendor, rows=1))
    write_intents(ledger, vendor, RunRequest("r-0"), Plan({"c": planned}), Budget(run_cap=10**9))
    jobs = (
        ("r-1", "a", TODAY, State.COMPLETE, True, 1 * USD, False),
        ("r-1", "a", TODAY, State.COMPLETE, False, 2 * USD, False),  # the vendor has not said
        ("r-1", "a", TODAY, State.RUNNING, True, 4 * USD, False),
        ("r-1", "a", TODAY, State.REFUSED, None, 0, False),
        ("r-2", "a", YESTERDAY, State.FAILED, True, 8 * USD, False),
        ("r-3", "b", YESTERDAY, State.INTENDED, None, 16 * USD, False),
        ("r-4", "b", TODAY, State.COMPLETE, True, 32 * USD, True),
    )

    def work(connection: sa.Connection) -> None:
        first_run = dict(connection.execute(run.select()).one()._mapping)
        first_job = dict(connection.execute(job.select()).one()._mapping)
        for table in (cost, attempt, job, run):
            connection.execute(table.delete())
        for name, (project, budget, later, created) in {
            "r-1": ("a", 10 * USD, 0, TODAY),
            "r-2": ("a", None, 0, YESTERDAY),
            "r-3": ("b", None, 64 * USD, TODAY),
            "r-4": ("b", 50 * USD, 0, TODAY),
        }.items():
            values = {"id": name, "project": project, "budget_micro": budget, "created": created}
            values |= {"later_micro": later, "rehearsal": name == "r-4"}
            connection.execute(run.insert(), first_run | values)
        for i, (name, project, created, state, known, charge, rehearsal) in enumerate(jobs, 1):
            values = {"id": i, "run_id": name, "part": i, "key": f"k{i}", "project": project}
            values |= {"created": created, "state": state, "charge_micro": charge}
            connection.execute(job.insert(), first_job | values | {"rehearsal": rehearsal})
            if known is None:
                continue
            sent = {"id": i, "job_id": i, "created": created, "state": "kept", "settled": True}
            sent |= {"vendor_id": f"v{i}", "vendor_text": "", "repeated": False}
            connection.execute(attempt.insert(), sent)
            told = {"job_id": i, "attempt_id": i, "kind": "actual", "basis": "", "written": created}
            connection.execute(cost.insert(), told | {"micro": charge if known else None})

    ledger.write(work)


def test_money_of_every_scope(ledger: Ledger, vendor: LocalVendor) -> None:
    _filled(ledger, vendor)
    caps = Caps(per_day=100 * USD, per_project=None, projects={"b": 90 * USD})
    with ledger.read() as connection:
        found = spending(connection, caps, NOW)
    told = {
        (m.scope, m.rehearsal): [
            None if part is None else part // USD for part in (m.spent, m.reserved, m.cap, m.left)
        ]
        for m in found
    }
    assert told == {
        ("today (UTC)", False): [1, 2 + 4 + 64, 100, 29],
        ("today (UTC)", True): [32, 0, 100, 68],
        ("project a", False): [1 + 8, 2 + 4, None, None],
        ("project b", False): [0, 16 + 64, 90, 10],
        ("project b", True): [32, 0, 90, 58],
        ("run r-1", False): [1, 2 + 4, 10, 3],
        ("run r-4", True): [32, 0, 50, 18],
    }


def test_an_empty_ledger_has_its_daily_cap(ledger: Ledger) -> None:
    with ledger.read() as connection:
        assert spending(connection, Caps(), NOW) == ()
        (only,) = spending(connection, Caps(per_day=5), NOW)
    assert (only.scope, only.spent, only.reserved, only.left) == ("today (UTC)", 0, 0, 5)


def test_looking_makes_migrates_and_writes_nothing(
    ledger_url: str, vendor: LocalVendor, tmp_path: Path
) -> None:
    if ledger_url.startswith("sqlite"):
        assert Ledger.look(ledger_url) is None
        assert not (tmp_path / "ledger.db").exists()
    else:
        with pytest.raises(LedgerError, match="earlier version"):
            Ledger.look(ledger_url)
    with Ledger.open(ledger_url) as made:
        _filled(made, vendor)
    looked = Ledger.look(ledger_url)
    assert looked is not None
    with looked:
        with looked.read() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(job)) == 7
        with pytest.raises(LedgerError, match="read-only"):
            looked.write(lambda connection: connection.execute(job.delete()))
    with Ledger.open(ledger_url) as made:
        made.write(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '0003'")))
    with pytest.raises(LedgerError, match="earlier version"):
        Ledger.look(ledger_url)
