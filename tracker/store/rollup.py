"""Rollups: figures by the hour, kept in the transaction that inserts the events.

In: what an insertion changes. Out: nothing; the tables hold the figures that `stats` reads.
Promise: an event counts once, in its own hour, however often and however late it came, and a
revision moves it from one figure to another. Events may go, by retention or erasure: the figures
stay.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Integer, Table, Text, case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import schema, sqlite
from tracker.store.change import Change
from tracker.store.dialect import write
from tracker.store.document import unpacked
from tracker.store.figures import COUNTED_BY, Counted, Told
from tracker.store.merge import Merge
from tracker.store.pair import HOUR, UNTOUCHED, Pair, Slot, put, touched
from tracker.store.pairs import keep, pairs_of
from tracker.store.period import Present
from tracker.store.row import LATEST, Row
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

# What a tag's events are counted by beside time. `value` is a country, say; the uniques among its
# events stand beside them, since each that is one is counted as the other, too.
aggregate = Table(
    "aggregate",
    schema.metadata,
    *(_key("domain"), _key("tag"), _key("dimension"), _key("value"), _key("kind")),
    *(_count("events"), _count("uniques")),
    sqlite_with_rowid=False,
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


# The kinds whose pairs are counted among their events.
UNIQUE: Final = ("opened", "clicked")


async def count(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    """Bring the figures up to date with what was just inserted, in the same transaction."""
    keys = [change.counted.pair for change in changes]
    before = await pairs_of(connection, [known for known in keys if known is not None])
    batch = Batch(dict(before))
    # Beside the event loop, which has readers to answer meanwhile.
    await asyncio.to_thread(batch.take, changes)
    for (pair_key, slot), row in batch.undone.items():
        hour = await _first_hour(connection, row, slot)
        batch.pairs[pair_key] = put(batch.pairs[pair_key], slot, hour)
    changed = {
        known: pair for known, pair in batch.pairs.items() if pair != before.get(known, UNTOUCHED)
    }
    for statement, rows in await asyncio.to_thread(batch.written, before, changed):
        await write(connection, statement, rows)
    await keep(connection, changed, before)


class Batch:
    """The changes of one insertion, taken in their order: what they make of pairs and counts."""

    def __init__(self, pairs: dict[bytes, Pair]) -> None:
        self.pairs = pairs
        self.domains: dict[bytes, str] = {}
        self.undone: dict[tuple[bytes, Slot], Row] = {}  # what may not have happened after all
        self.tally = Tally()

    def take(self, changes: Iterable[Change]) -> None:
        """Count changes."""
        for change in changes:
            self._take(change)

    def written(
        self, before: Mapping[bytes, Pair], changed: Mapping[bytes, Pair]
    ) -> list[tuple[Merge, list[tuple[Any, ...]]]]:
        """Return what it comes to, as rows of each table in the order of its key."""
        tally = self.tally
        for known, pair in changed.items():
            if known in before:
                tally.share(self.domains[known], before[known], -1)
            tally.share(self.domains[known], pair, +1)
        return [
            (ADD_FIGURE, sorted((*of, by) for of, by in tally.figures().items() if by)),
            (ADD_AGGREGATE, sorted((*of, *by) for of, by in tally.aggregates().items())),
            (SEE_TAG, sorted((*of, "", *times) for of, times in tally.seen().items())),
        ]

    def _take(self, change: Change) -> None:
        row, counted = change.row, change.counted
        self.tally.count(row, counted.names, +1)
        known, slot = counted.pair, counted.slot
        pair = UNTOUCHED
        if known is not None and slot is not None:
            pair = self.pairs.get(known, pair)
            self.pairs[known] = touched(pair, slot, row.at // HOUR, row.tags)
            self.domains[known] = row.domain
        if change.before is None:
            self._first_time(row, counted, pair)
            return
        was = Told(change.before)
        self.tally.count(row, was.names(), -1)
        gone = was.slot()
        if known is not None and gone is not None and gone != slot:
            self.undone[known, gone] = row

    def _first_time(self, row: Row, counted: Counted, before: Pair) -> None:
        if not row.tags:
            return
        self.tally.see(row)
        if counted.kind in COUNTED_BY:
            already = before.visited if counted.kind == "clicked" else before.opened
            unique = counted.kind in UNIQUE and counted.slot is not None and not already
            self.tally.aggregated(row, counted.values, counted.kind, unique=unique)


async def _first_hour(connection: AsyncConnection, row: Row, slot: Slot) -> int:
    """Return the hour of a pair's first event of a kind, by the events that are in the store."""
    event = schema.event
    theirs = (
        select(event.c.at, event.c.document)
        .with_hint(event, sqlite.along(event, "event_by_message"), "sqlite")
        .where(
            Present(event.c.at, 0, LATEST),
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


def _adding(table: Table, *counts: str) -> Merge:
    return Merge(table, lambda added: {name: table.c[name] + added[name] for name in counts})


ADD_FIGURE: Final = _adding(figure, "count")
ADD_AGGREGATE: Final = _adding(aggregate, "events", "uniques")
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
