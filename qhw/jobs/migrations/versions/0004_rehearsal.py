"""Whether a run and its jobs went to a vendor simulated on this machine."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards; ledgers are never taken back. Older rows did not say, and count as real money."""
    for table in ("run", "job"):
        op.add_column(
            table,
            sa.Column("rehearsal", sa.Boolean, nullable=False, server_default=sa.false()),
        )
