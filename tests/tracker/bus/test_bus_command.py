"""`tracker bus` and `tracker consume`, as a person types them."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.servers.nats import Nats
from tests.tracker.bus.parts import address, connected, deliver, own, publish, some, taken, until
from tests.tracker.operation.conftest import Tracker
from tracker.bus import dead, durable
from tracker.bus.address import Address
from tracker.bus.connection import Connection
from tracker.bus.message import Message
from tracker.bus.pulling import Puller
from tracker.forwarding.ledger import FILE, Ledger
from tracker.mistake import Exit

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def url(nats: Nats, monkeypatch: pytest.MonkeyPatch) -> str:
    url = own(nats, "max_bytes=1GB")
    monkeypatch.setenv("TRACKER_SINKS", f"store, {url}")
    return url


def bury(url: str, *bodies: bytes) -> None:
    """Have bodies set aside, as a consumer would."""
    where = address(url)

    async def act() -> None:
        prefix = where.stream.prefix
        await publish(url, *(Message(f"{prefix}.x", body.hex(), body) for body in bodies))
        async with connected(where) as connection:
            await durable.ensure(connection, where.stream.name, "store")
            puller = await Puller.open(connection, where.stream.name, "store", 10)
            wrong = await taken(puller, len(bodies) or 1)
            await dead.keep(connection, where.stream, [(one, "not an event: no") for one in wrong])
            await puller.answer(wrong, b"+TERM")
            await until(lambda: answered(connection, where, len(wrong)))

    asyncio.run(act())


async def answered(connection: Connection, where: Address, number: int) -> bool:
    """Tell whether the server has taken so many answers, to which it says nothing."""
    found = await durable.look(connection, where.stream.name, "store")
    return found is not None and found.ack_floor.stream_seq >= number


def test_status_before_anything_has_run(tracker: Tracker, url: str) -> None:
    said = tracker("bus", "status")
    assert said.status == Exit.OK
    assert "isn't there yet: the first edge or consumer makes it" in said.out


def test_status_tells_what_the_stream_holds_and_who_has_it(tracker: Tracker, url: str) -> None:
    asyncio.run(deliver(url, *some(0, 3)))
    told = json.loads(tracker("bus", "status", "--json").out)
    name = address(url).stream.name
    assert told["stream"] == f"{name}, as wanted"
    assert told["holds"].startswith("3 events, ")
    assert told["holds"].endswith(" of 1 GB")
    assert told["replicas"] == "1 of 1 in sync, led by n1"
    assert told["store"] == "no consumer has run yet"
    assert told["set aside"] == "0 dead letters"
    bury(url)
    assert "held by consumers" in tracker("bus", "status").out


def test_a_sink_s_status_tells_what_its_stream_says(
    tracker: Tracker, folder: Path, url: str
) -> None:
    (folder / "data").mkdir(mode=0o700)
    Ledger.open(folder / "data" / FILE).close()
    asyncio.run(deliver(url, *some(0, 2)))
    said = tracker("sinks", "status", url.partition("?")[0])
    assert said.status == Exit.OK
    assert re.search(r"^holds +2 events, [\d.]+ kB of 1 GB$", said.out, re.MULTILINE)
    assert re.search(r"^replicas +1 of 1 in sync, led by n1$", said.out, re.MULTILINE)


def test_status_tells_how_a_stream_differs(
    tracker: Tracker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(deliver(url, *some(0, 1)))
    monkeypatch.setenv("TRACKER_CONSUME_URL", url.replace("1GB", "2GB"))
    said = tracker("bus", "status").out
    assert "it has max_bytes=1GB, where max_bytes=2GB was asked for" in said


def test_dead_letters_are_listed_replayed_and_discarded(tracker: Tracker, url: str) -> None:
    assert tracker("bus", "dead").out == "There are no dead letters.\n"
    bury(url, b"one", b"two", b"three")
    assert "not an event: no" in tracker("bus", "dead").out
    letters = json.loads(tracker("bus", "dead", "--json").out)
    assert [(one["number"], one["bytes"]) for one in letters] == [
        ("1", "3"),
        ("2", "3"),
        ("3", "5"),
    ]
    assert tracker("bus", "replay", "2").out == "1 dead letter on the bus again\n"
    assert held(url, 1) == [b"two"]
    assert tracker("bus", "discard", "3", "--yes").out == "1 dead letter discarded\n"
    assert tracker("bus", "replay").out == "1 dead letter on the bus again\n"
    assert held(url, 2) == [b"one", b"two"]
    assert tracker("bus", "dead").out == "There are no dead letters.\n"
    done = [json.loads(line)["action"] for line in tracker("audit", "--json").out.splitlines()]
    assert done == ["bus.replay", "bus.discard", "bus.replay"]


def held(url: str, number: int) -> list[bytes]:
    """Wait for so many messages that the bus has for a consumer; return what comes, sorted."""
    where = address(url)

    async def act() -> list[bytes]:
        async with connected(where) as connection:
            await durable.ensure(connection, where.stream.name, "store")
            puller = await Puller.open(connection, where.stream.name, "store", 10)
            brought = await taken(puller, number)
            await puller.give_back(brought)
            await puller.end()
            return sorted(one.data for one in brought)

    return asyncio.run(act())


def test_a_letter_that_there_is_not_is_told(tracker: Tracker, url: str) -> None:
    said = tracker("bus", "replay", "9")
    assert said.status == Exit.DATA
    assert said.err == "tracker: there is no dead letter 9: see 'tracker bus dead'\n"


@pytest.mark.parametrize("command", [("bus", "status"), ("consume",)])
@pytest.mark.parametrize(
    ("sinks", "says"),
    [
        ("store", "sinks names no stream: set consume.url to the one that events come from"),
        ("nats://a/ONE, nats://b/TWO", "sinks names several streams: set consume.url"),
    ],
)
def test_without_one_stream_to_consume_it_is_told_what_to_set(
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    sinks: str,
    says: str,
) -> None:
    monkeypatch.setenv("TRACKER_SINKS", sinks)
    said = tracker(*command)
    assert said.status == Exit.CONFIG
    assert says in said.err


def test_a_bus_that_is_away_is_told(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SINKS", "nats://127.0.0.1:1/EVENTS")
    said = tracker("bus", "status")
    assert said.status == Exit.UNAVAILABLE
    assert said.err.startswith("tracker: the bus can't be reached: 127.0.0.1:1 refuses: ")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("https://host/x", "should be a URL such as nats://one:4222,two:4222/EVENTS"),
        ("nats://one", "the sink 'nats' is written nats://host:4222/EVENTS"),
    ],
)
def test_a_url_that_is_no_stream_is_told_by_the_setting(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch, value: str, says: str
) -> None:
    monkeypatch.setenv("TRACKER_CONSUME_URL", value)
    said = tracker("bus", "status")
    assert said.status == Exit.CONFIG
    assert "consume.url" in said.err
    assert says in said.err


def test_a_password_is_not_in_what_config_shows(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_CONSUME_URL", "nats://edge:s3same@one/EVENTS")
    shown = tracker("config", "show").out
    assert "nats://one/EVENTS" in shown
    assert "s3same" not in shown
