"""What the client of the bus costs: `python -m bench.bus`, with the store left out.

One process publishes events to a stream of a real server on loopback and gets them back from it,
acknowledged both ways; beside it nats-py's own way of doing the same. Rates are by wall clock,
which the server's work bounds too, and by this process's CPU time: what one core could do.
"""

import argparse
import asyncio
import platform
import tempfile
import time
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path

import nats as nats_py
import uvloop
from nats.js.api import AckPolicy, ConsumerConfig

from tests.servers import nats
from tests.servers.nats import Nats
from tracker.bus import durable, stream
from tracker.bus.address import Address
from tracker.bus.connection import Connection
from tracker.bus.message import Message, message
from tracker.bus.publishing import Publisher
from tracker.bus.pulling import DONE, Puller
from tracker.event import ClientInfo, Domain, Event, Geolocation, Verdict
from tracker.event import Message as Mail
from tracker.sinks.url import SinkUrl
from tracker.store.row import row

BATCH = 1_000
AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, {arguments.events} events")
    print(f"{'':44}{'a second':>10}{'a second of CPU':>18}")
    with tempfile.TemporaryDirectory() as folder, nats.running(Path(folder)) as server:
        for _ in range(arguments.rounds):
            uvloop.run(ours(server, arguments.events))
            uvloop.run(theirs(server, arguments.events))


async def ours(server: Nats, number: int) -> None:
    """Publish and fetch as the sink and the consumer do."""
    url = SinkUrl.parse(f"nats://{server.hosts}/{server.fresh()}")
    address = Address.of(url.address, url.options, {})
    wanted = address.stream
    connection = await Connection.open(address, "bench")
    await stream.ensure(connection, wanted)
    publisher = await Publisher.open(connection, wanted.name)
    events = [event(one) for one in range(number)]
    messages = [message(one, wanted.prefix) for one in events]

    async def publish() -> None:
        for batch in batches(messages):
            await publisher.publish(batch)

    async def make_and_publish() -> None:
        for start in range(0, number, BATCH):
            made = [message(one, wanted.prefix) for one in events[start : start + BATCH]]
            await publisher.publish(made)

    async def fetch() -> None:
        left = number
        while left:
            fetched = await puller.batch()
            await puller.refill()
            for one in fetched:
                row(one.data)
            await puller.answer(fetched, DONE)
            left -= len(fetched)

    await timed("published", number, publish())
    await timed("written as JSON and published, all doubles", number, make_and_publish())
    await durable.ensure(connection, wanted.name, "bench")
    puller = await Puller.open(connection, wanted.name, "bench", BATCH)
    await timed("fetched, read as rows, acknowledged", number, fetch())
    await connection.close()


async def theirs(server: Nats, number: int) -> None:
    """Do the same with `publish_async` and `fetch` of nats-py."""
    name = server.fresh()
    client = await nats_py.connect(server.servers)
    context = client.jetstream()
    await context.add_stream(name=name, subjects=[f"{name}.>"])
    messages = [message(event(one), name) for one in range(number)]

    async def publish() -> None:
        for batch in batches(messages):
            sent = [
                await context.publish_async(
                    one.subject,
                    one.body,
                    headers={"Nats-Msg-Id": one.id, "Nats-Expected-Stream": name},
                )
                for one in batch
            ]
            await asyncio.gather(*sent)

    async def fetch() -> None:
        left = number
        while left:
            fetched = await pulling.fetch(BATCH, timeout=5)
            for one in fetched:
                row(one.data)
                await one.ack()
            left -= len(fetched)

    await timed("nats-py: published", number, publish())
    config = ConsumerConfig(durable_name="bench", ack_policy=AckPolicy.EXPLICIT)
    await context.add_consumer(name, config)
    pulling = await context.pull_subscribe_bind(consumer="bench", stream=name)
    await timed("nats-py: fetched, read, acknowledged", number, fetch())
    await client.close()


def batches(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Cut messages into as many as the forwarder offers at once."""
    for start in range(0, len(messages), BATCH):
        yield messages[start : start + BATCH]


async def timed(what: str, number: int, work: Awaitable[None]) -> None:
    """Do the work and print how much of it a second takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:44}{number / wall:>10,.0f}{number / cpu:>18,.0f}", flush=True)


def event(number: int) -> Event:
    """Make an event of some 1,000 bytes."""
    return Event(
        event="clicked" if number % 3 else "opened",
        id=f"{number:032x}",
        timestamp=1_790_000_000 + number / 1_000,
        domain=Domain(name="news.example"),
        recipient=f"ann{number % 5_000}@example.com",
        recipient_domain="example.com",
        ip="192.0.2.1",
        geolocation=Geolocation(country="DE", region="BE", city="Berlin"),
        client_info=ClientInfo(client_name="Mobile Safari", user_agent=AGENT),
        message=Mail(headers={"message-id": "20260921182626.18666.16540@news.example"}),
        verdict=Verdict(),
        tags=["newsletter", "autumn"],
        url="https://shop.example/offers/2026/autumn?from=newsletter",
    )


if __name__ == "__main__":
    main()
