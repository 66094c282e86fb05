"""`tracker consume` as a process: killed, stopped, started before what it needs is there."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.patience import wait_for
from tests.servers import nats as servers
from tests.servers.nats import Nats, Node
from tests.tracker.bus.parts import (
    PATIENCE,
    deliver,
    follow,
    own,
    settled,
    sink,
    some,
    stored,
    until,
)
from tests.tracker.operation.running import Running, running
from tracker.bus import stream
from tracker.event import Event
from tracker.sinks import SinkUnavailable
from tracker.sinks.nats import NatsSink
from tracker.store.database import Store


@contextmanager
def consumer(url: str, data: Path) -> Iterator[Running]:
    settings = {
        "TRACKER_DATA": str(data),
        "TRACKER_CONSUME_URL": url,
        "TRACKER_CONSUME_LISTEN": "127.0.0.1:0",
    }
    with running("consume", **settings) as process:
        yield process


def asked(process: Running, path: str) -> httpx.Response:
    return httpx.get(f"http://{process.addresses[0]}/{path}", timeout=PATIENCE)


def figure(process: Running, name: str) -> float:
    lines = asked(process, "metrics").text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)


def ids(data: Path) -> list[str]:
    async def act() -> list[str]:
        store = await Store.open(data / "store.db")
        try:
            return sorted(one for one, _ in await stored(store))
        finally:
            await store.close()

    return asyncio.run(act())


def expected(number: int) -> list[str]:
    return [one.id for one in some(0, number)]


@pytest.mark.usefixtures("patient")
def test_it_tells_how_it_does_and_stops_in_order(nats: Nats, tmp_path: Path) -> None:
    url = own(nats)
    asyncio.run(deliver(url, *some(0, 50)))
    with consumer(url, tmp_path) as process:
        wait_for(lambda: figure(process, "tracker_consume_events_total") >= 50, "all to be stored")
        state = asked(process, "readyz")
        assert (state.status_code, state.json()["status"]) == (200, "ok")
        assert state.json()["checks"]["bus"] == f"connected to {nats.hosts}"
        assert asked(process, "healthz").json() == {"status": "ok"}
        assert figure(process, "tracker_consume_up") == 1
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(PATIENCE) == 0
    assert ids(tmp_path) == expected(50)


@pytest.mark.usefixtures("patient")
def test_it_begins_before_the_bus_is_there(tmp_path: Path) -> None:
    with servers.running(tmp_path / "nats") as server:
        server.nodes[0].stop()
        url = f"nats://{server.hosts}/EVENTS"
        with consumer(url, tmp_path / "data") as process:
            wait_for(lambda: "refuses" in asked(process, "readyz").text, "the bus to be missed")
            assert asked(process, "readyz").status_code == 503
            assert asked(process, "healthz").status_code == 200
            server.nodes[0].start()
            server.ready()
            asyncio.run(deliver(url, *some(0, 5)))
            wait_for(lambda: figure(process, "tracker_consume_events_total") >= 5, "the events")


@pytest.mark.usefixtures("patient")
def test_one_that_is_killed_in_mid_flow_loses_and_doubles_nothing(
    nats: Nats, tmp_path: Path
) -> None:
    url = own(nats)

    async def prepare() -> None:
        await follow(url, ack_wait=stream.NANOSECONDS)
        await deliver(url, *some(0, 3_000))

    asyncio.run(prepare())
    with consumer(url, tmp_path) as process:
        child = process.until("child_started")["child_pid"]
        wait_for(lambda: figure(process, "tracker_consume_events_total") > 0, "the first batch")
        os.kill(child, signal.SIGKILL)
        wait_for(lambda: asyncio.run(settled(url)), "all to be acknowledged")
    assert ids(tmp_path) == expected(3_000)


def test_three_nodes_go_on_without_the_one_that_led(tmp_path: Path) -> None:
    """Events are delivered and stored all the while; the leader is killed and comes back."""
    with servers.running(tmp_path / "nats", nodes=3) as server:
        url = f"nats://{server.hosts}/EVENTS"
        asyncio.run(delivered(url, some(0, 100)))
        with consumer(url, tmp_path / "data") as process:
            wait_for(lambda: figure(process, "tracker_consume_events_total") > 0, "the first")
            asyncio.run(goes_on(url, server))
            # Some ten seconds by themselves: a new leader, and what the old one had handed out.
            wait_for(lambda: emptied(server), "everything to be stored", 3 * PATIENCE)
        assert ids(tmp_path / "data") == expected(300)


def emptied(server: Nats) -> bool:
    """Tell whether the stream has nothing that the store lacks."""
    held = server.leader("EVENTS").stream("EVENTS").get("state", {})
    return bool(held.get("messages", 1) == 0)


async def goes_on(url: str, server: Nats) -> None:
    """Deliver on while the leader is killed."""
    leader = await asyncio.to_thread(server.leader, "EVENTS")
    await until(lambda: asyncio.to_thread(replicated, leader))
    async with sink(url) as events:
        for start in range(100, 300, 10):
            if start == 200:
                await asyncio.to_thread(leader.kill)
            await until_taken(events, some(start, 10))
    leader.start()


def replicated(leader: Node) -> bool:
    """Tell whether it has the stream in three replicas, as soon as it answers that."""
    return bool(leader.stream("EVENTS").get("config", {}).get("num_replicas") == 3)


async def delivered(url: str, batch: list[Event]) -> None:
    """Deliver to a cluster, where a stream that was just made may have no leader yet."""
    async with sink(url) as events:
        await until_taken(events, batch)


async def until_taken(events: NatsSink, batch: list[Event]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await taken(events, batch):
            await asyncio.sleep(0.1)


async def taken(events: NatsSink, batch: list[Event]) -> bool:
    try:
        await events.deliver(batch)
    except SinkUnavailable:
        return False
    return True
