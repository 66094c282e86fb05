import asyncio
import logging
from contextlib import suppress
from typing import Any

import pytest

from tests.servers.nats import Nats
from tests.tracker.bus.parts import (
    address,
    connected,
    deliver,
    made,
    own,
    publish,
    sink,
    some,
    until,
)
from tracker.bus import stream
from tracker.bus.connection import BusUnavailable, Connection
from tracker.bus.message import Message
from tracker.bus.publishing import Publisher, TooLarge
from tracker.bus.stream import Found
from tracker.sinks import SinkUnavailable

pytestmark = pytest.mark.usefixtures("patient")
DAY = 86_400 * stream.NANOSECONDS


async def made_by_hand(connection: Connection, name: str, **shape: Any) -> Found:
    """Make a stream as an operator would, with other tools."""
    config = {"name": name, "subjects": [f"{name.lower()}.>"], "storage": "file", **shape}
    return await connection.ask(f"STREAM.CREATE.{name}", config, Found)


async def held(url: str) -> Found:
    where = address(url)
    async with connected(where) as connection:
        found = await stream.look(connection, where.stream.name)
    assert found is not None
    return found


def ensured(url: str) -> Found:
    async def act() -> Found:
        where = address(url)
        async with connected(where) as connection:
            return await stream.ensure(connection, where.stream)

    return asyncio.run(act())


def test_a_stream_is_made_so_that_it_refuses_rather_than_drops(nats: Nats) -> None:
    url = own(nats, "max_bytes=1GB&max_age=1d&duplicates=10m")
    config = ensured(url).config
    assert config.subjects == [f"{config.name.lower()}.>"]
    assert (config.storage, config.discard, config.retention) == ("file", "new", "workqueue")
    assert (config.max_bytes, config.max_age) == (1_000_000_000, DAY)
    assert config.duplicate_window == 600 * stream.NANOSECONDS


def test_one_server_has_one_replica_and_says_so_to_who_asked_for_more(
    nats: Nats, caplog: pytest.LogCaptureFixture
) -> None:
    url = own(nats, "replicas=3")
    with caplog.at_level(logging.WARNING):
        assert ensured(url).config.num_replicas == 1
    (told,) = [vars(one) for one in caplog.records if one.msg == "stream_differs"]
    assert told["it"] == "has replicas=1, where replicas=3 was asked for"


def test_edges_that_begin_at_once_make_one_stream(nats: Nats) -> None:
    url = own(nats)

    async def act() -> None:
        await asyncio.gather(*(deliver(url, *some(number, 1)) for number in range(5)))
        assert (await held(url)).state.messages == 5

    asyncio.run(act())


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ({"storage": "memory"}, "is kept in memory, and gone after a restart"),
        ({"max_bytes": 1_000_000}, "drops the oldest events when it is full"),
        ({"max_msgs": 1_000}, "drops the oldest events when it is full"),
        ({"retention": "interest"}, "drops what nobody consumes yet"),
        ({"subjects": ["elsewhere.{name}.>"]}, "takes elsewhere.{name}.>, not {name}.>"),
    ],
)
def test_a_stream_that_would_lose_events_is_refused_with_what_is_wrong(
    nats: Nats, shape: dict[str, Any], says: str
) -> None:
    url = own(nats)
    name = address(url).stream.name

    async def act() -> None:
        async with connected(address(url)) as connection:
            there = {
                key: [one.format(name=name.lower()) for one in value]
                if isinstance(value, list)
                else value
                for key, value in shape.items()
            }
            before = await made_by_hand(connection, name, **there)
            with pytest.raises(SinkUnavailable) as refused:
                await deliver(url, *some(0, 1))
            assert f"the stream {name} can't be used: it " in str(refused.value)
            assert says.format(name=name.lower()) in str(refused.value)
            assert (await held(url)).config == before.config

    asyncio.run(act())


def test_a_stream_that_differs_otherwise_is_used_as_it_is_and_told(
    nats: Nats, caplog: pytest.LogCaptureFixture
) -> None:
    url = own(nats, "retention=limits&max_age=7d&max_bytes=1GB")
    name = address(url).stream.name

    async def act() -> None:
        async with connected(address(url)) as connection:
            await made_by_hand(connection, name, max_age=DAY)
        await deliver(url, *some(0, 3))
        assert (await held(url)).config.max_age == DAY

    with caplog.at_level(logging.WARNING):
        asyncio.run(act())
    (told,) = [vars(one) for one in caplog.records if one.msg == "stream_differs"]
    assert "has max_age=1d, where max_age=7d was asked for" in told["it"]
    assert "has max_bytes=0, where max_bytes=1GB was asked for" in told["it"]


def test_a_full_stream_refuses_new_events_drops_none_and_takes_them_once_there_is_room(
    nats: Nats,
) -> None:
    url = own(nats, "max_bytes=64kB")

    async def act() -> None:
        with pytest.raises(SinkUnavailable, match="takes nothing: maximum bytes exceeded"):
            await deliver(url, *some(0, 1_000))
        full = await held(url)
        assert full.state.first_seq == 1
        assert 0 < full.state.messages < 1_000

        async def taken() -> bool:
            """Make room, which what was sent before the refusal may still take."""
            async with connected(address(url)) as connection:
                await connection.ask(f"STREAM.PURGE.{full.config.name}", {"keep": 1}, dict)
            with suppress(SinkUnavailable):
                await deliver(url, *some(1_000, 1))
                return True
            return False

        await until(taken)
        assert (await held(url)).state.last_seq > full.state.last_seq

    asyncio.run(act())


def test_doubles_are_known_and_another_revision_is_none(nats: Nats) -> None:
    url = own(nats)
    first, second = some(0, 2)

    async def act() -> None:
        for _ in range(3):
            await publish(url, *made(url, first, second, first))
        state = (await held(url)).state
        assert (state.messages, state.last_seq) == (2, 2)

    asyncio.run(act())


def test_what_no_stream_takes_yet_is_offered_until_one_does_and_is_there_once(nats: Nats) -> None:
    url = own(nats)
    where = address(url)

    def heard() -> int:
        return int(nats.nodes[0].ask("varz").get("in_msgs", 0))

    async def act() -> None:
        async with connected(where) as connection:
            often = [0.02] * 3_000
            publisher = await Publisher.open(connection, where.stream.name, often)
            before = await asyncio.to_thread(heard)
            publishing = asyncio.create_task(publisher.publish(made(url, *some(0, 3))))

            async def offered_twice() -> bool:
                return await asyncio.to_thread(heard) >= before + 6

            await until(offered_twice)
            assert not publishing.done()
            await stream.ensure(connection, where.stream)
            await publishing
        state = (await held(url)).state
        assert (state.messages, state.last_seq) == (3, 3)

    asyncio.run(act())


def test_a_message_that_is_too_large_is_told_before_anything_is_sent(nats: Nats) -> None:
    url = own(nats)
    prefix = address(url).stream.prefix

    async def act() -> None:
        with pytest.raises(TooLarge, match=r"\d+ bytes are more than the 1048576 that the bus"):
            await publish(
                url, *made(url, *some(0, 1)), Message(f"{prefix}.x", "x", b"x" * (1 << 20))
            )
        assert (await held(url)).state.messages == 0

    asyncio.run(act())


def test_a_message_that_just_fits_is_taken(nats: Nats) -> None:
    """What we count as its headers is what the server counts, or a little more."""
    url = own(nats)
    where = address(url).stream

    async def act() -> None:
        headers = len(f"NATS/1.0\r\nNats-Msg-Id: x\r\nNats-Expected-Stream: {where.name}\r\n\r\n")
        body = b"x" * ((1 << 20) - headers)
        await publish(url, Message(f"{where.prefix}.x", "x", body))
        with pytest.raises(TooLarge):
            await publish(url, Message(f"{where.prefix}.x", "x", body + b"x"))

    asyncio.run(act())


def test_a_subject_of_another_stream_is_never_taken_for_ours(nats: Nats) -> None:
    url, other = own(nats), own(nats)

    async def act() -> None:
        await publish(other, *made(other, *some(0, 1)))
        with pytest.raises(BusUnavailable, match="expected stream does not match"):
            await publish(url, *made(other, *some(1, 1)))
        assert (await held(other)).state.messages == 1

    asyncio.run(act())


def test_a_stream_that_is_taken_away_is_made_anew_for_what_is_offered_again(nats: Nats) -> None:
    url = own(nats)

    async def act() -> None:
        async with sink(url) as events:
            await events.deliver(some(0, 1))
            async with connected(address(url)) as connection:
                await connection.ask(f"STREAM.DELETE.{address(url).stream.name}", None, dict)
            with pytest.raises(SinkUnavailable, match="no stream takes events"):
                await events.deliver(some(1, 1))
            await events.deliver(some(1, 1))
        assert (await held(url)).state.messages == 1

    asyncio.run(act())
