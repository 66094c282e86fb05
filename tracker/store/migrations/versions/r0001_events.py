"""Events: the event table, the ways into it, its tags, and the count of what was ingested."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables in an empty database; in PostgreSQL, without a partition yet."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "event",
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in (
                *("kind", "recipient", "message_id", "severity", "mailing_list", "from_header"),
                *("to_header", "subject", "attachments", "recipients"),
            )
        ),
        sa.Column("size", sa.BigInteger),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (at)",
    )
    # Of partitions, a unique index must hold what they are parted by.
    op.create_index("event_by_sequence", "event", ["sequence"], unique=sqlite)
    op.create_index("event_by_kind", "event", ["domain", "kind", "at", "id"])
    op.create_index("event_by_recipient", "event", ["domain", "recipient", "at", "id"])
    op.create_index("event_by_message", "event", ["domain", "message_id", "at", "id"])
    op.create_table(
        "tag",
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (at)",
    )
    ingested = op.create_table(
        "ingested",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(ingested, [{"only": 1, "last": 0}])
