"""Rollups: figures by the hour, kept in the transaction that inserts the events.

In: what an insertion changes. Out: nothing; the tables hold the figures that `stats` reads.
Promise: an event counts once, in its own hour, however often and however late it came, and a
revision moves it from one figure to another. Events may go, by retention or erasure: the figures
stay.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import astuple
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    Table,
    Text,
    case,
    delete,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import schema
from tracker.store.change import Change, parts
from tracker.store.dialect import write
from tracker.store.document import unpacked
from tracker.store.figures import HOUR, SLOTS, Pair, Slot, Told, key, put, touched
from tracker.store.merge import Merge
from tracker.store.row import Row
from tracker.store.tally import Tally


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


figure = Table(
    "figure",
    schema.metadata,
    # By name before hour: what is asked for is a row of hours of few of the names.
    *(_key("domain"), _key("tag"), _key("name")),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    _count("count"),
    sqlite_with_rowid=False,
)

# What a tag's events are counted by beside time. `value` is a country, say.
aggregate = Table(
    "aggregate",
    schema.metadata,
    *(_key("domain"), _key("tag"), _key("dimension"), _key("value"), _key("name")),
    _count("count"),
    sqlite_with_rowid=False,
)

# No address is in it: the key is a digest. SQLite's zeros take no byte: a row has about 35.
pair_table = Table(
    "pair",
    schema.metadata,
    # Integer: of all types that SQLite knows, it alone makes the key the table's own order.
    Column(
        "key",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    *(Column(name, Integer, nullable=False) for name in SLOTS),
    Column("tags", Text, nullable=False),
    Column("tagged_delivery", Boolean, nullable=False),
)

known_tag = Table(
    "known_tag",
    schema.metadata,
    *(_key("domain"), _key("tag")),
    Column("description", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),  # microseconds, as events' times
    Column("last_seen", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


# The kinds that a tag's aggregates tell of, and what the pairs among them are called.
COUNTED_BY: Final[Mapping[str, str | None]] = {
    "accepted": None,
    "delivered": None,
    "opened": "unique_opened",
    "clicked": "unique_clicked",
    "unsubscribed": None,
    "complained": None,
}


async def count(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    """Bring the figures up to date with what was just inserted, in the same transaction."""
    # Beside the event loop, which has readers to answer meanwhile.
    keyed = await asyncio.to_thread(lambda: [(key(change.row), change) for change in changes])
    before = await pairs_of(connection, [known for known, _ in keyed if known is not None])
    batch = Batch(dict(before))
    await asyncio.to_thread(batch.take, keyed)
    for (pair_key, slot), row in batch.undone.items():
        hour = await _first_hour(connection, row, slot)
        batch.pairs[pair_key] = put(batch.pairs[pair_key], slot, hour)
    for statement, rows in await asyncio.to_thread(lambda: list(_written(batch, before))):
        await write(connection, statement, rows)


async def forget(connection: AsyncConnection, rows: Iterable[Row]) -> None:
    """Forget the pairs that events of these were about; the figures stay.

    For erasure: an event that comes in for such a pair later counts as its first.
    """
    keys = [known for row in rows if (known := key(row)) is not None]
    for part in parts(keys):
        await connection.execute(delete(pair_table).where(pair_table.c.key.in_(part)))


class Batch:
    """The changes of one insertion, taken in their order: what they make of pairs and counts."""

    def __init__(self, pairs: dict[int, Pair]) -> None:
        self.pairs = pairs
        self.domains: dict[int, str] = {}
        self.undone: dict[tuple[int, Slot], Row] = {}  # what may not have happened after all
        self.tally = Tally()

    def take(self, keyed: Iterable[tuple[int | None, Change]]) -> None:
        """Count changes, each beside the key of its pair, if it has one."""
        for pair_key, change in keyed:
            self._take(pair_key, change)

    def _take(self, pair_key: int | None, change: Change) -> None:
        row, told = change.row, Told(change.row.document)
        self.tally.count(row, told.names(), +1)
        slot = told.slot() if pair_key is not None else None
        pair = self.pairs.get(pair_key, Pair()) if pair_key is not None else Pair()
        if pair_key is not None and slot is not None:
            self.pairs[pair_key] = touched(pair, slot, row.at, row.tags)
            self.domains[pair_key] = row.domain
        if change.before is None:
            self._first_time(row, told, pair if slot else None)
            return
        was = Told(change.before)
        self.tally.count(row, was.names(), -1)
        gone = was.slot()
        if pair_key is not None and gone is not None and gone != slot:
            self.undone[pair_key, gone] = row

    def _first_time(self, row: Row, told: Told, before: Pair | None) -> None:
        self.tally.see(row)
        if told.kind not in COUNTED_BY:
            return
        unique = COUNTED_BY[told.kind]
        already = before and (before.visited if told.kind == "clicked" else before.opened)
        fresh = unique and before is not None and not already
        self.tally.aggregated(row, told, (told.kind, unique) if unique and fresh else (told.kind,))


async def pairs_of(connection: AsyncConnection, keys: Sequence[int]) -> dict[int, Pair]:
    """Return what is known of pairs, by their keys."""
    found: dict[int, Pair] = {}
    for part in parts(list(dict.fromkeys(keys))):
        there = select(pair_table).where(pair_table.c.key.in_(part))
        for row in await connection.execute(there):
            known, *hours, tags, tagged = row
            told = tuple(tags.split("\n")) if tags else ()
            slots = dict(zip(SLOTS, hours, strict=True))
            found[known] = Pair(**slots, tags=told, tagged_delivery=tagged)
    return found


async def _first_hour(connection: AsyncConnection, row: Row, slot: Slot) -> int:
    """Return the hour of a pair's first event of a kind, by the events that are in the store."""
    event = schema.event
    theirs = (
        select(event.c.at, event.c.document)
        .with_hint(event, "INDEXED BY event_by_message", "sqlite")
        .where(
            event.c.domain == row.domain,
            event.c.message_id == row.message_id,
            event.c.recipient == row.recipient,
            event.c.kind == row.kind,
        )
        .order_by(event.c.at)
    )
    for found in await connection.execute(theirs):
        if Told(unpacked(found.document)).slot() == slot:
            return max(1, int(found.at) // HOUR)
    return 0


def _written(
    batch: Batch, before: Mapping[int, Pair]
) -> Iterator[tuple[Merge, list[tuple[Any, ...]]]]:
    """Yield what a batch comes to, as rows of each table in the order of its key."""
    tally = batch.tally
    changed = [one for one in batch.pairs.items() if one[1] != before.get(one[0], Pair())]
    for known, pair in changed:
        if known in before:
            tally.share(batch.domains[known], before[known], -1)
        tally.share(batch.domains[known], pair, +1)
    yield ADD_FIGURE, sorted((*of, by) for of, by in tally.figures().items() if by)
    yield ADD_AGGREGATE, sorted((*of, by) for of, by in tally.aggregates().items())
    yield SEE_TAG, sorted((*of, "", *times) for of, times in tally.seen().items())
    yield PUT_PAIR, sorted((known, *_values(pair)) for known, pair in changed)


def _values(pair: Pair) -> tuple[Any, ...]:
    *hours, tags, tagged_delivery = astuple(pair)
    return (*hours, "\n".join(tags), tagged_delivery)


def _adding(table: Table) -> Merge:
    return Merge(table, lambda added: {"count": table.c["count"] + added["count"]})


ADD_FIGURE: Final = _adding(figure)
ADD_AGGREGATE: Final = _adding(aggregate)
PUT_PAIR: Final = Merge(
    pair_table, lambda put: {name: put[name] for name in (*SLOTS, "tags", "tagged_delivery")}
)
SEE_TAG: Final = Merge(
    known_tag,
    lambda seen: {
        "first_seen": case(
            (seen.first_seen < known_tag.c.first_seen, seen.first_seen),
            else_=known_tag.c.first_seen,
        ),
        "last_seen": case(
            (seen.last_seen > known_tag.c.last_seen, seen.last_seen),
            else_=known_tag.c.last_seen,
        ),
    },
)
