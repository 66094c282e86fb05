"""Pulling: messages from the stream, in batches, the next one on its way while one is worked on.

In: a Connection, a stream and a durable consumer. Out: lists of messages, each to be answered with
one of the words below; what isn't answered in time comes to somebody else.

One request for messages is open at a time, for as many as there is room. The server answers it with
messages, and with a status if it ends before all have come; it shows life while there is nothing.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, Self

import msgspec
from nats.aio.msg import Msg

from tracker.bus.connection import BusUnavailable, Connection, Inbox
from tracker.bus.stream import NANOSECONDS

EXPIRES: Final = 30  # seconds that a request stays open
LIFE_EVERY: Final = 5  # seconds between signs of life from the server
SILENT_AFTER: Final = 3 * LIFE_EVERY
AT_ONCE_BYTES: Final = 8 << 20
# Seconds that a message waits for others, so that a quiet stream isn't stored one by one.
LINGER: Final = 0.02

# How a message is answered (ADR-15 of NATS' architecture).
DONE: Final = b"+ACK"
IN_PROGRESS: Final = b"+WPI"
GIVEN_UP: Final = b"+TERM"
LATER: Final = b"-NAK"
# Statuses that end a request without an error: none there, its time is up, or it is complete.
ENDED: Final = {"404", "408"}
LEADERLESS: Final = "503"
ALIVE: Final = "100"
# What of a 409 is of this request alone, or of a leader that moved: the next request is answered.
PASSING: Final = ("batch completed", "message size exceeds", "leadership change")


class Puller:
    """Holds at most twice `most` messages. Open it with `Puller.open`."""

    def __init__(self, connection: Connection, stream: str, durable: str, most: int) -> None:
        self._inbox: Inbox
        self._connection = connection
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._most = most
        self._bytes = max(AT_ONCE_BYTES, 2 * connection.max_payload)
        self._number = 0
        self._coming = 0  # messages that the open request may still bring
        self._waiting: deque[Msg] = deque()
        self._trouble = ""
        self._taking = asyncio.Lock()  # one batch is waited for at a time
        self._moved = asyncio.Event()
        connection.tell(self._moved)

    @classmethod
    async def open(cls, connection: Connection, stream: str, durable: str, most: int) -> Self:
        """Prepare to pull. Raises BusUnavailable."""
        puller = cls(connection, stream, durable, most)
        puller._inbox = await connection.subscribe(puller._take)
        return puller

    @property
    def waiting(self) -> Sequence[Msg]:
        """What has come and wasn't taken."""
        return tuple(self._waiting)

    def empty(self) -> list[Msg]:
        """Take everything that has come."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    async def batch(self) -> list[Msg]:
        """Wait for messages; return at least one and at most `most`. Raises BusUnavailable.

        Whoever took them calls `refill`, so that others come meanwhile; a call that is cancelled
        took none.
        """
        async with self._taking:
            while not self._waiting:
                await self.refill()
                await self._move(SILENT_AFTER)
            if len(self._waiting) < self._most:
                await asyncio.sleep(LINGER)
            return [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]

    async def end(self) -> None:
        """Have nothing more brought, and what wasn't taken brought to others."""
        await self._inbox.close()
        await self.give_back(self.empty())

    async def refill(self) -> None:
        """Ask for more if there is room and nothing on its way. Raises BusUnavailable."""
        if self._coming or len(self._waiting) >= self._most:
            return
        self._number += 1
        self._coming = 2 * self._most - len(self._waiting)
        question = {
            "batch": self._coming,
            "max_bytes": self._bytes,
            "expires": EXPIRES * NANOSECONDS,
            "idle_heartbeat": LIFE_EVERY * NANOSECONDS,
        }
        body = msgspec.json.encode(question)
        await self._connection.publish(self._next, body, reply=f"{self._inbox.name}.{self._number}")

    async def answer(self, messages: Iterable[Msg], word: bytes) -> None:
        """Answer messages. Raises BusUnavailable."""
        for message in messages:
            await self._connection.publish(message.reply, word)

    async def give_back(self, messages: Iterable[Msg], after: float = 0) -> None:
        """Have messages brought again, to anybody, after some seconds. Raises BusUnavailable."""
        delay = msgspec.json.encode({"delay": round(after * NANOSECONDS)})
        await self.answer(messages, LATER + b" " + delay if after else LATER)

    async def _move(self, within: float) -> None:
        """Wait until something is heard of the server."""
        self._check()
        self._moved.clear()
        try:
            async with asyncio.timeout(within):
                await self._moved.wait()
        except TimeoutError as error:
            raise BusUnavailable(
                f"nothing is heard of {self._connection.host} within {within:g} s"
            ) from error
        self._check()

    def _check(self) -> None:
        self._connection.check()
        if self._trouble:
            raise BusUnavailable(self._trouble)

    async def _take(self, message: Msg) -> None:
        # A status comes to our inbox, a message under the subject that it was published with.
        number = message.subject.removeprefix(f"{self._inbox.name}.")
        if number == message.subject:
            self._waiting.append(message)
            self._coming = max(0, self._coming - 1)
        elif number == str(self._number):
            self._heed(message.headers or {})
        self._moved.set()

    def _heed(self, status: dict[str, str]) -> None:
        """Take what the server says of the open request."""
        code, said = status.get("Status", ""), status.get("Description", "")
        if code == ALIVE:
            return
        self._coming = 0
        if code in ENDED or said.lower().startswith(PASSING):
            return
        self._trouble = (
            "the consumer has no leader, or is gone"
            if code == LEADERLESS
            else f"the bus brings nothing: {said or code}"
        )
