"""The database: rows in, pages and the feed out, in one SQLite file.

Promise: when `insert` returns, the rows survive a crash of this process and of the machine, each
once however often it was inserted; of two revisions the higher one stays. `feed` gives every row
to whoever follows it, in the order of insertion.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Connection, Executable, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tracker.store import decision, insertion, migrations, page, query, rollup, schema, sqlite
from tracker.store.change import Change, Follower
from tracker.store.document import Damaged, unpacked
from tracker.store.page import Found
from tracker.store.row import Row

PATIENCE = 5.0  # seconds that a statement waits for another process's transaction
WITHIN = 2.0  # seconds that a page may take, while it holds one of few connections
MOST_DAMAGED = 1_000  # damaged documents that are told apart
logger = logging.getLogger(__name__)

FIRST = "0001"  # the revision of files that are older than telling it


# What is kept in step with the events, in the transaction that stores them, in this order.
FOLLOWERS: Final[tuple[Follower, ...]] = (rollup.count, decision.follow)


class StoreError(Exception):
    """The file can't be used as a store; the message is one sentence that says why."""


class StoreUnavailable(Exception):
    """The store can't answer now: it is locked, full or broken. What was tried wasn't done."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """An event on the feed. Sequence numbers grow with every insertion, with gaps."""

    sequence: int
    domain: str
    document: bytes


class Store:
    """Events in one SQLite file. Open it with `Store.open`, end with `close`."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine, within: float) -> None:
        self._within = within
        self._writer = writer
        self._reader = reader
        self.damaged: set[tuple[str, query.Key]] = set()  # documents that were met and passed by

    @classmethod
    async def open(
        cls, path: Path | str, *, patience: float = PATIENCE, within: float = WITHIN
    ) -> Self:
        """Open the store at a path, creating it readable by its owner alone.

        `patience` is how many seconds a call waits while another process writes, `within` how many
        a page may take.
        Raises StoreError if the file can't be read or written, is no store, is newer than this
        program, or older and can't be brought up to date.
        """
        path = Path(path)
        try:
            await asyncio.to_thread(path.touch, 0o600)
        except OSError as error:
            raise StoreError(f"cannot open the store {path}: {error.strerror}") from error
        store = cls(*sqlite.engines(path, patience), within)
        try:
            async with store._writer.begin() as connection:
                await connection.run_sync(_prepare, path)
        except DBAPIError as error:
            await store.close()
            raise StoreError(f"cannot open the store {path}: {sqlite.reason(error)}") from error
        except StoreError:
            await store.close()
            raise
        return store

    async def insert(self, rows: Sequence[Row]) -> Sequence[Change]:
        """Store rows, durably, all or none; return what that changed. Raises StoreUnavailable.

        A row that is there already stays as it is, unless the new one has a higher revision: that
        one's document takes its place and comes up in the feed once more. A revision changes what
        was concluded of an event, never its domain, time, id, kind, recipient or tags.
        """
        if not rows:
            return []
        batch = await asyncio.to_thread(insertion.prepared, rows)
        async with self.writing() as connection:
            changes = await insertion.store(connection, batch)
            for follower in FOLLOWERS:
                await follower(connection, changes)
        return changes

    async def page(self, walk: query.Walk, within: float | None = None) -> list[Found]:
        """Return the events of a walk. Raises StoreUnavailable, and Unfinished if time runs out.

        A document that is damaged is passed by, logged and kept in `damaged`.
        """
        async with self.reading() as connection:
            read = await page.read(connection, walk, self._within if within is None else within)
        self._pass_by((walk.domain, key) for key in read.damaged)
        return read.events

    async def through(self, walk: query.Walk) -> AsyncIterator[list[Found]]:
        """Give every page of a walk, however long it takes. Raises StoreUnavailable.

        Whoever has to stop goes on later from the last event's key, as the walk's `start`.
        """
        while found := await self.page(walk, math.inf):
            yield found
            walk = replace(walk, start=found[-1].key, inclusive=False)

    async def feed(self, after: int, limit: int) -> list[Ingested]:
        """Return the events that were inserted after a sequence number, 0 for all of them.

        Whoever asks again with the last number given misses no event: numbers are given out inside
        the one transaction that can write at a time, so none appears behind a higher one. Raises
        StoreUnavailable.
        """
        event = schema.event.c
        ordered = (
            select(event.sequence, event.domain, event.at, event.id, event.document)
            .order_by(event.sequence)
            .limit(limit)
        )
        found: list[Ingested] = []
        async with self.reading() as connection:
            while not found:
                rows = (await connection.execute(ordered.where(event.sequence > after))).all()
                if not rows:
                    break
                for row in rows:
                    try:
                        document = unpacked(row.document)
                    except Damaged:
                        self._pass_by([(row.domain, query.Key(row.at, row.id))])
                    else:
                        found.append(Ingested(row.sequence, row.domain, document))
                after = rows[-1].sequence
        return found

    def _pass_by(self, places: Iterable[tuple[str, query.Key]]) -> None:
        for domain, key in places:
            if (domain, key) not in self.damaged and len(self.damaged) < MOST_DAMAGED:
                self.damaged.add((domain, key))
                where = {"domain": domain, "at": key.at, "id": key.id}
                logger.error("document_damaged", extra=where)

    async def last(self) -> int:
        """Return the last sequence number that was given out. Raises StoreUnavailable."""
        async with self.reading() as connection:
            return await _number(connection, select(schema.ingested.c.last))

    async def purge(self) -> None:
        """Leave no trace of what was removed: the log of writes holds it until it is written over.

        Does nothing while somebody reads for long. Raises StoreUnavailable.
        """
        async with self.reading() as connection:
            await sqlite.purge(connection)

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


def _prepare(connection: Connection, path: Path) -> None:
    """Bring the tables up to date; refuse a file that is no store, or a newer one."""
    ours = sqlite.ours(connection)
    if ours is False:
        raise StoreError(f"{path} is a database of another program, not a store of events")
    newest, found = migrations.known()[-1], migrations.reached(connection)
    if found == newest:
        return
    if found is not None and found not in migrations.known():
        raise StoreError(
            f"the store {path} was written by a newer version of this program: it has revision"
            f" {found}, and this version reads and writes {newest}"
        )
    try:
        migrations.upgrade(connection, taken_for=FIRST if ours and found is None else "")
    except DBAPIError as error:
        raise StoreError(
            f"cannot bring the store {path} to revision {newest}: {sqlite.reason(error)};"
            " it stays as it was"
        ) from error
    sqlite.claim(connection)
    if ours:
        logger.info("store_migrated", extra={"from": found or FIRST, "to": newest})


async def _number(connection: AsyncConnection, statement: Executable) -> int:
    return int((await connection.execute(statement)).scalar_one())


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreUnavailable(f"the store can't answer: {sqlite.reason(error)}") from error
    except PoolTimeout as error:
        raise StoreUnavailable("the store can't answer: every connection is in use") from error
