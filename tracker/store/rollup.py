"""Rollups: figures by the hour, kept in the transaction that inserts the events.

In: what an insertion changes. Out: nothing; the tables hold the figures that `stats` reads.
Promise: an event counts once, in its own hour, however often and however late it came, and a
revision moves it from one figure to another. Events may go, by retention or erasure: the figures
stay.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import asdict
from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text, case, delete, select
from sqlalchemy.dialects import sqlite as dialect
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import schema
from tracker.store.change import Change, parts
from tracker.store.document import unpacked
from tracker.store.figures import HOUR, SLOTS, Pair, Slot, Told, key, put, touched
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
    keys = [key(change.row) for change in changes]
    before = await pairs_of(connection, [known for known in keys if known is not None])
    batch = Batch(dict(before))
    for change, pair_key in zip(changes, keys, strict=True):
        batch.take(change, pair_key)
    for (pair_key, slot), row in batch.undone.items():
        hour = await _first_hour(connection, row, slot)
        batch.pairs[pair_key] = put(batch.pairs[pair_key], slot, hour)
    changed = {
        known: pair for known, pair in batch.pairs.items() if pair != before.get(known, Pair())
    }
    for known, pair in changed.items():
        if known in before:
            batch.tally.share(batch.domains[known], before[known], -1)
        batch.tally.share(batch.domains[known], pair, +1)
    await _write(connection, batch.tally, changed)


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

    def take(self, change: Change, pair_key: int | None) -> None:
        """Count a change; `pair_key` is that of its pair, if it has one."""
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


async def _write(connection: AsyncConnection, tally: Tally, pairs: Mapping[int, Pair]) -> None:
    figures = [
        {"domain": domain, "tag": tag, "hour": hour, "name": name, "count": by}
        for (domain, tag, hour, name), by in sorted(tally.figures().items())
        if by
    ]
    aggregates = [
        {"domain": domain, "tag": tag, "dimension": of, "value": value, "name": name, "count": by}
        for (domain, tag, of, value, name), by in sorted(tally.aggregates().items())
    ]
    tags = [
        {"domain": domain, "tag": tag, "description": "", "first_seen": since, "last_seen": until}
        for (domain, tag), (since, until) in sorted(tally.seen.items())
    ]
    written = [_values(known, pair) for known, pair in sorted(pairs.items())]
    for statement, values in (
        (ADD_FIGURE, figures),
        (ADD_AGGREGATE, aggregates),
        (SEE_TAG, tags),
        (PUT_PAIR, written),
    ):
        if values:
            await connection.execute(statement, values)


def _values(known: int, pair: Pair) -> dict[str, Any]:
    return asdict(pair) | {"key": known, "tags": "\n".join(pair.tags)}


def _adding(table: Table) -> Insert:
    into = dialect.insert(table)
    total = table.c["count"] + into.excluded["count"]
    return into.on_conflict_do_update(
        index_elements=table.primary_key.columns, set_={"count": total}
    )


ADD_FIGURE: Final = _adding(figure)
ADD_AGGREGATE: Final = _adding(aggregate)
_pair = dialect.insert(pair_table)
PUT_PAIR: Final = _pair.on_conflict_do_update(
    index_elements=[pair_table.c.key],
    set_={name: _pair.excluded[name] for name in (*SLOTS, "tags", "tagged_delivery")},
)
_tag = dialect.insert(known_tag)
SEE_TAG: Final = _tag.on_conflict_do_update(
    index_elements=known_tag.primary_key.columns,
    set_={
        "first_seen": case(
            (_tag.excluded.first_seen < known_tag.c.first_seen, _tag.excluded.first_seen),
            else_=known_tag.c.first_seen,
        ),
        "last_seen": case(
            (_tag.excluded.last_seen > known_tag.c.last_seen, _tag.excluded.last_seen),
            else_=known_tag.c.last_seen,
        ),
    },
)
