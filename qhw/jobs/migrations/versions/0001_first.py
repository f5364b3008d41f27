"""First schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_SHA = sa.String(64)
_MOMENT = sa.BigInteger


def upgrade() -> None:
    """Forwards; ledgers are never taken back."""
    _content()
    _work()
    _outcomes()


def _content() -> None:
    op.create_table(
        "blob",
        sa.Column("sha256", _SHA, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "snapshot",
        sa.Column("sha256", _SHA, sa.ForeignKey("blob.sha256"), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("taken", _MOMENT, nullable=False),
    )
    op.create_table(
        "circuit",
        sa.Column("id", _SHA, primary_key=True),
        sa.Column("qpy_sha256", _SHA, sa.ForeignKey("blob.sha256"), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("snapshot_sha256", _SHA, sa.ForeignKey("snapshot.sha256")),
    )


def _work() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("backend", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("budget_micro", sa.BigInteger),
        sa.Column("later_micro", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_run_created", "run", ["created"])
    op.create_index("ix_run_project", "run", ["project"])
    op.create_table(
        "job",
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
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("vendor_text", sa.Text, nullable=False),
        sa.Column("queue_position", sa.Integer),
        sa.Column("uncertain_since", _MOMENT),
        sa.Column("not_before", _MOMENT),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("estimate_micro", sa.BigInteger, nullable=False),
        sa.Column("charge_micro", sa.BigInteger, nullable=False),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", _MOMENT),
        sa.UniqueConstraint("run_id", "role", "part", name="uq_job_part"),
    )
    for column in ("created", "state", "project"):
        op.create_index(f"ix_job_{column}", "job", [column])


def _outcomes() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("job_id", _ID, sa.ForeignKey("job.id"), nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("vendor_id", sa.Text),
        sa.Column("vendor_created", _MOMENT),
        sa.Column("vendor_text", sa.Text, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.UniqueConstraint("job_id", "vendor_id", name="uq_attempt_vendor"),
    )
    op.create_index("ix_attempt_state", "attempt", ["state", "settled"])
    op.create_table(
        "cost",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("job_id", _ID, sa.ForeignKey("job.id"), nullable=False),
        sa.Column("attempt_id", _ID, sa.ForeignKey("attempt.id"), unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("micro", sa.BigInteger),
        sa.Column("qpu_seconds", sa.Float),
        sa.Column("basis", sa.Text, nullable=False),
        sa.Column("written", _MOMENT, nullable=False),
    )
    op.create_index("ix_cost_job", "cost", ["job_id"])
    op.create_table(
        "result",
        sa.Column("job_id", _ID, sa.ForeignKey("job.id"), primary_key=True, autoincrement=False),
        sa.Column("counts_sha256", _SHA, sa.ForeignKey("blob.sha256"), nullable=False),
        sa.Column("raw_sha256", _SHA, sa.ForeignKey("blob.sha256"), nullable=False),
        sa.Column("row_errors", sa.Text, nullable=False),
        sa.Column("finished", _MOMENT, nullable=False),
        sa.Column("fetched", _MOMENT, nullable=False),
    )
