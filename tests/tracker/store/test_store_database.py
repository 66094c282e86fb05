import asyncio
import os
import sqlite3
import stat
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.servers.stores import only_sqlite
from tests.tracker.forwarding.parts import largest_file
from tests.tracker.store import endless
from tests.tracker.store.documents import DOMAIN, document
from tracker.store.database import Store, StoreError, StoreUnavailable
from tracker.store.query import Walk
from tracker.store.row import LATEST, row
from tracker.store.tree import Match

pytestmark = pytest.mark.anyio

ALL = Walk(DOMAIN, ascending=True, limit=10_000)


async def documents(store: Store, walk: Walk = ALL) -> list[bytes]:
    return [found.document for found in await store.page(walk)]


async def test_an_event_is_there_once_however_often_it_is_inserted(store: Store) -> None:
    for _ in range(3):
        await store.insert([row(document(1)), row(document(1)), row(document(2))])
    assert await documents(store) == [document(1), document(2)]


@pytest.mark.parametrize("number", [1, 511, 512, 513, 1_037])
async def test_of_however_many_each_is_there_once(store: Store, number: int) -> None:
    """Databases take many rows in one statement, and what is left over in smaller ones."""
    some = [document(each, tags=["sale", "news"]) for each in range(number)]
    rows = [row(each) for each in some]
    assert len(await store.insert(rows)) == number
    assert await store.insert(rows[::-1]) == []
    assert [change.row.id for change in await store.insert([*rows, row(document(number))])] == [
        f"id-{number:04}"
    ]
    sale = Walk(DOMAIN, ascending=True, limit=10_000, tree=Match("tags", "sale"))
    assert await documents(store, sale) == some


async def test_an_id_may_come_again_at_another_time(store: Store) -> None:
    """Mailgun's ids are unique within a day only."""
    await store.insert([row(document(1)), row(document(2, id="id-0001"))])
    assert len(await documents(store)) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (2, 0, 1), (1, 2, 2)])
async def test_the_highest_revision_stays(store: Store, order: tuple[int, ...]) -> None:
    for revision in order:
        await store.insert([row(document(1, revision=revision))])
    assert await documents(store) == [document(1, revision=2)]


async def test_a_revised_event_comes_up_in_the_feed_once_more(store: Store) -> None:
    await store.insert([row(document(1)), row(document(2))])
    seen = await store.last()
    await store.insert([row(document(1, revision=1)), row(document(2))])
    assert [event.document for event in await store.feed(seen, 10)] == [document(1, revision=1)]
    assert len(await store.feed(0, 10)) == 2


async def test_what_was_inserted_is_there_after_opening_again(store_url: str) -> None:
    first = await Store.open(store_url)
    await first.insert([row(document(1))])
    last = await first.last()
    await first.close()
    second = await Store.open(store_url)
    assert await documents(second) == [document(1)]
    assert await second.last() == last
    await second.close()


async def test_whoever_follows_the_feed_misses_nothing_of_several_writers(store_url: str) -> None:
    stores = [await Store.open(store_url, patience=PATIENCE) for _ in range(3)]
    numbers = range(60)

    async def write(store: Store, mine: range) -> None:
        for number in mine:
            # Times run against the order of insertion: whoever listed by time would miss them.
            await store.insert([row(document(-number))])

    writers = [asyncio.create_task(write(stores[i], numbers[i::2])) for i in range(2)]
    followed: list[bytes] = []
    after = 0
    while len(followed) < len(numbers):
        for event in await stores[2].feed(after, 7):
            followed.append(event.document)
            after = event.sequence
    await asyncio.gather(*writers)
    assert sorted(followed) == sorted(document(-number) for number in numbers)
    for store in stores:
        await store.close()


@only_sqlite
async def test_the_file_can_be_read_by_its_owner_alone(tmp_path: Path, store: Store) -> None:
    await store.insert([row(document(1))])
    for file in await asyncio.to_thread(lambda: list(tmp_path.iterdir())):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def _of_another_program(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            _garbage,
            "cannot open the store {path}: file is not a database"
            " (the file is damaged or another's: put back a copy)",
        ),
        (_of_another_program, "{path} is a database of another program, not a store of events"),
        (Path.mkdir, "cannot open the store {path}: unable to open database file"),
    ],
)
async def test_a_file_that_is_no_store_is_refused_in_one_sentence(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / "store.db"
    make(path)
    with pytest.raises(StoreError) as refusal:
        await Store.open(path)
    assert str(refusal.value) == says.format(path=path)


async def test_a_file_that_another_process_makes_a_store_of_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr("certs.busy.sleep", lambda _: other.rollback())
        await closed(await Store.open(tmp_path / "store.db", patience=PATIENCE))


async def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"gone/store\.db: No such file or directory$"):
        await Store.open(tmp_path / "gone" / "store.db")


async def test_a_locked_store_says_so_and_works_on_afterwards(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "store.db", patience=0.01)
    await store.insert([row(document(1))])
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="database is locked"):
        await store.insert([row(document(2))])
    assert await documents(store) == [document(1)]
    other.execute("ROLLBACK")
    other.close()
    await store.insert([row(document(2))])
    assert await documents(store) == [document(1), document(2)]
    await store.close()


@pytest.mark.parametrize("page", [2, 5, 20, 60])
async def test_a_corrupt_store_says_so_and_what_to_do(tmp_path: Path, page: int) -> None:
    path = tmp_path / "store.db"
    store = await Store.open(path)
    await store.insert(
        [row(document(number, padding=os.urandom(99).hex())) for number in range(2000)]
    )
    await store.close()
    with path.open("r+b") as file:  # of the tables and indices some pages are gone
        file.seek(page * 4096)
        file.write(b"\xaa" * (path.stat().st_size - page * 4096))
    with pytest.raises(
        (StoreError, StoreUnavailable), match=r"is malformed \(the file is damaged:"
    ):
        await closed(await Store.open(path))


async def closed(store: Store) -> None:
    """Ask a store for everything, and close it in any case."""
    try:
        await documents(store)
        await store.feed(0, 10_000)
        await store.insert([row(document(5000))])
    finally:
        await store.close()


@pytest.mark.parametrize("at", [0, 1, 4_102_444_800, LATEST // 1_000_000])
async def test_an_event_of_any_time_is_found_by_time_and_followed_by_its_coming(
    store: Store, at: int
) -> None:
    """Some clock had jumped."""
    strange, usual = document(1, timestamp=at), document(2)
    await store.insert([row(strange), row(usual)])
    assert sorted(await documents(store)) == sorted([strange, usual])
    assert [event.document for event in await store.feed(0, 10)] == [strange, usual]
    there = Walk(DOMAIN, ascending=False, limit=1, low=at * 1_000_000, high=at * 1_000_000)
    assert await documents(store, there) == [strange]


@only_sqlite
async def test_a_full_disk_loses_the_batch_whole_and_nothing_else(store: Store) -> None:
    await store.insert([row(document(1))])
    batch = [row(document(number, padding="x" * 1000)) for number in range(2, 500)]
    with largest_file(200_000), pytest.raises(StoreUnavailable, match="the store can't answer: "):
        await store.insert(batch)
    assert await documents(store) == [document(1)]
    await store.insert(batch)
    assert len(await documents(store)) == 499


async def test_an_insertion_that_is_given_up_leaves_all_or_nothing(store_url: str) -> None:
    """The forwarder cancels a sink that takes too long, and offers the same batch again."""
    # Where it may use TLS, asyncpg leaves an error to nobody if its request to cancel is cut off.
    where = store_url + ("?sslmode=disable" if "://" in store_url else "")
    # What was given up holds its lock until the server notices.
    store = await Store.open(where, patience=PATIENCE)
    batch = [row(document(number)) for number in range(200)]
    for steps in range(30):
        task = asyncio.create_task(store.insert(batch))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert len(await documents(store)) in {0, len(batch)}
    await store.insert(batch)
    assert len(await documents(store)) == len(batch)
    await store.close()


@pytest.mark.parametrize("batches", [0, 1, 13])
async def test_a_process_killed_at_any_moment_has_stored_what_it_said_it_had(
    store_url: str, batches: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", endless.__name__, store_url),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    for _ in range(batches):
        await process.stdout.readline()
    process.kill()
    said = batches + (await process.stdout.read()).count(b"stored")
    await process.wait()

    store = await Store.open(store_url, patience=PATIENCE)
    async with store.writing():
        pass  # a server may be about to commit what the process left: nobody else writes meanwhile
    stored = len(await documents(store))
    assert stored in {said * endless.BATCH, (said + 1) * endless.BATCH}
    sale = Walk(DOMAIN, ascending=True, limit=10_000, tree=Match("tags", "sale"))
    assert len(await documents(store, sale)) == stored
    assert len(await store.feed(0, 10_000)) == stored
    await store.close()
