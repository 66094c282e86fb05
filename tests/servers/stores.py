"""Stores to test with: for each test a file or a database, copied from one whose tables are made.

A test that takes `store_url` (or a fixture that does) runs once on SQLite and once on PostgreSQL.
What can only be said of one of them is marked `only_sqlite` or `only_postgresql`.
"""

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.servers.postgresql import Postgres
from tracker.store.database import Store

__all__ = ["migrated_file", "store_url"]

only_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty store, once."""
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    make_tables(str(path))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Make an empty store for one test: say where it is, as settings do."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield str(path)
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.fresh(server.template("migrated", make_tables))
    yield url
    server.drop(url)


def make_tables(where: str) -> None:
    """Bring a store up to date, and leave it."""

    async def make() -> None:
        store = await Store.open(where)
        await store.close()

    # In a thread: whoever asks may be within an event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, make()).result()


async def changed(store: Store, statement: str) -> int:
    """Run a statement behind the store's back; return how many rows it was about."""
    async with store.writing() as connection:
        return (await connection.execute(text(statement))).rowcount


async def counted(store: Store, table: str) -> int:
    """Return how many rows a table has."""
    async with store.reading() as connection:
        found = await connection.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
        return int(found.scalar_one())
