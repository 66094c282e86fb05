"""Every walk is compared with the same walk over a list, in plain Python."""

import asyncio
import operator
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects.sqlite import aiosqlite

from tests.tracker.store.documents import DOMAIN, START, document
from tracker.store import query, sqlite
from tracker.store.database import Store
from tracker.store.query import Key, Walk, anchored, milestone, page, selective
from tracker.store.row import Row, row, words
from tracker.store.tree import EVERYTHING, AllOf, AnyOf, Compare, Match, Not, Tree

KINDS = ("opened", "clicked", "failed")
TAGS = ("summer", "sale", "new year")
RECIPIENTS = ("ann@example.com", "bob@example.com", "eve@example.org")
SUBJECTS = ("Hello World", "Hello Rachel", "Farewell, Monica: 100% off_", "")


def event(number: int) -> bytes:
    """Write the event of a number; several share a time."""
    return document(
        number,
        timestamp=START + number // 3,
        event=KINDS[number % 3],
        recipient=RECIPIENTS[number % 7 % 3],
        tags=TAGS[: number % 4],
        severity=("temporary", "permanent", None)[number % 5 % 3],
        message={
            "headers": {
                "message-id": f"m{number % 4}@news.example",
                "subject": SUBJECTS[number % 4],
            },
            "recipients": RECIPIENTS[: number % 3],
            "size": number * 100 if number % 2 else None,
        },
    )


ROWS = [row(event(number)) for number in range(60)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "store.db"

    async def fill() -> None:
        store = await Store.open(path)
        await store.insert(ROWS)
        await store.insert([row(event(number), "other.example") for number in range(60)])
        await store.close()

    asyncio.run(fill())
    return path


def asked(
    database: Path,
    walk: Walk,
    how: str = "",
    statement: Callable[[Walk], Any] = page,
) -> list[tuple[Any, ...]]:
    """Run the statement of a walk, or explain it, over the real file."""
    dialect = aiosqlite.dialect(paramstyle="named")
    dialect.statement_compiler = sqlite.Compiler
    compiled = statement(walk).compile(dialect=dialect)
    connection = sqlite3.connect(database)
    try:
        return connection.execute(f"{how} {compiled}", compiled.construct_params()).fetchall()
    finally:
        connection.close()


def walked(database: Path, walk: Walk) -> list[Key]:
    return [Key(at, id_) for at, id_, _ in asked(database, walk)]


HOLDS: dict[str, Callable[[Row, str], bool]] = {
    "event": lambda found, text: text.lower() == found.kind,
    "message-id": lambda found, text: text.strip("<>").lower() == found.message_id,
    "recipient": lambda found, text: text.lower() == found.recipient,
    "recipients": lambda found, text: words(text) in found.recipients,
    "severity": lambda found, text: text == found.severity,
    "subject": lambda found, text: bool(words(text)) and words(text) in found.subject,
    "tags": lambda found, text: text.lower() in found.tags,
}
SIGNS = {">": operator.gt, "<": operator.lt, "=": operator.eq}


def meets(found: Row, tree: Tree) -> bool:
    match tree:
        case Match(field, text):
            return HOLDS[field](found, text)
        case Compare("size", sign, number):
            return found.size is not None and bool(SIGNS[sign](found.size, number))
        case Not(part):
            return not meets(found, part)
        case AllOf(parts):
            return all(meets(found, part) for part in parts)
        case AnyOf(parts):
            return any(meets(found, part) for part in parts)
    raise AssertionError(tree)


def expected(rows: Sequence[Row], walk: Walk) -> list[Key]:
    keys = sorted(
        (
            Key(each.at, each.id)
            for each in rows
            if walk.low <= each.at <= walk.high and meets(each, walk.tree)
        ),
        reverse=not walk.ascending,
    )
    start = walk.start
    if start is not None:
        keys = [
            key
            for key in keys
            if (key > start if walk.ascending else key < start) or (walk.inclusive and key == start)
        ]
    return keys[: walk.limit]


matches = st.one_of(
    *(
        st.builds(Match, st.just(field), st.sampled_from(texts))
        for field, texts in {
            "event": ("opened", "CLICKED", "stored"),
            "recipient": ("ann@example.com", "Eve@example.org", "nobody"),
            "tags": ("summer", "Sale", "new year", "none"),
            "message-id": ("m1@news.example", "<M2@news.example>"),
            "severity": ("temporary", "permanent"),
            "subject": ("hello", "hello world", "ello", "100% off_", "10_", "?"),
            "recipients": ("bob@example.com", "example.com"),
        }.items()
    )
)
compares = st.builds(
    Compare,
    st.just("size"),
    st.sampled_from((">", "<", "=")),
    st.sampled_from((0.0, 300.0, 301.5, 5900.0)),
)
trees: st.SearchStrategy[Tree] = st.recursive(
    matches | compares,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(AllOf, st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=8,
)
times = st.integers(START - 1, START + 21).map(lambda seconds: seconds * 1_000_000)
places = st.sampled_from(ROWS).map(lambda row: Key(row.at, row.id))


@given(
    walk=st.builds(
        Walk,
        domain=st.just(DOMAIN),
        ascending=st.booleans(),
        limit=st.sampled_from((1, 5, 300)),
        tree=trees,
    )
)
def test_a_walk_finds_what_meets_its_conditions(database: Path, walk: Walk) -> None:
    assert walked(database, walk) == expected(ROWS, walk)


@given(
    walk=st.builds(
        Walk,
        domain=st.just(DOMAIN),
        ascending=st.booleans(),
        limit=st.integers(1, 20),
        low=times,
        high=times,
        tree=st.sampled_from((EVERYTHING, Match("event", "opened"), Match("tags", "summer"))),
    ),
    start=st.none() | places,
    inclusive=st.booleans(),
)
def test_a_walk_keeps_to_its_range_and_starts_where_it_is_told(
    database: Path, walk: Walk, start: Key | None, inclusive: bool
) -> None:
    walk = replace(walk, start=start, inclusive=inclusive)
    assert walked(database, walk) == expected(ROWS, walk)


BY_TIME = "SEARCH event USING PRIMARY KEY (domain=? AND"
BY_KIND = "SEARCH event USING INDEX event_by_kind (domain=? AND kind=? AND"
OF_PERIOD = "<expr>=? AND domain=? AND"
BY_RECIPIENT = f"SEARCH event USING INDEX event_by_recipient ({OF_PERIOD} recipient=? AND"
BY_MESSAGE = f"SEARCH event USING INDEX event_by_message ({OF_PERIOD} message_id=? AND"
BY_TAG = "SEARCH tag USING PRIMARY KEY (domain=? AND tag=? AND"


@pytest.mark.parametrize(
    ("tree", "ways"),
    [
        (EVERYTHING, [BY_TIME]),
        (Match("subject", "hello"), [BY_TIME]),
        (Not(Match("recipient", "ann@example.com")), [BY_TIME]),
        (AnyOf((Match("event", "opened"), Match("recipient", "ann@example.com"))), [BY_TIME]),
        (Match("event", "opened"), [BY_KIND]),
        (AnyOf((Match("event", "opened"), Match("event", "clicked"))), [BY_KIND, BY_KIND]),
        (Match("tags", "sale"), [BY_TAG]),
        (AllOf((Match("event", "opened"), Match("tags", "sale"))), [BY_TAG]),
        (AllOf((Match("tags", "sale"), Match("recipient", "ann@example.com"))), [BY_RECIPIENT]),
        (AllOf((Match("recipient", "ann@example.com"), Match("message-id", "m"))), [BY_MESSAGE]),
    ],
)
@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("start", [None, Key(START * 1_000_000, "id-0001")])
def test_a_walk_goes_along_one_index_to_its_first_event_and_sorts_nothing(
    database: Path, tree: Tree, ways: list[str], ascending: bool, start: Key | None
) -> None:
    walk = Walk(DOMAIN, ascending, 100, tree=tree, start=start)
    plan = [line[3] for line in asked(database, walk, "EXPLAIN QUERY PLAN")]
    ranges = [step for step in plan if "<" in step and "(<expr><?)" not in step]
    assert [step[: len(way)] for step, way in zip(ranges, ways, strict=True)] == ways
    assert all(("(at,id)" in step) is (start is not None) for step in ranges)
    assert not any(step.startswith(("SCAN event", "SCAN tag")) for step in plan)
    assert ("USE TEMP B-TREE FOR ORDER BY" in plan) is (len(ways) > 1)  # the merged legs, at most


@pytest.mark.parametrize(
    ("tree", "way"),
    [
        (Match("subject", "hello"), BY_TIME),
        (AllOf((Match("event", "opened"), Match("subject", "x"))), BY_KIND),
        (AllOf((Match("tags", "sale"), Not(Match("event", "opened")))), BY_TAG),
    ],
)
@pytest.mark.parametrize("ascending", [True, False])
def test_a_milestone_is_found_along_the_same_index_without_reading_events(
    database: Path, tree: Tree, way: str, ascending: bool
) -> None:
    walk = Walk(DOMAIN, ascending, 100, tree=tree, start=Key(START * 1_000_000, "id-0001"))
    (step,) = (
        line[3] for line in asked(database, walk, "EXPLAIN QUERY PLAN", lambda w: milestone(w, 9))
    )
    assert step.startswith((way, way.replace("USING INDEX", "USING COVERING INDEX")))


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (EVERYTHING, False),
        (AllOf((EVERYTHING, AllOf(()))), False),
        (AllOf((Match("tags", "sale"),)), False),
        (AnyOf((Match("event", "opened"), Match("event", "clicked"))), False),
        (AllOf((Match("tags", "sale"), Match("event", "opened"))), True),
        (Not(Match("tags", "sale")), True),
        (AnyOf(()), True),
    ],
)
def test_a_walk_knows_whether_it_may_pass_events_by(tree: Tree, expected: bool) -> None:
    assert selective(Walk(DOMAIN, ascending=True, limit=1, tree=tree)) is expected


def test_a_value_that_is_asked_for_twice_is_walked_once() -> None:
    twice = AnyOf((Match("tags", "Sale"), Match("tags", "sale")))
    assert anchored(twice) == query.Anchor("tags", frozenset({"sale"}))


def test_a_filter_as_long_as_may_be_is_answered(database: Path) -> None:
    tree = AllOf(
        tuple(
            AnyOf(tuple(Match(field, f"{field} {number}") for number in range(25)))
            for field in ("tags", "event")
        )
    )
    assert walked(database, Walk(DOMAIN, ascending=True, limit=300, tree=tree)) == []
