"""``python -m benchmarks.chaos --vendor local --schedules 500 --seed 0``.

Prints what the vendor's books and the ledger came to; exit code 1 where they differ.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.chaos.loopback import BraketWorld, IBMWorld
from benchmarks.chaos.schedule import Report, run_schedule
from benchmarks.chaos.world import LocalWorld, World
from qhw.jobs.ledger import Ledger


class _Maker(Protocol):
    def __call__(self, folder: Path, *, hostile: bool) -> World: ...


WORLDS: dict[str, _Maker] = {
    "local": LocalWorld,
    "ibm": IBMWorld,
    "braket": BraketWorld,
}
"""Maker of each vendor's world, given an empty folder."""


def run_all(
    vendor: str,
    schedules: int,
    seed: int,
    server: str | None = None,
    *,
    hostile: bool = True,
    progress: bool = False,
) -> list[Report]:
    """Run schedules ``seed .. seed + schedules - 1``, each in its own folder and ledger.

    Args:
        vendor: one of :data:`WORLDS`.
        schedules: how many.
        seed: of the first.
        server: PostgreSQL URL of a server on which a database is made for each ledger; SQLite
            files by default.
        hostile: the vendor also lies and sends what no vendor should, and the ledger's file must
            be private and hold no secret.
        progress: shown on stderr.
    """
    numbers: Iterable[int] = range(seed, seed + schedules)
    if progress:
        console = Console(stderr=True)
        numbers = track(numbers, f"{vendor}, {schedules} schedules", console=console)
    reports = []
    with tempfile.TemporaryDirectory(prefix="qhw-chaos-") as first:
        empty = Path(first) / "ledger.db"
        Ledger.open(f"sqlite:///{empty}").close()  # migrated once, copied for each schedule
        for number in numbers:
            with tempfile.TemporaryDirectory(prefix="qhw-chaos-") as name:
                world = WORLDS[vendor](Path(name), hostile=hostile)
                try:
                    with _ledger(server, Path(name), empty) as url:
                        reports.append(run_schedule(world, url, number, hostile=hostile))
                finally:
                    world.close()
    return reports


@contextmanager
def _ledger(server: str | None, folder: Path, empty: Path) -> Iterator[str]:
    """URL of an empty ledger."""
    if server is None:
        shutil.copy(empty, folder / "ledger.db")
        yield f"sqlite:///{folder / 'ledger.db'}"
        return
    name = f"qhw_chaos_{secrets.token_hex(6)}"
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


def table_of(reports: list[Report]) -> Table:
    """The sums, and what should not be."""
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = {
        "schedules": len(reports),
        "clients killed": sum(r.killed for r in reports),
        "jobs intended": sum(r.intended for r in reports),
        "jobs accepted by the vendor": sum(r.accepted for r in reports),
        "of them known to the ledger": sum(r.known for r in reports),
        "of them copies made by the network": sum(r.copies for r in reports),
        "jobs billed": sum(r.billed for r in reports),
        "submissions refused by the budget": sum(r.refused_by_budget for r in reports),
        "schedules with a problem": sum(bool(r.problems) for r in reports),
    }
    for name, value in rows.items():
        table.add_row(name, str(value))
    return table


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--vendor", choices=sorted(WORLDS), default="local")
    parser.add_argument("--schedules", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--mild", action="store_true", help="only what any service does on a bad day, no lies"
    )
    parser.add_argument("--postgres", metavar="URL", help="server to keep the ledgers on")
    given = parser.parse_args()
    logging.getLogger("qhw").setLevel(logging.ERROR)  # thousands of planned faults
    start = time.monotonic()
    reports = run_all(
        given.vendor,
        given.schedules,
        given.seed,
        given.postgres,
        hostile=not given.mild,
        progress=sys.stderr.isatty(),
    )
    console = Console(highlight=False)
    console.print(table_of(reports))
    for report in reports:
        for problem in report.problems:
            console.print(f"seed {report.seed}: {problem}", markup=False)
    console.print(f"{time.monotonic() - start:.1f} s")
    return int(any(report.problems for report in reports))


if __name__ == "__main__":
    sys.exit(main())
