"""The database: rows in, pages and the feed out, in one SQLite file.

Promise: when `insert` returns, the rows survive a crash of this process and of the machine, each
once however often it was inserted; of two revisions the higher one stays. `feed` gives every row
to whoever follows it, in the order of insertion.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
from sqlalchemy import URL, Connection, Executable, insert, select, text, update
from sqlalchemy import event as hook
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from tracker.store import query, schema
from tracker.store.document import packed, unpacked
from tracker.store.row import Row

PATIENCE = 5.0  # seconds that a statement waits for another process's transaction
READERS = 4

# FULL: in WAL mode NORMAL keeps the database whole but may lose the last commits when the power
# goes (sqlite.org/pragma.html#pragma_synchronous), and those the forwarder has forgotten by then.
WRITING = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")
READING = ("PRAGMA query_only=ON",)


class StoreError(Exception):
    """The file can't be used as a store; the message is one sentence that says why."""


class StoreUnavailable(Exception):
    """The store can't answer now: it is locked, full or broken. What was tried wasn't done."""


@dataclass(frozen=True, slots=True)
class Found:
    """An event on a page: its place, and its document."""

    key: query.Key
    document: bytes


@dataclass(frozen=True, slots=True)
class Ingested:
    """An event on the feed. Sequence numbers grow with every insertion, with gaps."""

    sequence: int
    document: bytes


class Store:
    """Events in one SQLite file. Open it with `Store.open`, end with `close`."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine) -> None:
        self._writer = writer
        self._reader = reader

    @classmethod
    async def open(cls, path: Path | str, *, patience: float = PATIENCE) -> Self:
        """Open the store at a path, creating it readable by its owner alone.

        `patience` is how many seconds a call waits while another process writes.
        Raises StoreError if the file can't be read or written, is no store, or is one of another
        version.
        """
        path = Path(path)
        try:
            await asyncio.to_thread(path.touch, 0o600)
        except OSError as error:
            raise StoreError(f"cannot open the store {path}: {error.strerror}") from error
        store = cls(_engine(path, WRITING, 1, patience), _engine(path, READING, READERS, patience))
        # SQLite's own BEGIN takes the write lock at the first write, when it may be too late to
        # wait for it (SQLITE_BUSY_SNAPSHOT).
        hook.listen(store._writer.sync_engine, "begin", _begin_immediate)
        try:
            async with store._writer.begin() as connection:
                await _prepare(connection, path)
        except DBAPIError as error:
            await store.close()
            raise StoreError(f"cannot open the store {path}: {error.orig}") from error
        except StoreError:
            await store.close()
            raise
        return store

    async def insert(self, rows: Sequence[Row]) -> None:
        """Store rows, durably, all or none. Raises StoreUnavailable.

        A row that is there already stays as it is, unless the new one has a higher revision: that
        one's document takes its place and comes up in the feed once more. A revision changes what
        was concluded of an event, never its domain, time, id, kind, recipient or tags.
        """
        if not rows:
            return
        async with self.writing() as connection:
            last = await _advance(connection, len(rows))
            first = last - len(rows) + 1
            await connection.execute(INSERT_EVENT, list(_event_values(rows, first)))
            if tags := list(_tag_values(rows)):
                await connection.execute(INSERT_TAG, tags)

    async def page(self, walk: query.Walk) -> list[Found]:
        """Return the events of a walk. Raises StoreUnavailable."""
        async with self.reading() as connection:
            found = await connection.execute(query.page(walk))
            return [Found(query.Key(row.at, row.id), unpacked(row.document)) for row in found]

    async def feed(self, after: int, limit: int) -> list[Ingested]:
        """Return the events that were inserted after a sequence number, 0 for all of them.

        Whoever asks again with the last number given misses no event: numbers are given out inside
        the one transaction that can write at a time, so none appears behind a higher one. Raises
        StoreUnavailable.
        """
        ordered = (
            select(schema.event.c.sequence, schema.event.c.document)
            .where(schema.event.c.sequence > after)
            .order_by(schema.event.c.sequence)
            .limit(limit)
        )
        async with self.reading() as connection:
            return [
                Ingested(row.sequence, unpacked(row.document))
                for row in await connection.execute(ordered)
            ]

    async def last(self) -> int:
        """Return the last sequence number that was given out. Raises StoreUnavailable."""
        async with self.reading() as connection:
            return await _number(connection, select(schema.ingested.c.last))

    async def close(self) -> None:
        """Close every connection to the file."""
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection that can only read. Raises StoreUnavailable."""
        with _unavailable():
            async with self._reader.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Lend the connection that writes, in a transaction of its own: all of it, or none.

        What it did is durable once the block has been left. Raises StoreUnavailable.
        """
        with _unavailable():
            async with self._writer.begin() as connection:
                yield connection


_event = sqlite.insert(schema.event)
INSERT_EVENT = _event.on_conflict_do_update(
    index_elements=schema.event.primary_key.columns,
    set_={name: _event.excluded[name] for name in ("document", "revision", "sequence")},
    where=_event.excluded.revision > schema.event.c.revision,
)
INSERT_TAG = sqlite.insert(schema.tag).on_conflict_do_nothing()


def _event_values(rows: Iterable[Row], first: int) -> Iterator[dict[str, Any]]:
    for sequence, row in enumerate(rows, first):
        values = msgspec.structs.asdict(row)
        del values["tags"]
        yield values | {"sequence": sequence, "document": packed(row.document)}


def _tag_values(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    for row in rows:
        for tag in row.tags:
            yield {"domain": row.domain, "tag": tag, "at": row.at, "id": row.id}


async def _advance(connection: AsyncConnection, count: int) -> int:
    """Take `count` sequence numbers; return the last one."""
    advanced = update(schema.ingested).values(last=schema.ingested.c.last + count)
    return await _number(connection, advanced.returning(schema.ingested.c.last))


async def _prepare(connection: AsyncConnection, path: Path) -> None:
    """Create the tables in an empty file; refuse any other that isn't of our version."""
    application = await _number(connection, text("PRAGMA application_id"))
    version = await _number(connection, text("PRAGMA user_version"))
    if application == schema.APPLICATION and version == schema.VERSION:
        return
    if application == schema.APPLICATION:
        raise StoreError(
            f"the store {path} has version {version},"
            f" but this program reads and writes version {schema.VERSION}"
        )
    if (
        application
        or version
        or await _number(connection, text("SELECT count(*) FROM sqlite_schema"))
    ):
        raise StoreError(f"{path} is a database of another program, not a store of events")
    await connection.run_sync(schema.metadata.create_all)
    await connection.execute(insert(schema.ingested).values(only=1, last=0))
    await connection.exec_driver_sql(f"PRAGMA application_id={schema.APPLICATION}")
    await connection.exec_driver_sql(f"PRAGMA user_version={schema.VERSION}")


async def _number(connection: AsyncConnection, statement: Executable) -> int:
    return int((await connection.execute(statement)).scalar_one())


def _engine(path: Path, pragmas: Iterable[str], size: int, patience: float) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        connect_args={"timeout": patience},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=size,
        pool_timeout=patience,
        max_overflow=0,
    )

    def connected(connection: DBAPIConnection, _record: object) -> None:
        # No implicit transactions: the writer says BEGIN itself, a reader needs none.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    hook.listen(engine.sync_engine, "connect", connected)
    engine.dialect.statement_compiler = query.Compiler
    return engine


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreUnavailable(f"the store can't answer: {error.orig}") from error
    except PoolTimeout as error:
        raise StoreUnavailable("the store can't answer: every connection is in use") from error
    except zlib.error as error:
        raise StoreUnavailable("the store can't answer: a document in it is damaged") from error
