"""Suppressions: who wants no more mail, of which kind, since when."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table, empty: what was unsubscribed from before is in the events."""
    op.create_table(
        "suppression",
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("suppressed", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
