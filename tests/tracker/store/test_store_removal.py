"""Events go by age or by recipient; what they were counted as stays, and their numbers too."""

import asyncio
import itertools
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.patience import PATIENCE, ended, until
from tests.servers.stores import counted, only_sqlite
from tests.tracker.store.documents import DOMAIN, START, document, naming
from tracker.store.database import Store
from tracker.store.query import Walk
from tracker.store.recipient import erase_recipient, events_of_recipient
from tracker.store.removal import AT_ONCE, domains
from tracker.store.retention import DAY, Look, Retention, expire
from tracker.store.row import row
from tracker.store.schema import event as event_table
from tracker.store.tree import EVERYTHING, Match, Tree

pytestmark = pytest.mark.anyio

ANN, BOB = "ann@example.com", "bob@example.com"
OTHER = "other.example"


def event(number: int, recipient: str = ANN, domain: str = DOMAIN, /, **fields: object) -> bytes:
    return document(number, recipient=recipient, domain={"name": domain}, **fields)


async def documents(store: Store, tree: Tree = EVERYTHING, domain: str = DOMAIN) -> list[bytes]:
    walk = Walk(domain, ascending=True, limit=10_000, tree=tree)
    return [found.document for found in await store.page(walk)]


@pytest.mark.parametrize("number", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE])
async def test_what_is_older_goes_whole_and_what_is_younger_stays(
    store: Store, number: int
) -> None:
    some = [event(each, tags=["sale", "news"]) for each in range(number)]
    kept = [event(number, tags=["sale"]), event(number + 1)]
    await store.insert([row(each) for each in (*some, *kept)])
    await store.insert([row(event(number + 5, ANN, OTHER))])
    assert await expire(store, START + number) == number
    assert await documents(store) == kept
    assert await documents(store, Match("tags", "sale")) == kept[:1]
    assert len(await documents(store, domain=OTHER)) == 1
    assert await counted(store, "tag") == 1


async def test_a_number_is_never_given_out_again(store: Store) -> None:
    await store.insert([row(event(1)), row(event(2))])
    assert await expire(store, START + 100) == 2
    assert await store.last() == 2
    await store.insert([row(event(3))])
    assert [found.sequence for found in await store.feed(0, 10)] == [3]


async def test_figures_outlive_their_events(store: Store) -> None:
    await store.insert([row(event(number, tags=["sale"])) for number in range(10)])
    before = await counted(store, "figure")
    assert before
    assert await expire(store, START + 100) == 10
    assert await erase_recipient(store, ANN) == 0
    assert await counted(store, "figure") == before


async def test_events_are_stored_while_others_go(store: Store, store_url: str) -> None:
    await store.insert([row(event(number)) for number in range(5 * AT_ONCE)])
    stored = 0

    class Considerate(Store):
        """Looks for what goes next once something was stored, be that late."""

        @asynccontextmanager
        async def reading(self) -> AsyncIterator[AsyncConnection]:
            before = stored
            await until(lambda: stored > before, "another one's turn")
            async with super().reading() as connection:
                yield connection

    removing = await Considerate.open(store_url, patience=PATIENCE)
    going = asyncio.create_task(expire(removing, START + 5 * AT_ONCE))
    while not going.done():
        await store.insert([row(event(9 * AT_ONCE + stored, ANN, OTHER))])
        stored += 1
    await removing.close()
    assert await going == 5 * AT_ONCE
    assert stored >= 5
    assert len(await documents(store, domain=OTHER)) == stored


async def test_a_damaged_event_goes_with_its_tags(store: Store) -> None:
    await store.insert([row(event(number, tags=["sale"])) for number in range(3)])
    damaged = update(event_table).values(document=b"\x01\xff")
    async with store.writing() as connection:
        await connection.execute(damaged.where(event_table.c.id != "id-0000"))
    assert await expire(store, START + 2) == 2
    assert await counted(store, "event") == 1
    assert await counted(store, "tag") == 1


async def test_every_domain_that_has_events_is_known(store: Store) -> None:
    names = ["a.example", "b.example", "c.example"]
    await store.insert([row(event(number, ANN, names[number % 3])) for number in range(30)])
    assert [domain async for domain in domains(store)] == names


def looks(*jumps: float) -> Iterator[Look]:
    """Give a look an hour; the clock that tells the time jumps by so many seconds before each."""
    now = float(START + 1000 * DAY)
    for hour, jump in enumerate(itertools.chain(jumps, itertools.repeat(0.0))):
        now += jump + 3600
        yield Look(now, hour * 3600.0)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records]


async def until_logged(caplog: pytest.LogCaptureFixture, message: str) -> None:
    await until(lambda: message in logged(caplog), message)


@only_sqlite
async def test_events_are_kept_for_so_many_days_and_then_leave_no_trace(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    young = event(500 * DAY, BOB)
    await store.insert([row(event(1)), row(young)])
    seen = looks()
    keeping = Retention(store, 600, every=0, looking=lambda: next(seen))
    with caplog.at_level(logging.INFO):
        task = asyncio.create_task(keeping.run())
        await until_logged(caplog, "events_expired")
        await ended(task)
    assert await documents(store) == [young]
    assert not naming(tmp_path, ANN)


@pytest.mark.parametrize("jump", [10_000.0 * DAY, -10_000.0 * DAY])
async def test_a_clock_that_jumps_removes_nothing(
    store: Store, caplog: pytest.LogCaptureFixture, jump: float
) -> None:
    """It jumps, and an hour later it is put right again."""
    await store.insert([row(event(1))])
    seen = looks(0, jump, -jump)
    keeping = Retention(store, 2000, every=0, looking=lambda: next(seen))
    task = asyncio.create_task(keeping.run())
    await until(lambda: logged(caplog).count("retention_waits") >= 2, "both jumps to be seen")
    await ended(task)
    assert len(await documents(store)) == 1


async def test_without_a_policy_nothing_is_looked_at(store: Store) -> None:
    await store.insert([row(event(1))])
    await Retention(store, 0, every=0).run()
    assert len(await documents(store)) == 1


async def test_retention_waits_for_a_store_that_is_locked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await Store.open(tmp_path / "store.db", patience=0.01)
    await store.insert([row(event(1))])
    seen = looks()
    keeping = Retention(store, 1, every=0, looking=lambda: next(seen))
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(keeping.run())
        await until_logged(caplog, "retention_failed")
        other.execute("ROLLBACK")
    with caplog.at_level(logging.INFO):
        await until_logged(caplog, "events_expired")
    await ended(task)
    await store.close()


NAMED = {"recipients": [BOB, ANN], "headers": {"message-id": "m", "to": f"Bob <{BOB}>"}}
IN_TO = {"headers": {"message-id": "m", "to": f"Bob <{BOB}>, Ann <{ANN}>"}}


@pytest.mark.parametrize("message", [{}, NAMED, IN_TO])
async def test_every_event_that_names_a_recipient_is_erased(
    store: Store, message: dict[str, object]
) -> None:
    theirs = [
        event(1, tags=["sale"]),
        event(2, ANN, OTHER),
        event(4, message={"recipients": [ANN]}),
    ]
    if message:
        theirs.append(event(5, BOB, OTHER, message=message))
    others = [event(3, BOB), event(6, "joann@example.com"), event(7, "")]
    await store.insert([row(each) for each in (*theirs, *others)])
    assert await erase_recipient(store, " Ann@EXAMPLE.com") == len(theirs)
    assert await documents(store) == others
    assert await documents(store, domain=OTHER) == []
    assert await counted(store, "tag") == 0
    assert await erase_recipient(store, ANN) == 0


async def test_one_domain_can_erase_its_own_alone(store: Store) -> None:
    await store.insert([row(event(1)), row(event(2, ANN, OTHER))])
    assert await erase_recipient(store, ANN, OTHER.upper()) == 1
    assert await documents(store) == [event(1)]


@pytest.mark.parametrize("address", ["", "  "])
async def test_nobody_is_not_everybody_without_an_address(store: Store, address: str) -> None:
    await store.insert([row(event(1, ""))])
    with pytest.raises(ValueError, match="an address is missing"):
        await erase_recipient(store, address)
    assert len(await documents(store)) == 1


async def test_what_is_told_of_a_recipient_is_handed_out_and_can_be_gone_on_with(
    store: Store,
) -> None:
    here = [event(number) for number in range(700)]
    there = [event(number, ANN, OTHER) for number in range(10)]
    await store.insert([row(each) for each in (*here, *there, event(1, BOB), event(2, BOB))])
    passages = [passage async for passage in events_of_recipient(store, ANN)]
    given = [found.document for passage in passages for found in passage.events]
    assert given == [*here, *there]
    for number, passage in enumerate(passages, 1):
        behind = [each async for each in events_of_recipient(store, ANN, behind=passage.end)]
        assert behind == passages[number:]
    (only,) = [passage async for passage in events_of_recipient(store, ANN, OTHER)]
    assert [found.document for found in only.events] == there
