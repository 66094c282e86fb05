import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pytest
from sqlalchemy import delete, inspect, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.patience import PATIENCE
from tests.tracker.store.documents import DOMAIN, document
from tracker import folder
from tracker.domains import TrackingDomain
from tracker.store import schema
from tracker.store.access import KeyRecord, KeyRecords
from tracker.store.audit import Audit, entry
from tracker.store.copying import Copy, CopyRefused, copying, tables
from tracker.store.database import Store
from tracker.store.domains import Domains
from tracker.store.query import Walk
from tracker.store.row import row

pytestmark = pytest.mark.anyio

AT_ONCE = 20
EVENTS = 2 * AT_ONCE + 10


@pytest.fixture
async def source(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Store]:
    (tmp_path / "home").mkdir()
    shutil.copy(migrated_file, tmp_path / "home" / "store.db")
    store = await Store.open(tmp_path / "home" / "store.db")
    kinds = ("delivered", "opened", "clicked", "unsubscribed")
    rows = [
        row(
            document(
                number,
                event=kinds[number % 4],
                recipient=f"person{number % 90}@example.com",
                tags=["news", f"t{number % 3}"],
            )
        )
        for number in range(EVENTS)
    ]
    await store.insert(rows)
    await store.insert([row(document(5, event="opened", revision=1, verdict={"kind": "machine"}))])
    await Domains(store).add(TrackingDomain("click.news.example", DOMAIN), who="ann")
    await KeyRecords(store).add(KeyRecord("k1", "mine", b"d" * 32, "read", ("news.example",), 1))
    await Audit(store).add(entry("ann", "apikeys.add", "k1"))
    yield store
    await store.close()


@pytest.fixture
async def target(store_url: str) -> AsyncIterator[Store]:
    async with opened(store_url) as store:
        yield store


@asynccontextmanager
async def opened(path: Path | str) -> AsyncIterator[Store]:
    store = await Store.open(path)
    try:
        yield store
    finally:
        await store.close()


async def run(copy: Copy) -> None:
    async for _ in copy.run():
        pass


async def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    async with store.reading() as connection:
        return {
            table.name: sorted(tuple(row) for row in await connection.execute(table.select()))
            for table in tables()
        }


async def test_a_copy_holds_all_that_the_source_holds(source: Store, target: Store) -> None:
    copy = await Copy.begin(source, target, AT_ONCE)
    steps = [step async for step in copy.run()]
    assert await everything(target) == await everything(source)
    assert sum(step.rows for step in steps if not step.checked) == copy.rows == copy.done
    assert sum(step.rows for step in steps if step.checked) == copy.rows


async def test_whoever_follows_the_feed_goes_on_in_the_copy_with_the_same_cursor(
    source: Store, target: Store
) -> None:
    seen = (await source.feed(0, 100))[-1].sequence
    await run(await Copy.begin(source, target, AT_ONCE))
    assert await target.feed(seen, 5_000) == await source.feed(seen, 5_000)
    await target.insert([row(document(9_999))])
    (newest,) = await target.feed(await source.last(), 10)
    assert newest.sequence > await source.last()


async def test_what_is_changed_after_the_copy_is_numbered_on(source: Store, target: Store) -> None:
    await run(await Copy.begin(source, target, AT_ONCE))
    await Audit(target).add(entry("ann", "apikeys.revoke", "k1"))
    assert len(await Audit(target).newest(10)) == len(await Audit(source).newest(10)) + 1
    await target.insert([row(document(6, revision=2))])
    events = await target.page(Walk(DOMAIN, ascending=True, limit=10_000))
    assert len(events) == EVENTS


@pytest.mark.parametrize("steps", [1, 2, 4])
async def test_a_copy_that_was_cut_short_goes_on_where_it_was(
    source: Store, target: Store, steps: int
) -> None:
    begun = await Copy.begin(source, target, AT_ONCE)
    walk = begun.run()
    for _ in range(steps):
        await anext(walk)
    await walk.aclose()  # type: ignore[attr-defined]  # a generator is what it is
    again = await Copy.begin(source, target, AT_ONCE)
    assert again.done == begun.done > 0
    copied = [step.rows async for step in again.run() if not step.checked]
    assert sum(copied) == again.rows - begun.done
    assert await everything(target) == await everything(source)


async def test_the_copy_leaves_no_table_of_its_own(source: Store, target: Store) -> None:
    await run(await Copy.begin(source, target, AT_ONCE))
    async with target.reading() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert copying.name not in names


async def test_no_table_of_a_store_is_left_out(target: Store) -> None:
    async with target.reading() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert {table.name for table in tables()} == set(names) - {"alembic_version"}


async def test_a_target_that_holds_something_is_refused_and_stays_as_it_is(
    source: Store, target: Store
) -> None:
    await target.insert([row(document(1))])
    before = await everything(target)
    with pytest.raises(CopyRefused, match=r"no new store: it has rows in .*event"):
        await Copy.begin(source, target, AT_ONCE)
    assert await everything(target) == before


async def test_a_source_that_changed_since_the_copy_began_is_noticed(
    source: Store, target: Store
) -> None:
    walk = (await Copy.begin(source, target, AT_ONCE)).run()
    await anext(walk)
    await source.insert([row(document(9_999))])
    with pytest.raises(CopyRefused, match="has changed since the copy began"):
        async for _ in walk:
            pass
    with pytest.raises(CopyRefused, match="has changed since the copy began"):
        await Copy.begin(source, target, AT_ONCE)


async def lost(connection: AsyncConnection) -> None:
    await connection.execute(delete(schema.event).where(schema.event.c.id == "id-0007"))


async def altered(connection: AsyncConnection) -> None:
    await connection.execute(
        update(schema.event).where(schema.event.c.id == "id-0007").values(document=b"other")
    )


@pytest.mark.parametrize("happened", [lost, altered])
async def test_a_target_in_which_a_row_is_missing_or_another_is_noticed(
    source: Store, target: Store, happened: Callable[[AsyncConnection], Awaitable[None]]
) -> None:
    async def disturbed() -> None:
        copied = 0
        async for step in (await Copy.begin(source, target, AT_ONCE)).run():
            copied += step.rows if step.table == "event" else 0
            if copied == EVENTS and not step.checked:
                async with target.writing() as connection:
                    await happened(connection)

    with pytest.raises(CopyRefused, match=f"event holds .* {EVENTS} were read from the source"):
        await disturbed()


def tracker(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tracker", "store", "copy", *words],
        env={"TRACKER_DATA": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


async def test_the_command_copies_and_says_what_comes_next(source: Store, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    done = await asyncio.to_thread(tracker, tmp_path / "home", str(other))
    assert done.returncode == 0, done.stderr
    assert "rows were copied, read back and are the same." in done.stdout
    assert f'set store.url to "{other}"' in done.stdout
    async with opened(other) as copied:
        assert await everything(copied) == await everything(source)


@pytest.mark.parametrize(
    ("made", "status", "says"),
    [
        ((), 66, "no back office has run there yet"),
        (("store.db",), 69, "another tracker works on"),
    ],
)
async def test_a_copy_that_cannot_be_is_refused_in_a_sentence(
    tmp_path: Path, made: tuple[str, ...], status: int, says: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for name in made:
        await (await Store.open(home / name)).close()
    with folder.locked(home) if made else nullcontext():
        done = await asyncio.to_thread(tracker, home, str(tmp_path / "other.db"))
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
