"""What a vendor may charge for a job at most, beside its estimate."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards; ledgers are never taken back. Older jobs had reserved their estimate."""
    op.add_column(
        "job", sa.Column("reserve_micro", sa.BigInteger, nullable=False, server_default="0")
    )
    op.execute("UPDATE job SET reserve_micro = estimate_micro")
