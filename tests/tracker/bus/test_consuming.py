import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest

from tests.servers import nats as servers
from tests.servers.nats import Nats
from tests.tracker.bus.parts import (
    NEVER,
    PATIENCE,
    address,
    connected,
    consuming,
    deliver,
    follow,
    made,
    own,
    publish,
    settled,
    some,
    stored,
    until,
)
from tests.tracker.sinks.contract import event
from tracker.bus import dead, durable, stream
from tracker.bus.connection import BusUnavailable
from tracker.bus.message import Message
from tracker.consume.progress import Progress
from tracker.consume.watch import Figures, readiness
from tracker.event import Event, encode
from tracker.store.change import Change
from tracker.store.database import Store
from tracker.store.recipient import erase_recipient
from tracker.store.row import Row

pytestmark = pytest.mark.usefixtures("patient")


@asynccontextmanager
async def opened(
    folder: Path, patience: float = PATIENCE, kind: type[Store] = Store
) -> AsyncIterator[Store]:
    store = await kind.open(folder / "store.db", patience=patience)
    try:
        yield store
    finally:
        await store.close()


def ids(events: list[Event]) -> list[str]:
    return [one.id for one in events]


async def consume(url: str, store: Store) -> None:
    """Consume until nothing is left."""
    async with consuming(url, store):
        await until(lambda: settled(url))


def test_events_reach_the_store_and_leave_the_bus(nats: Nats, tmp_path: Path) -> None:
    url = own(nats)

    async def act() -> None:
        await deliver(url, *some(0, 350))
        async with opened(tmp_path) as store:
            await consume(url, store)
            assert sorted(one for one, _ in await stored(store)) == ids(some(0, 350))
        async with connected(address(url)) as connection:
            name = address(url).stream.name
            found = await durable.look(connection, name, "store")
            assert found is not None
            assert found.ack_floor.stream_seq == 350

    asyncio.run(act())


def test_events_that_come_while_it_waits_are_stored_at_once(nats: Nats, tmp_path: Path) -> None:
    url = own(nats)

    async def act() -> None:
        async with opened(tmp_path) as store, consuming(url, store) as consumer:
            for number in range(5):
                await deliver(url, event(number))

                async def there(number: int = number) -> bool:
                    return len(await stored(store)) == number + 1

                await until(there)
            assert consumer.progress.behind < 60

    asyncio.run(act())


def test_a_whole_stream_replayed_changes_nothing(nats: Nats, tmp_path: Path) -> None:
    """Beyond any window of duplicates it is the store that knows what it has."""
    url = own(nats, "retention=limits")
    revised = [event(number, revision=1) for number in range(0, 200, 3)]

    async def act() -> None:
        await deliver(url, *some(0, 200), *revised)
        async with opened(tmp_path) as store:
            await consume(url, store)
            before = await stored(store)
            async with connected(address(url)) as connection:
                name = address(url).stream.name
                await connection.ask(f"CONSUMER.DELETE.{name}.store", None, dict)
            await consume(url, store)
            assert await stored(store) == before
            assert sorted(one for one, _ in before) == ids(some(0, 200))

    asyncio.run(act())


async def waited_for(url: str, consumers: int) -> bool:
    """Tell whether so many consumers wait for events."""
    name = address(url).stream.name
    async with connected(address(url)) as connection:
        if await stream.look(connection, name) is None:
            return False
        found = await durable.look(connection, name, "store")
    return found is not None and found.num_waiting == consumers


def test_several_consumers_share_the_work(nats: Nats, tmp_path: Path) -> None:
    url = own(nats)

    async def act() -> None:
        await follow(url, ack_wait=NEVER)
        async with opened(tmp_path) as store:
            async with (
                consuming(url, store, most=10) as one,
                consuming(url, store, most=10) as two,
            ):
                await until(lambda: waited_for(url, 2))
                for start in range(0, 400, 40):
                    await deliver(url, *some(start, 40))

                async def done() -> bool:
                    return await settled(url) and len(await stored(store)) == 400

                await until(done)
            assert one.progress.events + two.progress.events == 400
            assert min(one.progress.events, two.progress.events) > 0

    asyncio.run(act())


def test_what_is_no_event_is_kept_beside_and_costs_no_other(nats: Nats, tmp_path: Path) -> None:
    url = own(nats)
    where = address(url)
    wrong = [
        Message(f"{where.stream.prefix}.x", "a", b"{}"),
        Message(f"{where.stream.prefix}.y", "b", b"\xff\xfe"),
        Message(f"{where.stream.prefix}.z", "c", b"[" * ((1 << 20) - 200)),
    ]

    async def act() -> None:
        await publish(url, wrong[0], *made(url, *some(0, 5)), *wrong[1:])
        async with opened(tmp_path) as store:
            await consume(url, store)
            assert sorted(one for one, _ in await stored(store)) == ids(some(0, 5))
        async with connected(where) as connection:
            kept = [one async for one in dead.letters(connection, where.stream)]
        letters = sorted(kept, key=lambda one: one.subject)  # two batches are under way at once
        assert [one.subject for one in letters] == [one.subject for one in wrong]
        assert [one.reason.partition(":")[0] for one in letters] == ["not an event"] * 3
        assert [one.body for one in letters[:2]] == [b"{}", b"\xff\xfe"]
        assert wrong[2].body.startswith(letters[2].body)

    asyncio.run(act())


def test_dead_letters_are_kept_once_however_often_they_come(nats: Nats, tmp_path: Path) -> None:
    url = own(nats, "retention=limits")
    where = address(url)

    async def act() -> None:
        await publish(url, Message(f"{where.stream.prefix}.x", "a", b"{}"))
        async with opened(tmp_path) as store:
            for _ in range(2):
                await consume(url, store)
                async with connected(where) as connection:
                    await connection.ask(f"CONSUMER.DELETE.{where.stream.name}.store", None, dict)
        async with connected(where) as connection:
            assert len([one async for one in dead.letters(connection, where.stream)]) == 1

    asyncio.run(act())


def test_a_store_that_is_away_gets_its_events_once_it_is_back(nats: Nats, tmp_path: Path) -> None:
    url = own(nats)

    async def act() -> None:
        async with opened(tmp_path, patience=0.1) as store:
            other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            async with consuming(url, store) as consumer:
                await deliver(url, *some(0, 30))

                async def in_trouble() -> bool:
                    return consumer.progress.store.failures > 1

                await until(in_trouble)
                told = readiness(consumer.progress)
                assert told.status == "down"
                assert told.checks["store"].endswith("s; events wait on the bus")
                other.execute("ROLLBACK")
                other.close()
                await until(lambda: settled(url))
                assert readiness(consumer.progress).statuses["store"] == "ok"
            assert sorted(one for one, _ in await stored(store)) == ids(some(0, 30))

    asyncio.run(act())


def test_what_a_consumer_held_when_it_was_told_to_stop_goes_to_another_at_once(
    nats: Nats, tmp_path: Path
) -> None:
    url = own(nats)

    async def act() -> None:
        await follow(url, ack_wait=NEVER)
        async with opened(tmp_path, patience=0.1) as store:
            other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            async with consuming(url, store, most=20) as consumer:
                await deliver(url, *some(0, 100))

                async def in_trouble() -> bool:
                    return bool(consumer.progress.store.trouble)

                await until(in_trouble)
            other.execute("ROLLBACK")
            other.close()
            await consume(url, store)
            assert sorted(one for one, _ in await stored(store)) == ids(some(0, 100))

    asyncio.run(act())


def test_a_bus_that_goes_away_and_comes_back_is_gone_on_with(tmp_path: Path) -> None:
    with servers.running(tmp_path) as server:
        url = f"nats://{server.hosts}/EVENTS"

        async def act() -> None:
            async with opened(tmp_path) as store, consuming(url, store) as consumer:
                await deliver(url, *some(0, 10))
                await until(lambda: settled(url))
                server.nodes[0].kill()

                async def away() -> bool:
                    return bool(consumer.progress.bus.trouble)

                await until(away)
                assert readiness(consumer.progress).status == "down"
                server.nodes[0].start()
                server.ready()
                await deliver(url, *some(10, 10))
                await until(lambda: settled(url))
                assert sorted(one for one, _ in await stored(store)) == ids(some(0, 20))

        asyncio.run(act())


def test_what_waited_on_the_bus_of_who_was_erased_meanwhile_leaves_it_and_is_not_stored(
    nats: Nats, tmp_path: Path
) -> None:
    url = own(nats)

    async def act() -> None:
        await follow(url, ack_wait=NEVER)
        await deliver(url, event(1), replace(event(2), recipient="bob@example.org"))
        async with opened(tmp_path) as store:
            await erase_recipient(store, event(1).recipient)
            async with consuming(url, store) as consumer:
                await until(lambda: settled(url))
                assert b"tracker_erased_late_total 1.0" in figures(consumer.progress)
            assert [one for one, _ in await stored(store)] == [event(2).id]

    asyncio.run(act())


def test_a_stream_that_fills_up_is_told_long_before_it_refuses(nats: Nats, tmp_path: Path) -> None:
    url = own(nats, "max_bytes=100kB")

    async def act() -> None:
        await deliver(url, *some(0, 120))
        progress = Progress()
        async with connected(address(url)) as connection:
            progress.stream = await stream.look(connection, address(url).stream.name)
        told = readiness(progress)
        assert told.statuses["stream"] == "degraded"
        assert re.fullmatch(
            r"120 events, \d+ kB of 100 kB; 1 of 1 in sync, led by n1", told.checks["stream"]
        )
        assert b"tracker_bus_max_bytes 100000.0" in figures(progress)

    asyncio.run(act())


def figures(progress: Progress) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(progress))
    return generate_latest(registry)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"ack_policy": "none"}, "takes no acknowledgement of each message"),
        ({"ack_policy": "explicit", "max_deliver": 3}, "gives up after 3 deliveries"),
        ({"ack_policy": "explicit", "deliver_subject": "x"}, "is one that messages are pushed to"),
    ],
)
def test_a_consumer_that_would_lose_events_is_refused_with_what_is_wrong(
    nats: Nats, config: dict[str, object], says: str
) -> None:
    url = own(nats, "retention=limits")
    name = address(url).stream.name

    async def act() -> None:
        await deliver(url, event(0))
        async with connected(address(url)) as connection:
            there = {"stream_name": name, "config": {"durable_name": "store", **config}}
            await connection.ask(f"CONSUMER.DURABLE.CREATE.{name}.store", there, dict)
            with pytest.raises(BusUnavailable, match=says):
                await durable.ensure(connection, name, "store")

    asyncio.run(act())


def test_a_second_store_wants_a_stream_that_keeps_events(nats: Nats) -> None:
    url = own(nats)
    name = address(url).stream.name

    async def act() -> None:
        await deliver(url, event(0))
        async with connected(address(url)) as connection:
            await durable.ensure(connection, name, "store")
            with pytest.raises(BusUnavailable, match="several stores want a stream with retention"):
                await durable.ensure(connection, name, "another")

    asyncio.run(act())


def test_an_event_that_meets_a_mistake_of_ours_is_kept_beside_and_costs_no_other(
    nats: Nats, tmp_path: Path
) -> None:
    url = own(nats)
    where = address(url)

    class Mistaken(Store):
        async def insert(self, rows: Sequence[Row]) -> Sequence[Change]:
            if any(one.id == event(7).id for one in rows):
                raise KeyError("ann@example.org")
            return await super().insert(rows)

    async def act() -> None:
        await deliver(url, *some(0, 20))
        async with opened(tmp_path, kind=Mistaken) as store:
            await consume(url, store)
            there = [one for one, _ in await stored(store)]
        assert sorted(there) == [one.id for one in some(0, 20) if one != event(7)]
        async with connected(where) as connection:
            (letter,) = [one async for one in dead.letters(connection, where.stream)]
        assert re.match(r"a mistake in this program: KeyError at test_consuming", letter.reason)
        assert letter.body == encode(event(7))

    asyncio.run(act())
