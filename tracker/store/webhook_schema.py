"""How webhooks lie in the database: who hears of what, what is due, and the keys that sign it."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from tracker.store.schema import metadata


def _number(name: str) -> Column[Any]:
    # Integer: what SQLite numbers by itself is an INTEGER PRIMARY KEY, and no other name of it.
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column(name, kind, primary_key=True, autoincrement=True)


# One URL that hears of one kind of a domain's events.
webhook_table: Final = Table(
    "webhook",
    metadata,
    _number("id"),
    Column("domain", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("batch", Integer, nullable=False),
    Column("revisions", Boolean, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("failing_since", BigInteger),
    Column("trouble", Text, nullable=False),
    UniqueConstraint("domain", "kind", "url"),
    sqlite_autoincrement=True,
)

# How far events have been looked at, as the feed counts them; and the time of the last event whose
# delivery may have been forgotten, in microseconds.
feed_table: Final = Table(
    "webhook_feed",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("forgotten", BigInteger, nullable=False),
)

# One event for one URL, now or in the past. It names no recipient: what is posted is read from the
# event's own row, when it is. `due` is when it is to be tried, and NULL once that is over. Whoever
# takes it puts `due` off: if they die, somebody else finds it due again.
delivery_table: Final = Table(
    "webhook_delivery",
    metadata,
    _number("number"),
    Column("webhook", BigInteger, nullable=False),
    Column("domain", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due", BigInteger),
    Column("attempt", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("took", Integer, nullable=False),
    Column("said", Text, nullable=False),
    Column("tried_at", BigInteger),
    sqlite_autoincrement=True,
)
Index(
    "webhook_delivery_by_due",
    delivery_table.c.webhook,
    delivery_table.c.due,
    delivery_table.c.created_at,
)
Index(
    "webhook_delivery_by_event",
    delivery_table.c.domain,
    delivery_table.c.at,
    delivery_table.c.event,
)

# Keys that requests are signed under: those of a domain, or of all others ("").
key_table: Final = Table(
    "webhook_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("signs_from", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
    Column("shown_at", BigInteger),
)
Index("webhook_key_by_domain", key_table.c.domain)
