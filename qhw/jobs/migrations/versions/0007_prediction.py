"""What a device model predicts of a circuit, frozen before it is sent; the hash of what is sent."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SHA = sa.String(64)


def upgrade() -> None:
    """Forwards; ledgers are never taken back. Of older runs nothing was predicted or hashed."""
    op.add_column("attempt", sa.Column("payload_sha256", _SHA))
    op.create_table(
        "prediction",
        sa.Column("run_id", sa.String(64), sa.ForeignKey("run.id"), primary_key=True),
        sa.Column("role", sa.Text, primary_key=True),
        sa.Column("sha256", _SHA, sa.ForeignKey("blob.sha256"), nullable=False),
        sa.Column("written", sa.BigInteger, nullable=False),
    )
