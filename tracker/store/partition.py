"""Partitions: PostgreSQL's tables of events and tags, one of each for every stretch of time.

In: the times of events that come in. Out: partitions that take them, made in the same transaction.
Promise: there is none that takes whatever fits nowhere else: to make the right one later,
PostgreSQL would have to lock it and read it through while nobody reads or writes. An event for
which no partition can be made isn't stored, and that is said.

A partition is a month, or a day of a busy store, so that its indices fit into memory and what is
too old goes with its file. Times far off, which a clock that jumped told, have a year for each.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sqlalchemy import func, select, text
from sqlalchemy import table as named
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store.dialect import Dropped
from tracker.store.row import SECOND

TABLES: Final = ("event", "tag")
DAY: Final = 86_400 * SECOND
AHEAD: Final = DAY  # how long before its first event a partition is made
BUSY: Final = 5_000_000  # events a day from which on a partition is a day
NEAR: Final = (-750 * DAY, 60 * DAY)  # from now: what lies beyond is years

KNOWN: Final = "spans"  # what a connection's `info` calls those that it has seen
BOUNDS: Final = re.compile(r"FROM \('(\d+)'\) TO \('(\d+)'\)")

Width = Literal["year", "month", "day"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The times of a partition in microseconds, from `low` up to, but not with, `high`."""

    low: int
    high: int

    def holds(self, at: int) -> bool:
        """Tell whether a time is in it."""
        return self.low <= at < self.high

    @property
    def name(self) -> str:
        """What it is called behind its table's name: 2026, 2026_11 or 2026_11_21."""
        begin = _date(self.low)
        width = self.high - self.low
        form = "%Y_%m_%d" if width <= DAY else "%Y_%m" if width <= 31 * DAY else "%Y"
        return begin.strftime(form)


def missing(times: Iterable[int], there: Sequence[Span], now: int, *, busy: bool) -> list[Span]:
    """Return the spans to be made for times that none holds; they overlap with none that is there.

    Times are those of events, and soon to come ones: `AHEAD` of now.
    """
    made: list[Span] = []
    for day in sorted({at // DAY * DAY for at in times}):
        if not _held(day, (*there, *made)):
            made.append(_widest(day, [*there, *made], now, busy=busy))
    return made


def _widest(at: int, taken: Sequence[Span], now: int, *, busy: bool) -> Span:
    """Return the widest span around a time that overlaps with none; a day always does."""
    near = NEAR[0] <= at - now <= NEAR[1]
    widths: tuple[Width, ...] = ("day",) if near and busy else ("month", "day")
    for width in widths if near else ("year", *widths):
        span = around(at, width)
        if not any(each.low < span.high and span.low < each.high for each in taken):
            return span
    raise AssertionError(f"{at} is in a span that is there")


def around(at: int, width: Width) -> Span:
    """Return the year, month or day (UTC) that a time is in."""
    day = _date(at)
    match width:
        case "year":
            low, high = day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)
        case "month":
            low = day.replace(day=1)
            high = (low + timedelta(days=31)).replace(day=1)
        case "day":
            low, high = day, day + timedelta(days=1)
    return Span(_microseconds(low), _microseconds(high))


def _date(at: int) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC).replace(hour=0, minute=0, second=0)


def _microseconds(day: datetime) -> int:
    return int(day.timestamp()) * SECOND


async def make_room(connection: AsyncConnection, times: Iterable[int]) -> None:
    """Make the partitions that are missing for events of these times, and for those of tomorrow.

    A connection remembers which there are; it must forget them when a transaction is rolled back.
    """
    now = time.time_ns() // 1_000
    days = {at // DAY * DAY for at in (*times, now + AHEAD)}
    if all(_held(day, connection.info.get(KNOWN, ())) for day in days):
        return
    there = await _there(connection)
    made = missing(days, list(there), now, busy=busy(there, now))
    for span in made:
        await _make(connection, span)
    connection.info[KNOWN] = (*there, *made)


async def drop_before(connection: AsyncConnection, before: int) -> Dropped:
    """Drop the partitions whose events are all before a time; they take their tags along.

    Of the partition that the time is in, events are left to be removed one by one, but not where it
    is a day's: that goes whole, when it is over.
    """
    # Whoever wants to read waits behind whoever wants to drop: it tries again in an hour.
    await connection.execute(text("SET LOCAL lock_timeout = '1s'"))
    events, left = 0, before
    for span in sorted(await _there(connection)):
        if span.high <= before:
            events += await _count(connection, span)
            names = ", ".join(f"{table}_{span.name}" for table in TABLES)
            await connection.execute(text(f"DROP TABLE {names}"))
            connection.info.pop(KNOWN, None)
        elif span.holds(before) and span.high - span.low <= DAY:
            left = span.low
    return Dropped(events, left)


def busy(there: Mapping[Span, float], now: int) -> bool:
    """Tell whether the newest of the partitions took more events a day than one for a month can."""
    begun = [span for span in there if span.low < now]
    if not begun:
        return False
    newest = max(begun)
    return there[newest] * DAY / (min(newest.high, now) - newest.low) >= BUSY


async def _there(connection: AsyncConnection) -> dict[Span, float]:
    """Return the spans that have partitions, and about how many events are in each."""
    found = await connection.execute(_PARTITIONS)
    return {Span(*map(int, BOUNDS.findall(bounds)[0])): rows for bounds, rows in found}


async def _make(connection: AsyncConnection, span: Span) -> None:
    for table in TABLES:
        # Attached, not created as a partition: that would wait until nobody reads, and have
        # everybody wait behind it. PostgreSQL takes no bound parameters here; these are numbers.
        name = f"{table}_{span.name}"
        await connection.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
        attached = f"ATTACH PARTITION {name} FOR VALUES FROM ({span.low}) TO ({span.high})"
        await connection.execute(text(f"ALTER TABLE {table} {attached}"))


async def _count(connection: AsyncConnection, span: Span) -> int:
    counted = select(func.count()).select_from(named(f"event_{span.name}"))
    return int((await connection.execute(counted)).scalar_one())


def _held(day: int, spans: Iterable[Span]) -> bool:
    return any(span.holds(day) for span in spans)


_PARTITIONS: Final = text(
    "SELECT pg_get_expr(part.relpartbound, part.oid), part.reltuples"
    " FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid"
    " WHERE inhparent = 'event'::regclass"
)
