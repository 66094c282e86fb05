"""Publishing: messages into a stream, each acknowledged by it.

Promise: when `publish` returns, the stream has every message, on as many replicas as it was made
to wait for; each once, however often it was published within the stream's window of duplicates.

What no stream took is offered again within moments, and then comes behind what was taken meanwhile:
order is a help to whoever looks, and nothing that the store goes by.

Acknowledgements are awaited together: one core publishes 30,000 messages a second (`bench/bus.py`),
where one by one there are as many as there are round trips.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, Self

import msgspec
from nats.aio.msg import Msg

from tracker.bus.connection import BusUnavailable, Connection, Inbox
from tracker.bus.message import Message

IN_FLIGHT: Final = 1_000  # messages without an acknowledgement
PATIENCE: Final = 5.0  # seconds without any acknowledgement
# Seconds after which messages that no stream took are offered again. In a cluster the servers hear
# of a stream's subjects a moment after whoever made it, and again when another server leads it.
# nats.go tries a second time after 250 ms, and a third (js.go, DefaultPubRetryWait).
AGAIN_AFTER: Final = (0.05, 0.1, 0.25, 0.5, 1.0)
TOO_LARGE: Final = 10054  # JetStream's number for a message beyond the stream's max_msg_size
# What stands around header names and values, and the two headers of ours.
_HEADER_BYTES: Final = len("NATS/1.0\r\nNats-Msg-Id: \r\nNats-Expected-Stream: \r\n\r\n")


class TooLarge(Exception):
    """A message is larger than the servers or the stream take; the message says how large."""


class _Refusal(msgspec.Struct, frozen=True):
    err_code: int = 0
    description: str = ""


class _Acknowledgement(msgspec.Struct, frozen=True):
    stream: str = ""
    error: _Refusal | None = None


_acknowledgement = msgspec.json.Decoder(_Acknowledgement)


class Publisher:
    """Publishes over one connection. One call at a time; after an error, open another.

    `again_after` are the pauses before what no stream took is offered again.
    """

    def __init__(self, connection: Connection, stream: str, again_after: Sequence[float]) -> None:
        self._inbox: Inbox
        self._connection = connection
        self._stream = stream
        self._again_after = again_after
        self._number = 0
        self._waiting: dict[str, Message] = {}  # by the last word of the reply's subject
        self._untaken: list[Message] = []
        self._error: Exception | None = None
        self._left = 0
        self._moved = asyncio.Event()
        connection.tell(self._moved)

    @classmethod
    async def open(
        cls, connection: Connection, stream: str, again_after: Sequence[float] = AGAIN_AFTER
    ) -> Self:
        """Prepare to publish to a stream. Raises BusUnavailable."""
        publisher = cls(connection, stream, again_after)
        publisher._inbox = await connection.subscribe(publisher._take)
        return publisher

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish, and return once the stream has all of them.

        Raises TooLarge, before anything is sent, if the servers take no such message, and
        BusUnavailable, after which any of them may be there.
        """
        for message in messages:
            self._measure(message)
        await self._offer(messages)
        for pause in self._again_after:
            if not self._untaken:
                return
            await asyncio.sleep(pause)
            untaken, self._untaken = self._untaken, []
            await self._offer(untaken)
        if self._untaken:
            raise BusUnavailable(
                f"no stream takes events: {self._stream} is gone, or has no leader"
            )

    async def close(self) -> None:
        """Listen to no more acknowledgements; the connection stays. Raises BusUnavailable."""
        await self._inbox.close()

    def _measure(self, message: Message) -> None:
        told = sum(len(name) + len(value) + 4 for name, value in message.headers.items())
        size = _HEADER_BYTES + len(message.id) + len(self._stream) + told + len(message.body)
        if size > (most := self._connection.max_payload):
            raise TooLarge(f"{size} bytes are more than the {most} that the bus takes")

    async def _offer(self, messages: Sequence[Message]) -> None:
        """Send messages; return once each was answered, be it that no stream takes it."""
        for message in messages:
            if len(self._waiting) >= IN_FLIGHT:
                await self._until(IN_FLIGHT // 2)
            await self._send(message)
        await self._until(0)

    async def _send(self, message: Message) -> None:
        self._number += 1
        number = str(self._number)
        self._waiting[number] = message
        headers = {
            "Nats-Msg-Id": message.id,
            "Nats-Expected-Stream": self._stream,
            **message.headers,
        }
        await self._connection.publish(
            message.subject, message.body, reply=f"{self._inbox.name}.{number}", headers=headers
        )

    async def _until(self, left: int) -> None:
        """Wait until few enough are without an acknowledgement."""
        self._left = left
        while len(self._waiting) > left and self._error is None:
            self._connection.check()
            before = len(self._waiting)
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._moved.wait()
            if len(self._waiting) == before and not self._moved.is_set():
                why = self._connection.why or ": too few of its replicas may run"
                raise BusUnavailable(
                    f"the stream {self._stream} acknowledges nothing within {PATIENCE:g} s{why}"
                )
        if self._error is not None:
            raise self._error

    async def _take(self, answer: Msg) -> None:
        offered = self._waiting.pop(answer.subject.rpartition(".")[2], None)
        if offered is None:
            return
        if answer.data:
            self._error = self._error or _refused(answer, self._stream)
        else:  # a status alone: the server has nobody to hand such a subject to
            self._untaken.append(offered)
        if len(self._waiting) <= self._left or self._error is not None:
            self._moved.set()


def _refused(message: Msg, stream: str) -> Exception | None:
    """Return what an answer says against a message, if anything."""
    try:
        answer = _acknowledgement.decode(message.data)
    except msgspec.MsgspecError as error:
        return BusUnavailable(f"the stream {stream} answers what is no acknowledgement: {error}")
    if answer.error is None:
        return None
    if answer.error.err_code == TOO_LARGE:
        return TooLarge(f"the stream {stream} refuses it: {answer.error.description}")
    return BusUnavailable(f"the stream {stream} takes nothing: {answer.error.description}")
