"""Domains: tracking domains, sending domains, and how often either was changed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables, with nothing registered."""
    for name in ("tracking_domain", "sending_domain"):
        op.create_table(
            name,
            sa.Column("name", sa.Text, primary_key=True),
            sa.Column("document", sa.LargeBinary, nullable=False),
            sqlite_with_rowid=False,
        )
    register = op.create_table(
        "register",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(register, [{"only": 1, "revision": 0}])
