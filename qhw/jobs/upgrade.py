"""Bringing a ledger's schema up to this version; a newer one is refused, not guessed at."""

from __future__ import annotations

from importlib import resources

import sqlalchemy as sa
from sqlalchemy import Connection

from qhw.jobs.errors import LedgerError

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every schema revision this version knows, oldest first; a test compares it with the modules."""


def revision_of(connection: Connection) -> str | None:
    """Schema revision of a ledger, ``None`` of an empty database."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def is_current(connection: Connection) -> bool:
    """Whether nothing has to be migrated.

    Raises:
        LedgerError: written by a newer version.
    """
    found = revision_of(connection)
    if found is not None and found not in REVISIONS:
        raise LedgerError(
            f"The ledger must have a schema this version knows (up to {REVISIONS[-1]}), but has "
            f"{found}: it was written by a newer qhw; upgrade this one"
        )
    return found == REVISIONS[-1]


def upgrade(connection: Connection) -> None:
    """Migrate inside the connection's open transaction, which must exclude other processes."""
    from alembic import command  # a third of a second, needed once in a ledger's life
    from alembic.config import Config

    config = Config()
    with resources.as_file(resources.files("qhw.jobs").joinpath("migrations")) as folder:
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
