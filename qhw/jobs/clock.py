"""One clock a ledger: what a moment in it means does not depend on who reads it.

Leases and waiting times are written by one process and judged by another, whose wall clock may be
hours away or be set meanwhile. PostgreSQL has a clock of its own. An SQLite ledger is used on one
machine, whose clock since boot counts for every process and also while the machine sleeps; the
ledger holds where its zero lies on the wall clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from qhw.jobs.schema import clock

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def since_boot() -> float:
    """Seconds that have passed, those in which the machine slept included where that is known."""
    kind = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if kind is None else time.clock_gettime(kind)


def now(connection: Connection) -> datetime:
    """The present moment on the ledger's clock, UTC; comparable with others of this ledger only.

    Args:
        connection: of :meth:`~qhw.jobs.ledger.Ledger.write` or ``read``; the first write after a
            boot sets the clock.
    """
    if connection.dialect.name == "postgresql":
        # not now(): that is when the transaction began, before it waited for its turn
        moment: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)
    boot = _boot()
    if boot is None:
        return datetime.now(UTC)
    zero = connection.scalar(sa.select(clock.c.zero).where(clock.c.boot == boot))
    passed = timedelta(seconds=since_boot())
    return datetime.now(UTC) if zero is None else zero + passed


def set_clock(connection: Connection) -> None:
    """Fix the zero of this boot, if nobody has; within a writing transaction of SQLite."""
    boot = _boot()
    if boot is None or connection.dialect.name == "postgresql":
        return
    if connection.scalar(sa.select(clock.c.boot).where(clock.c.boot == boot)) is None:
        zero = datetime.now(UTC) - timedelta(seconds=since_boot())
        connection.execute(clock.insert().values(boot=boot, zero=zero))


def _boot() -> str | None:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()[:64]
    except OSError:
        return None
