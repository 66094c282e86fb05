"""Webhooks: who hears of what, what is due, and the keys that it is signed under."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables, empty."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "webhook",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("batch", sa.Integer, nullable=False),
        sa.Column("revisions", sa.Boolean, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("trouble", sa.Text, nullable=False),
        sa.UniqueConstraint("domain", "kind", "url"),
        sqlite_autoincrement=True,
    )
    feed = op.create_table(
        "webhook_feed",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("forgotten", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(feed, [{"only": 1, "position": 0, "forgotten": 0}])
    op.create_table(
        "webhook_delivery",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("webhook", sa.BigInteger, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due", sa.BigInteger),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("took", sa.Integer, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("tried_at", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index("webhook_delivery_by_due", "webhook_delivery", ["webhook", "due", "created_at"])
    op.create_index("webhook_delivery_by_event", "webhook_delivery", ["domain", "at", "event"])
    op.create_table(
        "webhook_key",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("signs_from", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger),
        sa.Column("shown_at", sa.BigInteger),
    )
    op.create_index("webhook_key_by_domain", "webhook_key", ["domain"])
