"""A vendor's id belongs to one job; what a vendor's answers contradict is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Forwards; ledgers are never taken back. Where older jobs share an id, the first has it."""
    op.add_column(
        "attempt", sa.Column("repeated", sa.Boolean, nullable=False, server_default=sa.false())
    )
    attempt = sa.table("attempt", *map(sa.column, ("id", "vendor_id", "repeated")))
    first = attempt.alias("first")
    same = sa.exists().where(first.c.vendor_id == attempt.c.vendor_id, first.c.id < attempt.c.id)
    op.execute(sa.update(attempt).where(same).values(repeated=sa.true()))
    op.create_index(
        "uq_attempt_vendor_id",
        "attempt",
        ["vendor_id"],
        unique=True,
        sqlite_where=sa.text("NOT repeated"),
        postgresql_where=sa.text("NOT repeated"),
    )
    op.create_table(
        "remark",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("job_id", _ID, sa.ForeignKey("job.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("written", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_remark_job", "remark", ["job_id"])
