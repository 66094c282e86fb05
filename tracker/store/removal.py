"""A removal: events that go, with the tags they are found by, a few at a time.

In: a walk. Out: how many events there were on it, damaged ones included. Figures stay, since they
name nobody; sequence numbers never come again.
Promise: whoever inserts waits for a few of them at most. What is cut short has removed the first
ones whole, and is done by doing it again.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import page
from tracker.store.change import parts
from tracker.store.database import Store
from tracker.store.page import Page
from tracker.store.query import Key, Walk
from tracker.store.row import NotAnEvent, Row, row
from tracker.store.schema import event, tag

AT_ONCE: Final = 200  # events of one transaction, which takes 10 to 30 ms

Told = Callable[[AsyncConnection, Sequence[Row]], Awaitable[None]]


async def remove(store: Store, walk: Walk, told: Told | None = None) -> int:
    """Remove every event of a walk; return how many. Raises StoreUnavailable.

    `told` hears of the rows that go, but for damaged ones, in the transaction that removes them.
    """
    removed, walk = 0, replace(walk, limit=AT_ONCE)
    while True:
        begun = time.monotonic()
        async with store.reading() as connection:
            found = await page.read(connection, walk, math.inf)
        keys = sorted([*(each.key for each in found.events), *found.damaged])
        if not keys:
            return removed
        for some in parts(keys):
            await _remove(store, walk.domain, some, found, told)
        removed += len(keys)
        walk = replace(walk, start=keys[-1 if walk.ascending else 0], inclusive=False)
        await asyncio.sleep(time.monotonic() - begun)  # half of the time is for the others


async def domains(store: Store) -> AsyncIterator[str]:
    """Give every sending domain that has events. Raises StoreUnavailable."""
    last = ""
    while True:
        # One seek a domain; DISTINCT would read every event.
        following = select(func.min(event.c.domain)).where(event.c.domain > last)
        async with store.reading() as connection:
            domain = await connection.scalar(following)
        if domain is None:
            return
        yield domain
        last = domain


async def _remove(
    store: Store, domain: str, keys: Sequence[Key], found: Page, told: Told | None
) -> None:
    rows = _rows(domain, found, set(keys))
    tags = [
        _place(domain, key) | {"its_tag": each} for key, its in rows.items() for each in its.tags
    ]
    unread = [_place(domain, key) for key in keys if key not in rows]
    async with store.writing() as connection:
        await connection.execute(_EVENT, [_place(domain, key) for key in keys])
        if tags:
            await connection.execute(_TAG, tags)
        if unread:  # their tags can't be told from their documents
            await connection.execute(_TAGS, unread)
        if told:
            await told(connection, list(rows.values()))


def _rows(domain: str, found: Page, keys: Collection[Key]) -> dict[Key, Row]:
    """Return the rows of the events that can still be read as such."""
    rows = {}
    for each in found.events:
        if each.key in keys:
            with contextlib.suppress(NotAnEvent):
                rows[each.key] = row(each.document, domain)
    return rows


def _place(domain: str, key: Key) -> dict[str, Any]:
    return {"its_domain": domain, "its_at": key.at, "its_id": key.id}


def _is(table: Any, *names: str) -> list[Any]:
    return [table.c[name] == bindparam(f"its_{name}") for name in names]


_EVENT: Final = delete(event).where(*_is(event, "domain", "at", "id"))
_TAG: Final = delete(tag).where(*_is(tag, "domain", "tag", "at", "id"))
_TAGS: Final = delete(tag).where(*_is(tag, "domain", "at", "id"))
