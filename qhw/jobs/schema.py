"""The ledger's tables. A change here needs a migration; a test compares the two.

Moments are microseconds since 1970 (UTC), money is millionths of a dollar. Blobs live in the
database, not in files beside it: a result and its state are then one commit, processes on several
machines share them through PostgreSQL, and one copy of the database is the whole ledger.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(sa.types.TypeDecorator[datetime]):
    """A timezone-aware moment, stored as microseconds since 1970 UTC."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To the database."""
        del dialect
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        del dialect
        return None if value is None else _EPOCH + timedelta(microseconds=int(value))


_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_SHA = sa.String(64)
ONE_OWNER = sa.text("NOT repeated")
"""Attempts whose vendor id is theirs alone."""

metadata = sa.MetaData()

blob = sa.Table(
    "blob",
    metadata,
    sa.Column("sha256", _SHA, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

snapshot = sa.Table(
    "snapshot",
    metadata,
    sa.Column("sha256", _SHA, sa.ForeignKey("blob.sha256"), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("taken", Moment, nullable=False),
)

circuit = sa.Table(
    "circuit",
    metadata,
    sa.Column("id", _SHA, primary_key=True),
    sa.Column("qpy_sha256", _SHA, sa.ForeignKey("blob.sha256"), nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("snapshot_sha256", _SHA, sa.ForeignKey("snapshot.sha256")),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("created", Moment, nullable=False),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("backend", sa.Text, nullable=False),
    sa.Column("settings", sa.Text, nullable=False),
    sa.Column("command", sa.Text, nullable=False),
    sa.Column("budget_micro", sa.BigInteger),
    sa.Column("later_micro", sa.BigInteger, nullable=False),
    sa.Column("rehearsal", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_run_created", "created"),
    sa.Index("ix_run_project", "project"),
)

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.String(64), sa.ForeignKey("run.id"), nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("part", sa.Integer, nullable=False),
    sa.Column("key", sa.String(64), nullable=False, unique=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("backend", sa.Text, nullable=False),
    sa.Column("circuit_id", _SHA, sa.ForeignKey("circuit.id"), nullable=False),
    sa.Column("angles_sha256", _SHA, sa.ForeignKey("blob.sha256"), nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("shots", sa.Integer, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("updated", Moment, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("outcome", sa.String(16)),
    sa.Column("vendor_text", sa.Text, nullable=False),
    sa.Column("queue_position", sa.Integer),
    sa.Column("uncertain_since", Moment),
    sa.Column("not_before", Moment),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("estimate_micro", sa.BigInteger, nullable=False),
    sa.Column("charge_micro", sa.BigInteger, nullable=False),
    sa.Column("reserve_micro", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_until", Moment),
    sa.Column("rehearsal", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("run_id", "role", "part", name="uq_job_part"),
    sa.Index("ix_job_created", "created"),
    sa.Index("ix_job_state", "state"),
    sa.Index("ix_job_project", "project"),
)

template = sa.Table(
    "template",
    metadata,
    sa.Column("run_id", sa.String(64), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("circuit_id", _SHA, sa.ForeignKey("circuit.id"), nullable=False),
)

prediction = sa.Table(
    "prediction",
    metadata,
    sa.Column("run_id", sa.String(64), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("sha256", _SHA, sa.ForeignKey("blob.sha256"), nullable=False),
    sa.Column("written", Moment, nullable=False),
)

attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("job_id", _ID, sa.ForeignKey("job.id"), nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("vendor_id", sa.Text),
    sa.Column("vendor_created", Moment),
    sa.Column("vendor_text", sa.Text, nullable=False),
    sa.Column("settled", sa.Boolean, nullable=False),
    sa.Column("repeated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("payload_sha256", _SHA),
    sa.UniqueConstraint("job_id", "vendor_id", name="uq_attempt_vendor"),
    # a vendor's id belongs to one job; ledgers of schema 0004 may hold one twice, and keep it
    sa.Index(
        "uq_attempt_vendor_id",
        "vendor_id",
        unique=True,
        sqlite_where=ONE_OWNER,
        postgresql_where=ONE_OWNER,
    ),
    sa.Index("ix_attempt_state", "state", "settled"),
)

cost = sa.Table(
    "cost",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("job_id", _ID, sa.ForeignKey("job.id"), nullable=False),
    sa.Column("attempt_id", _ID, sa.ForeignKey("attempt.id"), unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("micro", sa.BigInteger),
    sa.Column("qpu_seconds", sa.Float),
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("written", Moment, nullable=False),
    sa.Index("ix_cost_job", "job_id"),
)

result = sa.Table(
    "result",
    metadata,
    sa.Column("job_id", _ID, sa.ForeignKey("job.id"), primary_key=True, autoincrement=False),
    sa.Column("counts_sha256", _SHA, sa.ForeignKey("blob.sha256"), nullable=False),
    sa.Column("raw_sha256", _SHA, sa.ForeignKey("blob.sha256"), nullable=False),
    sa.Column("row_errors", sa.Text, nullable=False),
    sa.Column("finished", Moment, nullable=False),
    sa.Column("fetched", Moment, nullable=False),
)

remark = sa.Table(
    "remark",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("job_id", _ID, sa.ForeignKey("job.id"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("written", Moment, nullable=False),
    sa.Index("ix_remark_job", "job_id"),
)

clock = sa.Table(
    "clock",
    metadata,
    sa.Column("boot", sa.String(64), primary_key=True),
    sa.Column("zero", Moment, nullable=False),
)
