"""The ledger's database: SQLite (WAL) or PostgreSQL, opened, migrated, and written in order.

Every writing transaction excludes all others from its first statement on (SQLite
``BEGIN IMMEDIATE``, PostgreSQL an advisory lock), so that a check and what depends on it are one
step, and no transaction ever has to be repeated.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from qhw.jobs import clock
from qhw.jobs.config import ledger_url
from qhw.jobs.errors import LedgerError
from qhw.jobs.interrupts import interrupts_held
from qhw.jobs.ledger_url import parse_url, shown, without_secrets
from qhw.jobs.private import keep_private
from qhw.jobs.upgrade import is_current, upgrade

T = TypeVar("T")

_BUSY_S = 60
"""How long a process waits for another's write."""
_RETRY_S = 0.02
_ONE_WRITER = sa.text("SELECT pg_advisory_xact_lock(7431287)")
"""Any number, the same in every process; the lock ends with the transaction, even by a crash."""
_TIMEOUTS = f"-c lock_timeout={_BUSY_S}s -c idle_in_transaction_session_timeout={_BUSY_S}s"
_READ_ONLY = "-c default_transaction_read_only=on"
_WRITE = "qhw_write"
_REASONS = {
    "readonly database": "it cannot be written (read-only)",
    "read-only transaction": "it cannot be written (read-only)",
    "database or disk is full": "the disk is full",
    "No space left": "the disk is full",
    "unable to open database file": "the file cannot be opened",
    "database is locked": "another process keeps it locked",
    "file is not a database": "the file is not a ledger",
}


class Ledger:
    """An open ledger; safe to share between threads, not to carry through a fork."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str | None = None) -> Ledger:
        """Open, making or migrating it where needed.

        Args:
            url: SQLAlchemy URL; by default ``QHW_LEDGER_URL`` or a file in the data folder.

        Raises:
            LedgerError: no such database kind, cannot be opened, or from a newer version.
        """
        engine = _engine(url or ledger_url())
        ledger = cls(engine)
        try:
            with ledger.read() as connection:
                current = is_current(connection)
            if not current:
                ledger.write(_migrate)
        except BaseException:
            engine.dispose()
            raise
        return ledger

    @classmethod
    def look(cls, url: str | None = None) -> Ledger | None:
        """Open for reading only: nothing is made, migrated or written; ``None`` if there is none.

        Args:
            url: as for :meth:`open`.

        Raises:
            LedgerError: as :meth:`open`, and of an earlier version.
        """
        place = parse_url(url or ledger_url())
        file = place.database if place.get_backend_name() == "sqlite" else None
        if file is not None and not Path(file).exists():
            return None
        ledger = cls(_engine(url or ledger_url(), reading=True))
        try:
            with ledger.read() as connection:
                current = is_current(connection)
        except BaseException:
            ledger.close()
            raise
        if not current:
            where = ledger.where
            ledger.close()
            raise LedgerError(
                f"Ledger {where}: of an earlier version; `qhw jobs list` brings it up to date"
            )
        return ledger

    @property
    def where(self) -> str:
        """The URL without its secrets."""
        return shown(self._engine.url)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the ledger.

        Raises:
            LedgerError: the database cannot be read.
        """
        try:
            with interrupts_held(), self._engine.connect() as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise self._error(error) from error

    def now(self) -> datetime:
        """The present moment on the ledger's clock, UTC; raises as :meth:`read`."""
        with self.read() as connection:
            return clock.now(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that excludes other writers, and commit.

        Args:
            work: given the connection; short, and never asks a vendor anything.

        Raises:
            LedgerError: the database cannot be written; nothing of ``work`` is in it.
        """
        options: dict[str, Any] = {_WRITE: True}
        try:
            with (
                interrupts_held(),
                self._engine.connect().execution_options(**options) as connection,
                connection.begin(),
            ):
                if connection.dialect.name == "postgresql":
                    connection.execute(_ONE_WRITER)
                return work(connection)
        except DBAPIError as error:
            raise self._error(error) from error

    def _error(self, error: DBAPIError) -> LedgerError:
        said = without_secrets(" ".join(str(error.orig).split()), self._engine.url)
        reason = next((plain for words, plain in _REASONS.items() if words in said), None)
        return LedgerError(f"Ledger {self.where}: {f'{reason}: {said}' if reason else said}")


def _engine(text: str, *, reading: bool = False) -> Engine:
    url = parse_url(text)
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite(url, reading=reading)
        options = f"{_TIMEOUTS} {_READ_ONLY}" if reading else _TIMEOUTS
        arguments = {"connect_timeout": 10, "options": options}
        return sa.create_engine(url, pool_pre_ping=True, connect_args=arguments)
    except ModuleNotFoundError as error:
        raise LedgerError(
            "PostgreSQL ledgers need psycopg: install qhw with the extra `postgres`"
        ) from error
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise LedgerError(f"Ledger {shown(url)}: {without_secrets(str(error), url)}") from None


def _sqlite(url: sa.URL, *, reading: bool) -> Engine:
    assert url.database is not None  # of parse_url
    if not reading:
        with contextlib.suppress(OSError):  # opening it will say why, in the same words as ever
            keep_private(Path(url.database))
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_S})
    sa.event.listen(engine, "connect", _prepare_reading if reading else _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(raw: Any, record: object) -> None:
    del record
    raw.isolation_level = None  # transactions are begun by _begin_sqlite alone
    cursor = raw.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_S * 1000}")
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")  # an intent must survive a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _prepare_reading(raw: Any, record: object) -> None:
    del record
    raw.isolation_level = None
    raw.execute(f"PRAGMA busy_timeout={_BUSY_S * 1000}")
    raw.execute("PRAGMA query_only=ON")


def _use_wal(cursor: Any) -> None:
    """Switch to WAL, which SQLite refuses at once, without waiting, while others open the file."""
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_RETRY_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _migrate(connection: Connection) -> None:
    # asked again: another process may have migrated while this one waited for its turn
    if not is_current(connection):
        upgrade(connection)
