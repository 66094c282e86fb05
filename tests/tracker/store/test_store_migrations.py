"""A database is brought to this program's tables whole, or stays as it was."""

import asyncio
import importlib
import logging
import pkgutil
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import tracker.store
from tests.tracker.forwarding.parts import largest_file
from tests.tracker.store.documents import DOMAIN, deflated, document
from tracker.store import migrations, schema, sqlite
from tracker.store.database import Store, StoreError
from tracker.store.pair import HOUR, key
from tracker.store.query import Walk
from tracker.store.row import row
from tracker.store.stats import Stats
from tracker.store.tree import Match, Tree

pytestmark = pytest.mark.anyio

VERSION_1 = (Path(__file__).parent / "version1.sql").read_text()
EVENTS = [row(document(number, tags=["sale"])) for number in range(1, 51)]


def of_version_1(path: Path) -> None:
    """Make a store as the first version did, with events in it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
        for sequence, each in enumerate(EVENTS, 1):
            values = (*(each.domain, each.at, each.id, sequence, each.revision), each.kind)
            texts = (each.recipient, each.message_id, *[""] * 7, each.size, deflated(each.document))
            insert = "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            connection.execute(insert, values + texts)
            key = (each.domain, "sale", each.at, each.id)
            connection.execute("INSERT INTO tag VALUES (?, ?, ?, ?)", key)
        connection.execute("UPDATE ingested SET last = 50")


def asked(path: Path, statement: str, values: tuple[object, ...] = ()) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def made(path: Path) -> dict[str, str]:
    """Return the statements that made each table and index, as they stand in the file."""
    found = asked(path, "SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL")
    return {name: " ".join(sql.split()) for name, sql in found}


async def opened(path: Path) -> None:
    store = await Store.open(path)
    await store.close()


def no_index(_item: object, _name: str | None, kind: str, *_more: object) -> bool:
    return kind != "index"


# Alembic can't compare indices of an expression in SQLite; the statements that made them can be.
@pytest.mark.filterwarnings("ignore:.*expression-based index")
async def test_the_steps_lead_to_the_tables_that_the_program_knows(tmp_path: Path) -> None:
    for module in pkgutil.iter_modules(tracker.store.__path__):
        importlib.import_module(f"{tracker.store.__name__}.{module.name}")
    stepped, created = tmp_path / "stepped.db", tmp_path / "created.db"
    await opened(stepped)
    engine = create_engine(f"sqlite:///{created}")
    schema.metadata.create_all(engine)
    engine.dispose()
    there = made(stepped)
    assert "alembic_version" in there
    del there["alembic_version"]
    assert there == made(created)

    engine = create_engine(f"sqlite:///{stepped}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": no_index})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_the_steps_are_one_row_in_the_order_of_their_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.VERSIONS.parent))
    steps = list(ScriptDirectory.from_config(config).walk_revisions())
    newest_first = [step.revision for step in steps]
    assert newest_first == sorted(migrations.known(), reverse=True)
    assert [step.down_revision for step in steps] == [*newest_first[1:], None]


@pytest.mark.parametrize(
    "tree", [Match("tags", "sale"), Match("recipient", "ann@example.com"), Match("event", "opened")]
)
async def test_a_store_of_the_first_version_is_taken_over(tmp_path: Path, tree: Tree) -> None:
    path = tmp_path / "store.db"
    of_version_1(path)
    store = await Store.open(path)
    found = await store.page(Walk(DOMAIN, ascending=True, limit=300, tree=tree))
    assert [event.document for event in found] == [event.document for event in EVENTS]
    assert await store.last() == 50
    await store.insert([row(document(99))])
    assert [event.document for event in await store.feed(50, 10)] == [document(99)]
    await store.close()


async def test_a_newer_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await opened(path)
    asked(path, "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(StoreError) as refusal:
        await Store.open(path)
    assert str(refusal.value) == (
        f"the store {path} was written by a newer version of this program: it has revision 9999,"
        f" and this version reads and writes {migrations.known()[-1]}"
    )
    assert path.read_bytes() == before


async def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    of_version_1(path)
    asked(path, "CREATE VIEW audit AS SELECT 1")  # stands where the last step makes a table
    before = made(path)
    with pytest.raises(StoreError, match=r"cannot bring .* already .*; it stays as it was$"):
        await Store.open(path)
    assert made(path) == before
    asked(path, "DROP VIEW audit")
    await opened(path)
    assert asked(path, "SELECT count(*) FROM event") == [(len(EVENTS),)]


async def test_a_full_disk_leaves_a_store_of_the_first_version_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    of_version_1(path)
    before = made(path)
    size = path.stat().st_size
    with largest_file(size), pytest.raises(StoreError, match=r"^cannot (bring|open) the store "):
        await Store.open(path)
    assert made(path) == before
    await opened(path)
    assert asked(path, "SELECT count(*) FROM event") == [(len(EVENTS),)]


async def test_whoever_waits_for_a_long_step_is_told_how_far_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, earlier = tmp_path / "store.db", tmp_path / "versions"
    of_version_1(path)
    earlier.mkdir()
    for file in sorted(migrations.VERSIONS.glob("r000[1-5]_*.py")):
        shutil.copy(file, earlier)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        migrations.upgrade(connection, earlier, taken_for="0001")
    engine.dispose()
    asked(path, "INSERT INTO pair VALUES (1, 0, 0, 0, 0, 0, 0, 0, '', 0)")
    with caplog.at_level(logging.INFO):
        await opened(path)
    told = [vars(one).get("doing") for one in caplog.records if one.message == "store_migrating"]
    assert told == [
        None,  # from which revision to which
        "sorting events for index 1 of 2",
        "sorting events for index 2 of 2",
        "carrying over pair 0 of 1",
    ]


LONG_STEP = """
import itertools, sys
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.execute("CREATE TABLE half (number)")
    for number in itertools.count():
        op.execute(f"INSERT INTO half VALUES ({number})")
        print("stepping", flush=True)
"""
STEPPING = """
import sys
from pathlib import Path
from sqlalchemy import create_engine
from tracker.store import migrations
with create_engine(f"sqlite:///{sys.argv[1]}").connect() as connection:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    migrations.upgrade(connection, Path(sys.argv[2]), taken_for="0001")
"""


async def test_a_process_killed_within_a_step_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path, versions = tmp_path / "store.db", tmp_path / "versions"
    of_version_1(path)
    await asyncio.to_thread(shutil.copytree, migrations.VERSIONS, versions)
    for file in versions.glob("r*.py"):
        if not file.name.startswith("r0001"):
            file.unlink()
    (versions / "r0002_long.py").write_text(LONG_STEP)
    before = made(path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STEPPING, str(path), str(versions)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    for _ in range(20):
        assert await process.stdout.readline() == b"stepping\n"
    process.kill()
    await process.wait()
    assert made(path) == before
    await opened(path)
    assert asked(path, "SELECT count(*) FROM event") == [(len(EVENTS),)]


async def test_a_store_that_is_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    """It takes longer to import than all else that an office starts with."""
    path = tmp_path / "store.db"
    await opened(path)
    script = (
        "import asyncio, sys; from tracker.store.database import Store\n"
        f"store = asyncio.run(Store.open({str(path)!r}))\n"
        "print('alembic' in sys.modules)"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], capture_output=True, check=True
    )
    assert done.stdout == b"False\n"


def of_revision(path: Path, newest: str, versions: Path) -> None:
    """Make a store as it was at a revision."""
    shutil.copytree(migrations.VERSIONS, versions)
    for file in versions.glob("r*.py"):
        if file.name[1:5] > newest:
            file.unlink()
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        migrations.upgrade(connection, versions)
        sqlite.claim(connection)
    engine.dispose()


async def test_what_was_counted_under_keys_of_before_is_counted_on(tmp_path: Path) -> None:
    """Whoever had opened a message before revision 0006 is no second reader of it after."""
    path, again = tmp_path / "store.db", [row(document(each, tags=["sale"])) for each in (1, 2)]
    await asyncio.to_thread(of_revision, path, "0005", tmp_path / "versions")
    known = key(again[0])
    assert known is not None
    digest, hour = int.from_bytes(known[-8:], signed=True), again[0].at // HOUR
    asked(path, "INSERT INTO pair VALUES (?, 0, ?, 0, 0, 0, 0, 0, 'sale', 0)", (digest, hour))
    for name, count in (("opened", 3), ("unique_opened", 1), ("delivered", 2)):
        values = (DOMAIN, "sale", "country", "unknown", name, count)
        asked(path, "INSERT INTO aggregate VALUES (?, ?, ?, ?, ?, ?)", values)

    store = await Store.open(path)
    stats = Stats(store)
    for each in again:
        await store.insert([each])
        assert list(await stats.pairs([known])) == [known]
    assert asked(path, "SELECT key FROM pair") == [(known,)]
    assert "unique.opened" not in await stats.totals(DOMAIN, "sale", 0, hour + 1)
    assert await stats.aggregates(DOMAIN, "sale", "country") == {
        "unknown": {"opened": 5, "unique_opened": 1, "delivered": 2}
    }
    await store.close()
