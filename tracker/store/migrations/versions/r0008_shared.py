"""What machines share: the keyring, the machines themselves, and suppressions in order."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the tables, empty, and number the suppressions that there are with 0."""
    keyring = op.create_table(
        "keyring",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(keyring, [{"only": 1, "revision": 0}])
    op.create_table(
        "signing_key",
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Integer, nullable=False, unique=True),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("master", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("retired", sa.Text, nullable=False),
        sa.Column("waits", sa.Boolean, nullable=False),
    )
    op.create_table(
        "machine",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holds", sa.Text, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    op.add_column(
        "suppression", sa.Column("change", sa.BigInteger, nullable=False, server_default="0")
    )
    op.create_index("suppression_by_change", "suppression", ["change", "domain", "address", "tag"])
    changes = op.create_table(
        "suppression_change",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(changes, [{"only": 1, "last": 0}])
