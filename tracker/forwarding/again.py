"""Again: what one sink is offered once more because a person asked for it.

In: orders in the ledger, for dead letters and for events of a time out of the store. Out: nothing
but what the sink has kept, and how far that has come, in the ledger.

Promise: an order is carried out beside what comes in, a little at a time, and goes on where it was
after a crash. A store that can't answer delays the order and nothing else.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from tracker.enrich.company import Company
from tracker.forwarding import dead, replays
from tracker.forwarding.delivery import Delivery
from tracker.forwarding.history import Passage
from tracker.forwarding.ledger import Ledger
from tracker.forwarding.replays import Replay
from tracker.store.database import StoreUnavailable
from tracker.store.page import Unfinished

LETTERS_AT_ONCE: Final = 100
STORE_AFTER: Final = 10.0  # seconds until a store that couldn't answer is asked again

# The events between two times that follow a place, as `history.passage` gives them.
History = Callable[[int, int, str], Awaitable[Passage]]

logger = logging.getLogger(__name__)


class Again:
    """What one sink is offered again. Without a `history` only dead letters are."""

    def __init__(
        self, sink: str, ledger: Ledger, delivery: Delivery, history: History | None
    ) -> None:
        self._sink = sink
        self._ledger = ledger
        self._delivery = delivery
        self._history = history
        self._not_before = 0.0

    async def round(self) -> bool:
        """Carry out a little of what is asked for; tell whether there was something to do.

        Raises SinkUnavailable, LedgerUnavailable.
        """
        moved = await self._letters()
        if self._history is not None and time.monotonic() >= self._not_before:
            moved |= await self._stored(self._history)
        return moved

    async def _letters(self) -> bool:
        letters = await asyncio.to_thread(dead.to_replay, self._ledger, self._sink, LETTERS_AT_ONCE)
        if letters:
            kept = await self._delivery.hits([(one.hit, Company(one.company)) for one in letters])
            await asyncio.to_thread(self._settle, letters, kept)
        return bool(letters)

    async def _stored(self, history: History) -> bool:
        orders = await asyncio.to_thread(replays.open_ones, self._ledger, self._sink)
        if not orders:
            return False
        order = orders[0]
        try:
            found = await history(order.first, order.last, order.reached)
        except (StoreUnavailable, Unfinished) as error:
            self._not_before = time.monotonic() + STORE_AFTER
            logger.warning("replay_waits", extra={"sink": self._sink, "reason": str(error)})
            return False
        refused = await self._delivery.events(found.events)
        await asyncio.to_thread(self._advance, order, found, refused)
        return True

    def _settle(self, replayed: list[dead.Letter], kept: list[dead.Letter]) -> None:
        with self._ledger.transaction() as ledger:
            dead.remove(ledger, replayed)
            dead.put(ledger, kept)
        logger.info(
            "replayed",
            extra={"sink": self._sink, "letters": len(replayed), "dead_again": len(kept)},
        )

    def _advance(self, order: Replay, found: Passage, refused: int) -> None:
        now = replace(
            order,
            reached=found.reached,
            reached_at=found.at,
            delivered=order.delivered + len(found.events) - refused,
            refused=order.refused + refused,
            ended_at=int(time.time()) if found.over else 0,
        )
        with self._ledger.transaction() as ledger:
            replays.advance(ledger, now)
        if found.over:
            logger.info(
                "replay_ended",
                extra={"sink": self._sink, "events": now.delivered, "refused": now.refused},
            )
