"""Retention: events go once they are older than their policy; figures stay.

Promise: a clock that jumps removes nothing. What is older is taken from two looks at the clock, an
hour apart, which agree with each other.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tracker.store import erasure
from tracker.store.database import Store, StoreUnavailable
from tracker.store.dialect import of
from tracker.store.query import Walk
from tracker.store.removal import AT_ONCE, domains, remove
from tracker.store.row import SECOND

logger = logging.getLogger(__name__)

DAY: Final = 86_400
EVERY: Final = 3_600.0  # seconds between two rounds
TOLERANCE: Final = 300.0  # seconds that the clock may be put right by meanwhile


@dataclass(frozen=True, slots=True)
class Look:
    """A look at two clocks: the one that tells the time, and one that can't be put forward."""

    now: float
    steady: float

    def agrees(self, earlier: "Look") -> bool:
        """Tell whether both clocks went on alike since an earlier look."""
        return abs((self.now - earlier.now) - (self.steady - earlier.steady)) <= TOLERANCE


def look() -> Look:
    """Look at this machine's clocks."""
    return Look(time.time(), time.monotonic())


async def expire(store: Store, before: float) -> int:
    """Remove the events before a time in Unix seconds; return how many. Raises StoreUnavailable.

    The digests of who was erased before it go too: all that they hold off would go as well.
    """
    if before <= 0:
        return 0
    async with store.writing() as connection:
        dropped = await of(connection).drop_before(connection, int(before * SECOND))
        await erasure.forget(connection, int(before * SECOND))
    expired, high = dropped.events, dropped.before - 1
    async for domain in domains(store):
        expired += await remove(store, Walk(domain, ascending=True, limit=AT_ONCE, high=high))
    return expired


class Retention:
    """Keeps a store to its policy: `days` that events are kept, 0 for ever."""

    def __init__(
        self,
        store: Store,
        days: int,
        *,
        every: float = EVERY,
        looking: Callable[[], Look] = look,
    ) -> None:
        self._store = store
        self._days = days
        self._every = every
        self._looking = looking

    async def run(self) -> None:
        """Remove what is too old, round after round, until cancelled."""
        seen = self._looking()
        while self._days:
            await asyncio.sleep(self._every)
            earlier, seen = seen, self._looking()
            if seen.agrees(earlier):
                await self._round(seen.now - self._days * DAY)
            else:
                logger.warning("retention_waits", extra={"reason": "the clock has jumped"})

    async def _round(self, before: float) -> None:
        try:
            expired = await expire(self._store, before)
            if expired:
                await self._store.purge()
        except StoreUnavailable as error:
            logger.warning("retention_failed", extra={"reason": str(error)})
            return
        if expired:
            logger.info("events_expired", extra={"events": expired, "days": self._days})
