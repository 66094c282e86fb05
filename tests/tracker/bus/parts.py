"""What tests of the bus begin with: a stream of their own, connections to it, a consumer of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from nats.aio.msg import Msg

from tests.servers.nats import Nats
from tests.tracker.sinks.contract import event
from tracker.bus import durable, stream
from tracker.bus.address import Address
from tracker.bus.connection import Connection
from tracker.bus.message import Message, message
from tracker.bus.publishing import Publisher
from tracker.bus.pulling import Puller
from tracker.consume.consuming import Consumer
from tracker.event import Event
from tracker.sinks.nats import NatsSink
from tracker.sinks.url import SinkUrl
from tracker.store.database import Store

PATIENCE = 60  # seconds; only what is broken takes that long


def address(text: str, **environment: str) -> Address:
    """Read a sink's URL."""
    url = SinkUrl.parse(text)
    return Address.of(url.address, url.options, environment)


def own(server: Nats, parameters: str = "") -> str:
    """Return the URL of a stream that nobody else has."""
    return f"nats://{server.hosts}/{server.fresh()}{parameters and '?'}{parameters}"


@asynccontextmanager
async def sink(url: str) -> AsyncIterator[NatsSink]:
    opened = NatsSink("bus", address(url))
    try:
        yield opened
    finally:
        await opened.close()


async def deliver(url: str, *events: Event) -> None:
    """Deliver by a sink of its own, as another edge would."""
    async with sink(url) as opened:
        await opened.deliver(events)


def some(first: int, number: int) -> list[Event]:
    return [event(one) for one in range(first, first + number)]


@asynccontextmanager
async def connected(where: Address) -> AsyncIterator[Connection]:
    connection = await Connection.open(where, "test")
    try:
        yield connection
    finally:
        await connection.close()


async def publish(url: str, *messages: Message) -> None:
    """Publish to a stream, made as the sink makes it."""
    where = address(url)
    async with connected(where) as connection:
        await stream.ensure(connection, where.stream)
        publisher = await Publisher.open(connection, where.stream.name)
        await publisher.publish(messages)


def made(url: str, *events: Event) -> list[Message]:
    return [message(one, address(url).stream.prefix) for one in events]


NEVER = 3_600 * stream.NANOSECONDS  # too late for any patience


async def follow(url: str, *, ack_wait: int) -> None:
    """Make a consumer as ours is, but for the time until what is held goes to another.

    Where events are counted, that is NEVER: on a machine that stands still they came twice.
    """
    where = address(url)
    config = {
        "durable_name": "store",
        "ack_policy": "explicit",
        "ack_wait": ack_wait,
        "max_ack_pending": durable.MOST_HELD,
    }
    name = where.stream.name
    async with connected(where) as connection:
        await stream.ensure(connection, where.stream)
        question = {"stream_name": name, "config": config}
        await connection.ask(f"CONSUMER.DURABLE.CREATE.{name}.store", question, dict)


@asynccontextmanager
async def consuming(url: str, store: Store, most: int = 100) -> AsyncIterator[Consumer]:
    """Consume until the block ends, and then stop in order."""
    stopping = asyncio.Event()
    consumer = Consumer(address(url), "store", store, most)
    task = asyncio.create_task(consumer.run(stopping))
    try:
        yield consumer
    finally:
        stopping.set()
        async with asyncio.timeout(PATIENCE):
            await task


async def until(condition: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.01)


async def stored(store: Store) -> list[tuple[str, int]]:
    """Return what the store gives to whoever follows it: the id and the sequence number."""
    found = await store.feed(0, 100_000)
    return [(document_id(one.document), one.sequence) for one in found]


def document_id(document: bytes) -> str:
    return document.partition(b'"id":"')[2].partition(b'"')[0].decode()


async def taken(puller: Puller, number: int) -> list[Msg]:
    """Take at least so many messages, in however many batches they come."""
    found: list[Msg] = []
    while len(found) < number:
        found += await puller.batch()
    return found


async def settled(url: str) -> bool:
    """Tell whether the consumer has acknowledged everything.

    What is pending doesn't tell: a consumer that was only just made says that it is nothing.
    """
    where = address(url)
    name = where.stream.name
    async with connected(where) as connection:
        there = await stream.look(connection, name)
        found = await durable.look(connection, name, "store")
    if there is None or found is None:
        return False
    return found.ack_floor.stream_seq == there.state.last_seq
