"""A page is found in known time, and nothing that couldn't be read or reached passes unsaid."""

import itertools
import logging
import math

import pytest
from sqlalchemy import update

from tests.tracker.store.documents import DOMAIN, START, document
from tracker.store import page, schema
from tracker.store.database import Store
from tracker.store.page import Unfinished
from tracker.store.query import Walk
from tracker.store.row import row
from tracker.store.tree import EVERYTHING, AllOf, AnyOf, Match, Not, Tree

pytestmark = pytest.mark.anyio

SUBJECTS = ("Hello World", "Farewell")
EVENTS = [
    row(
        document(
            number,
            timestamp=START + number // 3,
            event=("opened", "clicked")[number % 2],
            tags=["sale"] * (number % 3 == 0) + ["news"] * (number % 5 == 0),
            message={"headers": {"message-id": "m", "subject": SUBJECTS[number % 7 == 0]}},
        )
    )
    for number in range(100)
]
HELLO = Match("subject", "hello")


@pytest.fixture
async def full(store: Store) -> Store:
    await store.insert(EVENTS)
    return store


def walk(tree: Tree = EVERYTHING, *, ascending: bool = True, limit: int = 300) -> Walk:
    return Walk(DOMAIN, ascending, limit, tree=tree)


@pytest.mark.parametrize(
    "tree",
    [
        Not(HELLO),
        Not(Match("recipient", "ann@example.com")),
        AllOf((Match("event", "opened"), Not(HELLO))),
        AllOf((AnyOf((Match("tags", "sale"), Match("tags", "news"))), Not(HELLO))),
        AllOf((AnyOf((Match("event", "opened"), Match("event", "clicked"))), Not(HELLO))),
    ],
)
async def test_a_page_is_the_same_in_however_many_stretches_it_is_read(
    full: Store, tree: Tree
) -> None:
    async with full.reading() as connection:
        for limit, ascending in itertools.product((7, 300), (True, False)):
            asked = walk(tree, ascending=ascending, limit=limit)
            whole = await page.read(connection, asked, math.inf)
            for stretches in ((9,), (100,), (5, 50)):
                parted = await page.read(connection, asked, math.inf, stretches=stretches)
                assert parted.events == whole.events


async def test_a_page_without_time_ends_early_and_the_next_goes_on_behind_it(full: Store) -> None:
    farewells = walk(Not(HELLO))
    async with full.reading() as connection:
        first = await page.read(connection, farewells, 0, stretches=(10,))
    assert [found.document for found in first.events] == [EVENTS[0].document, EVENTS[7].document]
    assert len(await full.page(farewells)) == 15


@pytest.mark.parametrize(("ascending", "second"), [(True, 3), (False, 30)])
async def test_where_nothing_was_found_in_time_it_is_said_how_far_the_search_came(
    full: Store, ascending: bool, second: int
) -> None:
    nobody = walk(Match("subject", "nobody"), ascending=ascending)
    async with full.reading() as connection:
        with pytest.raises(Unfinished) as told:
            await page.read(connection, nobody, 0, stretches=(10,))
    assert told.value.reached.at == (START + second) * 1_000_000
    assert "no event that meets the filter was found within 0 seconds" in str(told.value)
    assert f"go on with begin={START + second}.000000" in str(told.value)


async def test_a_search_that_came_to_its_end_has_found_nothing(full: Store) -> None:
    assert await full.page(walk(Match("subject", "nobody")), within=0) == []


async def test_a_walk_is_gone_through_page_by_page(full: Store) -> None:
    pages = [found async for found in full.through(walk(limit=30))]
    assert [len(found) for found in pages] == [30, 30, 30, 10]
    assert [event.document for found in pages for event in found] == [
        each.document for each in EVENTS
    ]


async def damage(store: Store, numbers: range) -> None:
    async with store.writing() as connection:
        for number in numbers:
            its = schema.event.c.id == EVENTS[number].id
            done = await connection.execute(
                update(schema.event).where(its).values(document=b"\x01\xff\xff\xff")
            )
            assert done.rowcount == 1


@pytest.mark.parametrize("numbers", [range(1, 2), range(5), range(40, 60), range(95, 100)])
async def test_a_damaged_document_is_passed_by_and_told(
    full: Store, numbers: range, caplog: pytest.LogCaptureFixture
) -> None:
    await damage(full, numbers)
    whole = [each.document for number, each in enumerate(EVENTS) if number not in numbers]
    with caplog.at_level(logging.ERROR):
        pages = [found async for found in full.through(walk(limit=5))]
    assert [event.document for found in pages for event in found] == whole
    assert {len(found) for found in pages[:-1]} == {5}
    assert {key.id for _, key in full.damaged} == {EVENTS[number].id for number in numbers}
    assert [record.message for record in caplog.records] == ["document_damaged"] * len(numbers)

    followed, after = [], 0
    while events := await full.feed(after, 5):
        followed += [event.document for event in events]
        after = events[-1].sequence
    assert followed == whole
    assert len(full.damaged) == len(numbers)


async def test_a_damaged_document_can_be_replaced_by_a_revision(full: Store) -> None:
    await damage(full, range(3, 4))
    revised = document(3, timestamp=START + 1, revision=1, event="clicked")
    await full.insert([row(revised)])
    assert len(await full.page(walk())) == 100
    assert [event.document for event in await full.feed(100, 10)] == [revised]
