"""The walk of an export: every event of a range, in pages, oldest first and domain by domain.

Each page is a statement of its own, so that a long export holds nothing up; an event that comes in
behind the walk isn't in it, and none is in it twice.
"""

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from tracker.store.database import Store
from tracker.store.query import EVERYTHING, Tree, Walk
from tracker.store.row import LATEST
from tracker.store.schema import event

PAGE: Final = 1_000  # events


@dataclass(frozen=True, slots=True)
class Range:
    """Which events: of one sending domain, else of all; times in microseconds, both included."""

    domain: str | None = None
    low: int = 0
    high: int = LATEST
    tree: Tree = EVERYTHING


@dataclass(frozen=True, slots=True)
class Pageful:
    """Some events, and the time of the last of them."""

    documents: list[bytes]
    at: int


async def pages(store: Store, wanted: Range) -> AsyncGenerator[Pageful, None]:
    """Yield the events of a range. Raises StoreUnavailable."""
    domain = wanted.domain if wanted.domain is not None else await _next_domain(store, "")
    while domain is not None:
        async for page in _pages(store, domain, wanted):
            yield page
        domain = None if wanted.domain is not None else await _next_domain(store, domain)


async def _pages(store: Store, domain: str, wanted: Range) -> AsyncIterator[Pageful]:
    walk = Walk(domain, True, PAGE, low=wanted.low, high=wanted.high, tree=wanted.tree)
    while found := await store.page(walk):
        yield Pageful([one.document for one in found], found[-1].key.at)
        walk = dataclasses.replace(walk, start=found[-1].key)


async def _next_domain(store: Store, domain: str) -> str | None:
    """Return the first sending domain behind another: one look into the table's own order."""
    following = select(func.min(event.c.domain)).where(event.c.domain > domain)
    async with store.reading() as connection:
        found: str | None = (await connection.execute(following)).scalar_one()
        return found
