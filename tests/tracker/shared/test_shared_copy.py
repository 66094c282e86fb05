"""The copy of what machines share: the same as in the store, and begun anew where it can't be."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.shared.copy import Copy, CopyUnavailable
from tracker.store.access import KeyRecord
from tracker.store.database import Store
from tracker.store.decision import Decision, decide
from tracker.store.suppressions import BEGINNING, Changed, Mark, Suppression, Suppressions

KEY = KeyRecord("0a1b2c3d", "sender", b"\1" * 32, "send", ("shop.example",), 1, None, None, None)


def changed(number: int, address: str, *, suppressed: bool = True) -> Changed:
    return Changed(Mark(number, "shop.example", address, "*"), 1_000 + number, suppressed)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.db"


def test_a_copy_knows_who_is_suppressed_and_how_far_it_reaches(path: Path) -> None:
    copy = Copy.open(path, "store a")
    assert copy.mark() == BEGINNING
    copy.take([changed(1, "ann@example.net"), changed(2, "bob@example.net")])
    copy.take([changed(3, "bob@example.net", suppressed=False)])
    asked = ["ann@example.net", "bob@example.net", "eve@example.net"]
    assert copy.suppressions("shop.example", asked) == {
        "ann@example.net": Suppression("ann@example.net", ("*",), 1_001)
    }
    assert copy.suppressions("other.example", asked) == {}
    assert copy.mark().change == 3
    copy.close()


def test_what_was_copied_survives_the_process_and_is_for_its_owner_alone(path: Path) -> None:
    copy = Copy.open(path, "store a")
    copy.take([changed(1, "ann@example.net")])
    copy.keep_keys([KEY])
    copy.note_current({"suppressions": 12.5})
    copy.close()
    again = Copy.open(path, "store a")
    assert (again.mark().change, again.keys()) == (1, [KEY])
    assert again.current() == {"suppressions": 12.5}
    assert path.stat().st_mode & 0o777 == 0o600
    again.close()


@pytest.mark.parametrize("spoiled", ["other store", "other file", "other form", "empty"])
def test_a_copy_that_is_none_of_this_store_begins_anew(path: Path, spoiled: str) -> None:
    copy = Copy.open(path, "store b" if spoiled == "other store" else "store a")
    copy.take([changed(1, "ann@example.net")])
    copy.note_current({"suppressions": 1.0})
    copy.close()
    match spoiled:
        case "other file":
            path.write_bytes(b"some other file " * 1000)
        case "other form":
            with sqlite3.connect(path) as connection:
                connection.execute("pragma user_version=99")
            connection.close()
        case "empty":
            path.write_bytes(b"")
    assert Copy.there(path, "store a") is None
    anew = Copy.open(path, "store a")
    assert (anew.mark(), anew.current()) == (BEGINNING, {})
    assert anew.suppressions("shop.example", ["ann@example.net"]) == {}
    anew.close()


def test_a_command_reads_beside_the_office_and_makes_nothing(path: Path) -> None:
    assert Copy.there(path, "store a") is None
    assert not path.exists()
    office = Copy.open(path, "store a")
    beside = Copy.there(path, "store a")
    assert beside is not None
    office.take([changed(1, "ann@example.net")])
    assert list(beside.suppressions("shop.example", ["ann@example.net"])) == ["ann@example.net"]
    beside.close()
    office.close()


def test_a_copy_that_breaks_while_it_is_open_says_how_to_get_a_new_one(path: Path) -> None:
    copy = Copy.open(path, "store a")
    with sqlite3.connect(path) as connection:
        connection.execute("drop table suppression")
    connection.close()
    with pytest.raises(CopyUnavailable, match=r"where shared\.db is removed, a new one is made"):
        copy.take([changed(1, "ann@example.net")])
    copy.close()


ADDRESSES = ["ann@example.net", "bob@example.net", "\N{SNOWMAN}@example.net"]
DECISIONS = st.lists(
    st.builds(
        Decision,
        st.sampled_from(["shop.example", "b.example"]),
        st.sampled_from(ADDRESSES),
        st.sampled_from(["*", "spring", "list:news"]),
        st.integers(1, 5),
        st.booleans(),
    ),
    max_size=6,
)


async def _follow(copy: Copy, suppressions: Suppressions, at_once: int) -> None:
    while changes := await suppressions.changes(copy.mark(), at_once):
        copy.take(changes)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.tuples(DECISIONS, st.booleans()), max_size=5), at_once=st.integers(1, 3))
def test_whoever_follows_the_changes_knows_what_the_store_knows(
    store_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[tuple[list[Decision], bool]],
    at_once: int,
) -> None:
    """Each example has a copy of its own, of one store that has more and more behind it."""
    copy = Copy.open(tmp_path_factory.mktemp("copy") / "shared.db", store_url)

    async def example() -> None:
        store = await Store.open(store_url)
        suppressions = Suppressions(store)
        for batch, looks in batches:
            async with store.writing() as connection:
                await decide(connection, batch)
            if looks:
                await _follow(copy, suppressions, at_once)
        await _follow(copy, suppressions, at_once)
        for domain in ("shop.example", "b.example"):
            assert copy.suppressions(domain, ADDRESSES) == await suppressions.of(domain, ADDRESSES)
        assert copy.mark().change <= await suppressions.last_change()
        await store.close()

    asyncio.run(example())
    copy.close()
