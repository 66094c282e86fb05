"""Consuming: from the bus into the store.

In: a stream's address, a store. Out: nothing but what the store has.

Promise: a message is acknowledged only once the store has committed its event, or the stream of
dead letters has it. What was stored and not acknowledged, because this process or the bus ended in
between, comes again and changes nothing: the store knows events by id and revision. A store that is
away gets its events later, from whichever process reaches it first.
"""

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, TypeVar

from nats.aio.msg import Msg

from tracker.bus import dead, durable, stream
from tracker.bus.address import Address
from tracker.bus.connection import BusUnavailable, Connection
from tracker.bus.pulling import DONE, GIVEN_UP, IN_PROGRESS, Puller
from tracker.consume.progress import Part, Progress
from tracker.mistake import OUR_MISTAKES
from tracker.store.database import Store, StoreUnavailable
from tracker.store.row import NotAnEvent, Row, row

# Seconds after which an end that failed is tried again, by failures in a row; the last repeats. A
# bus that is away is soon back; a store is offered, and gives back, thousands of events each time.
BUS_AFTER: Final = (0.2, 0.5, 1.0, 2.0)
STORE_AFTER: Final = (0.2, 1.0, 2.0, 5.0, 10.0)
STORE_WITHIN: Final = 30.0  # seconds until a store that hangs is taken for one that is away
# Batches under way at once: one is made ready while the database works on the other.
HANDS: Final = 2
# Held messages are asked time for, thrice before they would go to another process.
HEARTBEAT: Final = durable.ACK_WAIT / 3
WATCH_EVERY: Final = 5.0  # seconds between looks at what the bus says of the stream

Taken = TypeVar("Taken")

logger = logging.getLogger(__name__)

Refused = tuple[Msg, str]  # and why it is no event


@dataclass(frozen=True, slots=True)
class Sorted:
    """What became of some messages: those that are events, each with its row, and the others."""

    events: list[tuple[Msg, Row]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Consumer:
    """Brings events from one stream into one store. `most` are stored at once."""

    def __init__(self, address: Address, name: str, store: Store, most: int) -> None:
        self.progress = Progress()
        self._address = address
        self._name = name
        self._store = store
        self._most = most
        self._held: list[Sequence[Msg]] = [()] * HANDS

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until told to stop; then finish what is being stored and give the rest back."""
        while not stopping.is_set():
            try:
                await self._one_life(stopping)
            except Exception as error:  # noqa: BLE001 - the top of a supervised loop
                known = isinstance(error, BusUnavailable)
                says = str(error) if known else f"a mistake in this program: {_where(error)}"
                # A connection alone is no sign that a mistake of ours is over.
                after = BUS_AFTER if known else BUS_AFTER[-1:]
                wait = self._fail("bus", self.progress.bus, says, after)
                await _pause(wait, stopping)

    async def _one_life(self, stopping: asyncio.Event) -> None:
        """Consume over one connection until it ends. Raises BusUnavailable."""
        wanted = self._address.stream
        connection = await Connection.open(self._address, f"tracker consume {self._name}")
        try:
            await stream.ensure(connection, wanted)
            await durable.ensure(connection, wanted.name, self._name)
            puller = await Puller.open(connection, wanted.name, self._name, self._most)
            self.progress.host = connection.host
            self._recover("bus", self.progress.bus)
            hands = [self._consume(connection, puller, stopping, hand) for hand in range(HANDS)]
            await _beside(asyncio.gather(*hands), self._keep(puller), self._watch(connection))
            await puller.end()
        finally:
            self._held, self.progress.host = [()] * HANDS, ""
            await connection.close()

    async def _consume(
        self, connection: Connection, puller: Puller, stopping: asyncio.Event, hand: int
    ) -> None:
        """Bring one batch after the other, until told to stop. Raises BusUnavailable."""
        while not stopping.is_set() and (messages := await _unless(stopping, puller.batch())):
            self._held[hand] = messages
            await puller.refill()
            await self._bring(connection, puller, messages, stopping)
            self._held[hand] = ()

    async def _bring(
        self,
        connection: Connection,
        puller: Puller,
        messages: Sequence[Msg],
        stopping: asyncio.Event,
    ) -> None:
        """Store messages, or set them aside, or have them brought again. Raises BusUnavailable."""
        found = await asyncio.to_thread(_sorted, messages)
        try:
            refused = found.refused + await self._insert(found.events)
        except StoreUnavailable as error:
            wait = self._fail("store", self.progress.store, str(error), STORE_AFTER)
            # All of them: another process may reach the store where this one doesn't.
            await puller.give_back([*messages, *puller.empty()], wait)
            await _pause(wait, stopping)
            return
        self._recover("store", self.progress.store)
        if refused:
            await self._set_aside(connection, puller, refused)
        aside = {message.reply for message, _ in refused}
        await puller.answer((one for one in messages if one.reply not in aside), DONE)

    async def _insert(self, events: Sequence[tuple[Msg, Row]]) -> list[Refused]:
        """Store events; return those that can't be. Raises StoreUnavailable."""
        if not events:
            return []
        began = time.monotonic()
        try:
            async with asyncio.timeout(STORE_WITHIN):
                await self._store.insert([row for _, row in events])
        except TimeoutError as error:
            raise StoreUnavailable(f"the store doesn't answer within {STORE_WITHIN:g} s") from error
        except OUR_MISTAKES as error:
            # One event that a mistake of ours is met with would hold up all others for ever.
            if len(events) == 1:
                logger.error("mistake", extra={"where": _where(error)})
                return [(events[0][0], f"a mistake in this program: {_where(error)}")]
            middle = len(events) // 2
            return await self._insert(events[:middle]) + await self._insert(events[middle:])
        newest = events[-1][0].metadata.timestamp.timestamp()
        self.progress.took(len(events), time.monotonic() - began, max(0.0, time.time() - newest))
        self.progress.late = self._store.late
        return []

    async def _set_aside(
        self, connection: Connection, puller: Puller, refused: Sequence[Refused]
    ) -> None:
        """Make dead letters of messages. Raises BusUnavailable."""
        await dead.keep(connection, self._address.stream, refused)
        await puller.answer((message for message, _ in refused), GIVEN_UP)
        self.progress.dead_letters += len(refused)
        logger.error("dead_letters", extra={"letters": len(refused)})

    async def _keep(self, puller: Puller) -> None:
        """Ask for time for what is held, as long as this process lives."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            with contextlib.suppress(BusUnavailable):
                await puller.answer(chain(*self._held, puller.waiting), IN_PROGRESS)

    async def _watch(self, connection: Connection) -> None:
        """Look at what the bus says of the stream, for whoever asks us."""
        name = self._address.stream.name
        while True:
            with contextlib.suppress(BusUnavailable):
                self.progress.durable = await durable.look(connection, name, self._name)
                self.progress.stream = await stream.look(connection, name)
            await asyncio.sleep(WATCH_EVERY)

    def _fail(self, end: str, part: Part, says: str, after: Sequence[float]) -> float:
        wait = after[min(part.in_a_row, len(after) - 1)]
        if part.fail(says, wait):
            logger.error("consume_unavailable", extra={"end": end, "reason": says})
        return wait

    def _recover(self, end: str, part: Part) -> None:
        if part.recover():
            logger.info("consume_recovered", extra={"end": end})


def _sorted(messages: Sequence[Msg]) -> Sorted:
    """Tell events from what is none."""
    found = Sorted()
    for message in messages:
        try:
            found.events.append((message, row(message.data)))
        except NotAnEvent as error:
            found.refused.append((message, str(error)))
    return found


async def _unless(stopping: asyncio.Event, coming: Awaitable[Taken]) -> Taken | None:
    """Return what comes, None if it is time to stop before that."""
    stop, task = asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(coming)
    try:
        await asyncio.wait({stop, task}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (stop, task):
            one.cancel()
        await asyncio.gather(stop, task, return_exceptions=True)


async def _beside(work: Awaitable[object], *others: Coroutine[Any, Any, None]) -> None:
    """Do something while others go on; end those with it."""
    tasks = [asyncio.create_task(other) for other in others]
    doing = asyncio.ensure_future(work)
    try:
        await doing
    finally:
        for task in (doing, *tasks):
            task.cancel()
        await asyncio.gather(doing, *tasks, return_exceptions=True)


async def _pause(seconds: float, stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


def _where(error: Exception) -> str:
    """Name the line that raised; the message, which may hold an address of a person, stays out."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    file = last.filename.rpartition("/")[2]
    return f"{type(error).__name__} at {file}:{last.lineno} in {last.name}"
