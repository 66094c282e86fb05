"""Stores to test with: for each test a file or a database, copied from one whose tables are made.

A test that takes `store_url` (or a fixture that does) runs once on SQLite and once on PostgreSQL.
What can only be said of one of them is marked `only_sqlite` or `only_postgresql`.
"""

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.patience import PATIENCE
from tests.servers.postgresql import Postgres
from tracker.store import server
from tracker.store.database import Store

__all__ = ["migrated_databases", "migrated_file", "patient_with_servers", "store_url"]

only_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


@pytest.fixture(scope="session", autouse=True)
def patient_with_servers() -> Iterator[None]:
    """Give up no PostgreSQL that is late, unless a test says otherwise: busy isn't broken."""
    with pytest.MonkeyPatch.context() as bounds:
        for bound in ("CONNECT_WITHIN", "PING_WITHIN"):
            bounds.setattr(server, bound, float(PATIENCE))
        yield


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty store, once."""
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    make_tables(str(path))
    return path


@pytest.fixture(scope="session")
def migrated_databases(request: pytest.FixtureRequest) -> "Databases":
    """Make an empty store at a server, once, and lend copies of it."""
    return Databases(request.getfixturevalue("postgres"))


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Make an empty store for one test: say where it is, as settings do."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield str(path)
        return
    databases: Databases = request.getfixturevalue("migrated_databases")
    with databases.one() as url:
        yield url


class Databases:
    """Databases with the tables of an empty store.

    One that a test leaves in order is emptied for the next: to make one takes PostgreSQL three
    hundred files, and ten times as long.
    """

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._template = server.template("emptied", self._fill)
        self._shape = ""
        self._free: list[str] = []

    @contextmanager
    def one(self) -> Iterator[str]:
        """Lend one for a test."""
        url = self._free.pop() if self._free else self._server.fresh(self._template)
        self._shape = self._shape or self._server.ask(url, SHAPE)
        yield url
        try:
            emptied = self._server.ask(url, f"{EMPTY};{SHAPE}") == self._shape
        except OSError:
            emptied = False
        if emptied:
            self._free.append(url)
        else:
            self._server.drop(url)

    def _fill(self, url: str) -> None:
        make_tables(url)
        self._server.ask(url, SEEDS)


# What the steps put into tables, such as counters, is kept in a schema of its own.
SEEDS = """
DO $$ DECLARE name text; BEGIN
  CREATE SCHEMA seed;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('CREATE TABLE seed.%1$I AS TABLE public.%1$I', name);
  END LOOP;
END $$"""
EMPTY = """
SET client_min_messages = warning; SET lock_timeout = '1s';
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class ON oid = inhparent
              WHERE relkind = 'p' LOOP
    EXECUTE 'DROP TABLE ' || name;
  END LOOP;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'seed' LOOP
    EXECUTE format('DELETE FROM public.%I', name);
    EXECUTE format('INSERT INTO public.%1$I SELECT * FROM seed.%1$I', name);
  END LOOP;
  PERFORM setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S';
END $$"""
SHAPE = """
SELECT string_agg(format('%s %s', relname, relkind), ',' ORDER BY relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace"""


def make_tables(where: str) -> None:
    """Bring a store up to date, and leave it."""

    async def make() -> None:
        store = await Store.open(where, patience=PATIENCE)
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
        found = await connection.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - of the tests
        return int(found.scalar_one())
