"""Nearness: what comes together lies together in indices and keys; uniques stand beside counts."""

import logging
import time
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

HALF_DAY = 43_200_000_000  # microseconds
SLOTS = ("delivered", "read", "fetched", "clicked", "followed", "unsubscribed", "complained")
MARK = b"\xff" * 6  # before a digest whose message id nobody knows any more
AT_ONCE = 10_000
SAY_EVERY = 10.0  # seconds: ten million pairs take minutes

logger = logging.getLogger("tracker.store.migrations")


def upgrade() -> None:
    """Make two indices of events anew, and carry pairs and aggregates over to new tables.

    A large store takes a while: SQLite sorts all of its events twice.
    """
    if op.get_bind().dialect.name == "sqlite":
        indices = {"event_by_recipient": "recipient", "event_by_message": "message_id"}
        for number, (index, column) in enumerate(indices.items(), 1):
            _say(f"sorting events for index {number} of {len(indices)}")
            op.drop_index(index, "event")
            period = sa.text(f"at / {HALF_DAY}")
            op.create_index(index, "event", [period, "domain", column, "at", "id"])
    _pairs()
    _aggregates()


def _pairs() -> None:
    op.rename_table("pair", "pair_0005")
    pair = op.create_table(
        "pair",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in SLOTS),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("tagged_delivery", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    earlier = sa.Table("pair_0005", sa.MetaData(), autoload_with=connection)
    total = connection.scalar(sa.select(sa.func.count()).select_from(earlier))
    found = sa.select(earlier).order_by(earlier.c.key).limit(AT_ONCE)
    rows = connection.execute(found).all()
    carried, said_at = 0, 0.0
    while rows:
        if time.monotonic() - said_at > SAY_EVERY:
            _say(f"carrying over pair {carried} of {total}")
            said_at = time.monotonic()
        connection.execute(sa.insert(pair), [_carried(row._mapping) for row in rows])
        carried += len(rows)
        rows = connection.execute(found.where(earlier.c.key > rows[-1].key)).all()
    op.drop_table("pair_0005")


def _carried(row: Any) -> dict[str, Any]:
    return dict(row) | {"key": MARK + row["key"].to_bytes(8, signed=True)}


def _say(doing: str) -> None:
    logger.info("store_migrating", extra={"revision": revision, "doing": doing})


def _aggregates() -> None:
    op.rename_table("aggregate", "aggregate_0005")
    op.create_table(
        "aggregate",
        *(
            sa.Column(name, sa.Text, primary_key=True)
            for name in ("domain", "tag", "dimension", "value", "kind")
        ),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("uniques", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO aggregate SELECT domain, tag, dimension, value, name, count, coalesce(("
        " SELECT u.count FROM aggregate_0005 u WHERE u.domain = a.domain AND u.tag = a.tag"
        " AND u.dimension = a.dimension AND u.value = a.value AND u.name = 'unique_' || a.name"
        "), 0) FROM aggregate_0005 a WHERE name NOT IN ('unique_opened', 'unique_clicked')"
    )
    op.drop_table("aggregate_0005")
