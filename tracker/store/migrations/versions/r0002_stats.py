"""Stats: figures by the hour, a tag's aggregates, pairs of message and recipient, known tags."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SLOTS = ("delivered", "read", "fetched", "clicked", "followed", "unsubscribed", "complained")


def upgrade() -> None:
    """Create the tables, empty: figures begin with the events that come in from now on."""
    op.create_table(
        "figure",
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "aggregate",
        *(
            sa.Column(name, sa.Text, primary_key=True)
            for name in ("domain", "tag", "dimension", "value", "name")
        ),
        sa.Column("count", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pair",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        *(sa.Column(name, sa.Integer, nullable=False) for name in SLOTS),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("tagged_delivery", sa.Boolean, nullable=False),
    )
    op.create_table(
        "known_tag",
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
