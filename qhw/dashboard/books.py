"""What the dashboard tells of the ledger: jobs, their states, and money against each cap."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sqlalchemy import Connection

from qhw.jobs import clock
from qhw.jobs.config import Caps, ConfigError, load_config
from qhw.jobs.errors import LedgerError
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import charged_micro, count_by_state, latest_jobs
from qhw.jobs.records import JobRecord
from qhw.jobs.spending import Spending, spending
from qhw.jobs.states import OPEN, State

PAGE = 50
"""Jobs on a page."""
_REST = 10.0
"""How many times as long as the sums took they are believed."""


@dataclass(frozen=True)
class Asked:
    """Which jobs.

    Attributes:
        state: of them; ``open`` for all that are not final; ``""`` for all.
        run: that they belong to; ``""`` for all.
        page: from 1.
    """

    state: str = ""
    run: str = ""
    page: int = 1

    @property
    def states(self) -> tuple[State, ...]:
        """States asked for; none where that is no restriction."""
        if self.state == "open":
            return OPEN
        return (State(self.state),) if self.state in list(State) else ()


@dataclass(frozen=True)
class Books:
    """One look at the ledger.

    Attributes:
        problem: why it cannot be read; ``None`` where it could, or there is none yet.
        jobs: of the page, newest first.
        charged: what each was charged; ``None`` until that is known.
        totals: jobs by state, of the run asked for.
        found: jobs on all pages.
        money: spent and reserved.
    """

    problem: str | None = None
    jobs: tuple[JobRecord, ...] = ()
    charged: dict[int, int | None] | None = None
    totals: dict[State, int] | None = None
    found: int = 0
    money: tuple[Spending, ...] = ()

    @property
    def open_jobs(self) -> int:
        """How many jobs are not final."""
        return sum((self.totals or {}).get(state, 0) for state in OPEN)


class Bookkeeper:
    """Reads the ledger; opens it when there is one."""

    def __init__(self) -> None:
        self._ledger: Ledger | None = None
        self._money: tuple[float, tuple[Spending, ...]] = (0.0, ())
        self._lock = threading.Lock()

    def look(self, asked: Asked) -> Books:
        """Jobs and money now."""
        try:
            ledger = self._opened()
            if ledger is None:
                return Books()
            caps = load_config().caps
            with ledger.read() as connection:
                totals = count_by_state(connection, asked.run or None)
                chosen = asked.states
                jobs = latest_jobs(
                    connection,
                    limit=PAGE,
                    states=chosen,
                    skip=PAGE * (asked.page - 1),
                    run_id=asked.run or None,
                )
                charged = charged_micro(connection, jobs)
                money = self._summed(connection, caps)
        except (LedgerError, ConfigError, ValueError) as error:
            return Books(problem=" ".join(str(error).split()))
        found = sum(number for state, number in totals.items() if not chosen or state in chosen)
        return Books(None, jobs, charged, totals, found, money)

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            if self._ledger is not None:
                self._ledger.close()
                self._ledger = None

    def _summed(self, connection: Connection, caps: Caps) -> tuple[Spending, ...]:
        """Money as it is, or was a moment ago where the sums are over very many jobs."""
        until, known = self._money
        start = time.monotonic()
        if start < until:
            return known
        found = spending(connection, caps, clock.now(connection))
        now = time.monotonic()
        self._money = now + _REST * (now - start), found
        return found

    def _opened(self) -> Ledger | None:
        with self._lock:
            if self._ledger is None:
                self._ledger = Ledger.look()
            return self._ledger
