"""Where the clock since boot has its zero, for leases that no wall clock can confuse."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards; ledgers are never taken back."""
    op.create_table(
        "clock",
        sa.Column("boot", sa.String(64), primary_key=True),
        sa.Column("zero", sa.BigInteger, nullable=False),
    )
