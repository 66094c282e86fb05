"""The audit log: every change that a person or a program made, in the order they were made.

Promise: entries are only ever added. None holds a secret; whoever adds one sees to that.
"""

import time
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Column, Integer, Table, Text, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import schema
from tracker.store.database import Store

MOST: Final = 1_000

audit_table = Table(
    "audit",
    schema.metadata,
    # Integer: what SQLite numbers by itself is an INTEGER PRIMARY KEY, and no other name of it.
    Column(
        "number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("at", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    sqlite_autoincrement=True,
)


class Entry(msgspec.Struct, frozen=True):
    """One change: `who` is a key's id or an account of the machine, `at` is in microseconds.

    `before` and `after` are what was changed, as JSON; null where there was or is nothing. The log
    numbers its entries; one that isn't in it yet has the number 0.
    """

    number: int
    at: int
    who: str
    action: str  # such as "domain.add" or "suppression.remove"
    subject: str  # what was changed, such as a domain's name
    before: msgspec.Raw
    after: msgspec.Raw


def entry(who: str, action: str, subject: str, *, before: Any = None, after: Any = None) -> Entry:
    """Write down a change of now; `before` and `after` are what msgspec can write as JSON."""
    was, is_ = (msgspec.Raw(msgspec.json.encode(value)) for value in (before, after))
    return Entry(0, time.time_ns() // 1000, who, action, subject, was, is_)


async def record(connection: AsyncConnection, change: Entry) -> None:
    """Add an entry within the transaction that makes the change: both are there, or neither."""
    values = {name: getattr(change, name) for name in ("at", "who", "action", "subject")}
    values |= {name: bytes(getattr(change, name)).decode() for name in ("before", "after")}
    await connection.execute(insert(audit_table).values(values))


class Audit:
    """The log in a store. Every method raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, change: Entry) -> None:
        """Add an entry on its own, for a change that was made elsewhere than in the store."""
        async with self._store.writing() as connection:
            await record(connection, change)

    async def newest(self, limit: int, before: int | None = None) -> list[Entry]:
        """Return the last entries, newest first; those before a number, if one is given."""
        found = select(audit_table).order_by(audit_table.c.number.desc()).limit(limit)
        if before is not None:
            found = found.where(audit_table.c.number < before)
        async with self._store.reading() as connection:
            return [_entry(row) for row in await connection.execute(found)]


def _entry(row: Any) -> Entry:
    return Entry(
        row.number,
        row.at,
        row.who,
        row.action,
        row.subject,
        msgspec.Raw(row.before.encode()),
        msgspec.Raw(row.after.encode()),
    )
