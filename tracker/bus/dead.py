"""Dead letters: what came over the bus and can't be stored, kept in a stream beside it.

In: a message and why it is none. Out: letters, to be listed, published again or dropped. The
stream is the events' own name with `_DEAD` behind it, so that it is there while the store is away,
and has as many replicas.
"""

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from nats.aio.msg import Msg

from tracker.bus.address import Wanted
from tracker.bus.connection import ApiError, Connection
from tracker.bus.message import Message
from tracker.bus.publishing import Publisher
from tracker.bus.stream import ensure

REASON: Final = "Tracker-Reason"
SUBJECT: Final = "Tracker-Subject"
# Bytes for headers: of a message as large as the servers take, the end is cut off.
ROOM: Final = 4_096
NO_MESSAGE: Final = 10037  # JetStream's number for a message that there isn't
NO_STREAM: Final = 10059


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that can't be stored. `number` is its own in the stream of dead letters."""

    number: int
    subject: str
    reason: str
    died: str  # as the server wrote it, RFC 3339
    body: bytes


class _Stored(msgspec.Struct, frozen=True):
    seq: int
    time: str = ""
    data: str = ""
    hdrs: str = ""


class _Got(msgspec.Struct, frozen=True):
    message: _Stored


class _Deleted(msgspec.Struct, frozen=True):
    success: bool = False


def graveyard(wanted: Wanted) -> Wanted:
    """Return what the stream of dead letters should be, beside one of events."""
    return replace(
        wanted,
        name=f"{wanted.name}_DEAD",
        prefix=f"{wanted.prefix}-dead",
        retention="limits",
        max_bytes=0,
        max_age=0,
        asked=frozenset(),
    )


async def keep(connection: Connection, wanted: Wanted, letters: Sequence[tuple[Msg, str]]) -> None:
    """Keep messages with the reasons why they are none, each once. Raises BusUnavailable."""
    place = graveyard(wanted)
    await ensure(connection, place)
    publisher = await Publisher.open(connection, place.name)
    await publisher.publish(
        [
            Message(
                subject=f"{place.prefix}.letter",
                id=f"{wanted.name}:{message.metadata.sequence.stream}",
                body=message.data[: connection.max_payload - ROOM],
                headers={REASON: reason[:1_000], SUBJECT: message.subject},
            )
            for message, reason in letters
        ]
    )
    await publisher.close()


async def letters(connection: Connection, wanted: Wanted) -> AsyncIterator[Letter]:
    """Give every dead letter, the oldest first. Raises BusUnavailable."""
    number = 0
    while (letter := await _next(connection, graveyard(wanted), number + 1)) is not None:
        yield letter
        number = letter.number


async def drop(connection: Connection, wanted: Wanted, number: int) -> None:
    """Drop a dead letter for good. Raises BusUnavailable."""
    question = {"seq": number}
    try:
        await connection.ask(f"STREAM.MSG.DELETE.{graveyard(wanted).name}", question, _Deleted)
    except ApiError as error:
        if error.code != NO_MESSAGE:
            raise


async def _next(connection: Connection, place: Wanted, number: int) -> Letter | None:
    question = {"seq": number, "next_by_subj": ">"}
    try:
        got = await connection.ask(f"STREAM.MSG.GET.{place.name}", question, _Got)
    except ApiError as error:
        if error.code in {NO_MESSAGE, NO_STREAM}:
            return None
        raise
    headers = _headers(base64.b64decode(got.message.hdrs))
    return Letter(
        number=got.message.seq,
        subject=headers.get(SUBJECT, ""),
        reason=headers.get(REASON, ""),
        died=got.message.time,
        body=base64.b64decode(got.message.data),
    )


def _headers(raw: bytes) -> dict[str, str]:
    """Read a block of headers as NATS writes it: a line for the version, then `Name: value`."""
    lines = raw.decode("utf-8", "replace").split("\r\n")[1:]
    return {
        name: value.strip() for name, colon, value in (x.partition(":") for x in lines) if colon
    }
