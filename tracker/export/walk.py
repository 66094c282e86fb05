"""The walk of an export: every event of a range, in pages, oldest first and domain by domain.

Each page is a statement of its own, so that a long export holds nothing up; an event that comes in
behind the walk isn't in it, and none is in it twice.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final

from tracker.store.database import Store
from tracker.store.query import Walk
from tracker.store.removal import domains
from tracker.store.row import LATEST
from tracker.store.tree import EVERYTHING, Tree

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
    async for domain in _domains(store, wanted.domain):
        walk = Walk(domain, True, PAGE, low=wanted.low, high=wanted.high, tree=wanted.tree)
        async for found in store.through(walk):
            yield Pageful([one.document for one in found], found[-1].key.at)


async def _domains(store: Store, only: str | None) -> AsyncIterator[str]:
    if only is not None:
        yield only
        return
    async for domain in domains(store):
        yield domain
