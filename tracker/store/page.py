"""A page: the events of a walk, as far as they are found within the time that a page may take.

In: a connection and a walk. Out: events, and the places of those that were passed by, damaged.
Promise: a page that is short of its limit holds all that there is, or ends where the time did; an
empty one is the end of the walk. Where nothing was found in time, that is said, not passed off as
the end.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import query
from tracker.store.document import Damaged, unpacked
from tracker.store.query import Key, Walk
from tracker.store.row import SECOND

# Events that are looked at between two looks at the clock: few first, since most filters find
# enough among them, and to learn where a stretch ends costs half as much as to look through it.
# 16,000 take 20 to 50 ms.
STRETCHES: Final = (2_000, 4_000, 16_000)  # the last repeats


@dataclass(frozen=True, slots=True)
class Found:
    """An event on a page: its place, and its document."""

    key: Key
    document: bytes


class Unfinished(Exception):
    """None of the events looked at met the conditions, and there was no time for the others."""

    def __init__(self, reached: Key, within: float) -> None:
        seconds = reached.at / SECOND
        when = datetime.fromtimestamp(seconds, UTC)
        super().__init__(
            f"no event that meets the filter was found within {within:g} seconds, which led to"
            f" {when:%Y-%m-%d %H:%M:%S} UTC: add `recipient`, `message-id`, `tags` or `event` to"
            f" the filter, give a shorter time range, or go on with begin={seconds:.6f}"
        )
        self.reached = reached


@dataclass(slots=True)
class Page:
    """What was found so far."""

    events: list[Found]
    damaged: list[Key]


async def read(
    connection: AsyncConnection,
    walk: Walk,
    within: float,
    *,
    stretches: Sequence[int] = STRETCHES,
) -> Page:
    """Read the page of a walk. Raises Unfinished."""
    page, selective, ends = Page([], []), query.selective(walk), time.monotonic() + within
    for stretch in chain(stretches, repeat(stretches[-1])):
        stop = await _milestone(connection, walk, stretch) if selective else None
        missing = walk.limit - len(page.events)
        last, rows = await _take(connection, replace(walk, limit=missing, stop=stop), page)
        if len(page.events) == walk.limit or (rows < missing and stop is None):
            break
        reached = last if rows == missing else stop
        assert reached is not None  # noqa: S101 - a full page has a last event
        if time.monotonic() >= ends:
            if page.events:
                break
            raise Unfinished(reached, within)
        walk = replace(walk, start=reached, inclusive=False)
    return page


async def _milestone(connection: AsyncConnection, walk: Walk, events: int) -> Key | None:
    found = (await connection.execute(query.milestone(walk, events))).first()
    return Key(found.at, found.id) if found else None


async def _take(connection: AsyncConnection, walk: Walk, page: Page) -> tuple[Key | None, int]:
    """Add a walk's events to a page; return the last one's place, and how many there were."""
    key, rows = None, 0
    for row in await connection.execute(query.page(walk)):
        key, rows = Key(row.at, row.id), rows + 1
        try:
            page.events.append(Found(key, unpacked(row.document)))
        except Damaged:
            page.damaged.append(key)
    return key, rows
