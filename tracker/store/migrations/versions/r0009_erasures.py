"""Erasures: digests of who was erased, so that nothing of before comes in later."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the tables, empty: who was erased before is nowhere told."""
    op.create_table(
        "erasure",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("erasure_by_at", "erasure", ["at"])
    op.create_table(
        "erasure_key",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )
