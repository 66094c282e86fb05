"""The database: rows in, pages and the feed out, in a SQLite file or at a PostgreSQL server.

Promise: when `insert` returns, the rows survive a crash of this process and of the machine, each
once however often it was inserted; of two revisions the higher one stays. `feed` gives every row
to whoever follows it, in the order of insertion.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Executable, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import decision, dialect, erasure, insertion, page, query, rollup, schema
from tracker.store.change import Change, Follower
from tracker.store.dialect import Dialect, Trouble
from tracker.store.document import Damaged, unpacked
from tracker.store.erasure import Erasures
from tracker.store.page import Found
from tracker.store.preparation import NotPrepared, prepare
from tracker.store.row import Row

PATIENCE = 5.0  # seconds that a statement waits for another process's transaction
WITHIN = 2.0  # seconds that a page may take, while it holds one of few connections
AGAIN_AFTER = 1.0  # seconds after which it is tried again to prepare a store
MOST_DAMAGED = 1_000  # damaged documents that are told apart
logger = logging.getLogger(__name__)

# What is kept in step with the events, in the transaction that stores them, in this order.
FOLLOWERS: Final[tuple[Follower, ...]] = (rollup.count, decision.follow)


class StoreError(Exception):
    """There is no store that can be used; the message is one sentence that says why."""


class StoreUnavailable(Exception):
    """The store can't answer now: it is locked, full, broken or away.

    What was tried wasn't done; or, where the connection broke while it was being committed, it may
    have been, and may be tried again.
    """


@dataclass(frozen=True, slots=True)
class Ingested:
    """An event on the feed. Sequence numbers grow with every insertion, with gaps."""

    sequence: int
    domain: str
    document: bytes


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a store couldn't be prepared, and until when that is taken for still so."""

    says: str
    until: float


class Store:
    """Events in one database. Open it with `Store.open`, end with `close`.

    `Store(where)` alone touches nothing yet: each call prepares it first, and raises
    StoreUnavailable while that can't be done. So whoever can do other things meanwhile begins with
    those, and goes on with the store once it is there.
    """

    def __init__(
        self, where: Path | str, *, patience: float = PATIENCE, within: float = WITHIN
    ) -> None:
        """Name a store: by a path, which is a SQLite file's, or by PostgreSQL's URL.

        `patience` is how many seconds a call waits while another process writes, `within` how many
        a page may take.
        """
        self._dialect: Dialect = dialect.at(where)
        self._where = str(where)
        self._within = within
        self._writer, self._reader = self._dialect.engines(self._where, patience)
        self._preparing = asyncio.Lock()
        self._prepared = False
        self._failed: _Failed | None = None
        self._erasures = Erasures()
        self.late = 0  # events of before their recipients' erasures, which weren't stored
        self.damaged: set[tuple[str, query.Key]] = set()  # documents that were met and passed by

    @classmethod
    async def open(
        cls, where: Path | str, *, patience: float = PATIENCE, within: float = WITHIN
    ) -> Self:
        """Open a store that can be used from now on.

        Raises StoreError if it can't be read or written, is no store, is newer than this program,
        or older and can't be brought up to date.
        """
        store = cls(where, patience=patience, within=within)
        try:
            await store.prepare()
        except StoreError:
            await store.close()
            raise
        return store

    @property
    def name(self) -> str:
        """Where it is, for people: without a password."""
        return self._dialect.shown(self._where)

    async def prepare(self) -> None:
        """Make the store if there is none, and bring its tables up to date. Raises StoreError."""
        async with self._preparing:
            await self._prepare()

    async def insert(self, rows: Sequence[Row]) -> Sequence[Change]:
        """Store rows, durably, all or none; return what that changed. Raises StoreUnavailable.

        A row that is there already stays as it is, unless the new one has a higher revision: that
        one's document takes its place and comes up in the feed once more. A revision changes what
        was concluded of an event, never its domain, time, id, kind, recipient or tags. What a
        recipient did before they were erased isn't stored, and changes nothing but suppressions.
        """
        if not rows:
            return []
        known = self._erasures
        batch = await asyncio.to_thread(insertion.prepared, rows, known)
        async with self.writing() as connection:
            if (erasures := await erasure.current(connection, known)) is not known:
                self._erasures = erasures
                batch = await asyncio.to_thread(insertion.prepared, rows, erasures)
            await self._dialect.make_room(connection, [row.at for row in batch.rows])
            changes = await insertion.store(connection, batch)
            for follower in FOLLOWERS:
                await follower(connection, changes)
            await decision.heed(connection, batch.late)
        self.late += len(batch.late)
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

    async def glance(self) -> int:
        """Return the last sequence number of a store that is left as it is, whatever its version.

        Raises StoreUnavailable.
        """
        with self._unavailable():
            async with self._reader.connect() as connection:
                return await _number(connection, select(schema.ingested.c.last))

    async def purge(self) -> None:
        """Leave no trace of what was removed, as far as the database lets us (docs/store.md).

        Does nothing while somebody reads a file for long. Raises StoreUnavailable.
        """
        async with self.reading() as connection:
            await self._dialect.purge(connection)

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection that can only read. Raises StoreUnavailable."""
        await self._ready()
        with self._unavailable():
            async with self._reader.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Lend the connection that writes, in a transaction of its own: all of it, or none.

        Of all processes, one has it at a time. What it did is durable once the block has been left.
        Raises StoreUnavailable.
        """
        await self._ready()
        with self._unavailable():
            async with self._writer.begin() as connection:
                yield connection

    async def _ready(self) -> None:
        if self._prepared:
            return
        async with self._preparing:
            # Many may wait for it, and where no server answers each would wait in its turn.
            if self._failed and time.monotonic() < self._failed.until:
                raise StoreUnavailable(self._failed.says)
            try:
                await self._prepare()
            except StoreError as error:
                self._failed = _Failed(str(error), time.monotonic() + AGAIN_AFTER)
                raise StoreUnavailable(str(error)) from error

    async def _prepare(self) -> None:
        if self._prepared:
            return
        cannot = f"cannot open the store {self.name}"
        try:
            await asyncio.to_thread(self._dialect.make, self._where)
            async with self._writer.begin() as connection:
                await connection.run_sync(prepare, self._dialect, self.name)
        except NotPrepared as error:
            raise StoreError(str(error)) from error
        except OSError as error:
            raise StoreError(f"{cannot}: {error.strerror}") from error
        except Trouble as error:
            raise StoreError(f"{cannot}: {error}") from error
        except DBAPIError as error:
            raise StoreError(f"{cannot}: {self._dialect.reason(error)}") from error
        self._prepared = True

    @contextmanager
    def _unavailable(self) -> Iterator[None]:
        try:
            yield
        except Trouble as error:
            raise StoreUnavailable(f"the store can't answer: {error}") from error
        except DBAPIError as error:
            says = self._dialect.reason(error)
            raise StoreUnavailable(f"the store can't answer: {says}") from error
        except self._dialect.BROKEN as error:
            raise StoreUnavailable("the store can't answer: the connection broke off") from error
        except PoolTimeout as error:
            raise StoreUnavailable("the store can't answer: every connection is in use") from error


async def _number(connection: AsyncConnection, statement: Executable) -> int:
    return int((await connection.execute(statement)).scalar_one())
