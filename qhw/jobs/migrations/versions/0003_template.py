"""The circuit of the model behind jobs that run variants of it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards; ledgers are never taken back. Older runs have no variants."""
    op.create_table(
        "template",
        sa.Column("run_id", sa.String(64), sa.ForeignKey("run.id"), primary_key=True),
        sa.Column("role", sa.Text, primary_key=True),
        sa.Column("circuit_id", sa.String(64), sa.ForeignKey("circuit.id"), nullable=False),
    )
