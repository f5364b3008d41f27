"""Which database a ledger's URL names, and how it is told without its secrets."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from backends.places import PlaceError, absolute
from qhw.jobs.errors import LedgerError

_FORM = "The ledger's URL must be such as sqlite:////path/ledger.db or postgresql://user@host/name"
_TOLD = ("host", "port", "user", "dbname", "service", "sslmode", "target_session_attrs")
"""Parameters of a connection that hold no secret; all others are hidden."""
_HIDDEN = "***"


def parse_url(text: str) -> sa.URL:
    """The database of a URL; an SQLite file by its absolute path.

    Raises:
        LedgerError: no URL, another kind of database, a relative path.
    """
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):  # the parser's own message may quote a password
        raise LedgerError(f"{_FORM}, but it cannot be read") from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    kind = url.drivername.partition("+")[0]
    if kind not in ("sqlite", "postgresql"):
        raise LedgerError(f"{_FORM}, but its kind is {kind[:20]!r}")
    if kind == "sqlite":
        return _file_url(url, plain="?" not in text)
    return url


def shown(url: sa.URL) -> str:
    """The URL for people: no password, wherever in it one may stand."""
    query = {name: value if name in _TOLD else _HIDDEN for name, value in url.query.items()}
    told = url.set(query=query).render_as_string(hide_password=True)
    return told.replace("%2A%2A%2A", _HIDDEN)


def without_secrets(text: str, url: sa.URL) -> str:
    """What a driver says, without the URL's secrets."""
    values = [value for name, value in url.query.items() if name not in _TOLD]
    flat = [v for value in values for v in ((value,) if isinstance(value, str) else value)]
    for secret in filter(None, (url.password, *flat)):
        text = text.replace(str(secret), _HIDDEN)
    return re.sub(r"(?i)\b((?:ssl)?password)\s*=\s*\S+", rf"\1={_HIDDEN}", text)


def _file_url(url: sa.URL, *, plain: bool) -> sa.URL:
    if not url.database or url.database == ":memory:":
        raise LedgerError(f"{_FORM}, but a ledger must be a file")
    if url.host or not plain:
        raise LedgerError(f"{_FORM}, but it holds more than a path (write ? as %3F)")
    try:
        path: Path = absolute(url.database, "The path in the ledger's URL")
    except PlaceError as error:
        raise LedgerError(str(error)) from error
    return url.set(database=str(path))
