"""The vault's database: transactions on a SQLite file, or on a server that machines share.

A server's engines are handed in; the vault's tables then have a schema of their own, so that the
database may hold something else.

Promise: what was written in a block of `writing` is durable once the block is left, all of it or
nothing; a vault whose keys were sealed under another master key is refused and left as it is.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from sqlalchemy import URL, Connection, event, insert, inspect, select, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.schema import CreateSchema

from certs.busy import patiently
from certs.vault import tables
from certs.vault.master import CannotOpen, MasterKey

VERSION: Final = 1
PATIENCE: Final = 5.0  # seconds that a statement waits for another process's transaction
READERS: Final = 4
SCHEMA: Final = "vault"  # of the tables at a server


class VaultError(Exception):
    """The vault can't be used; the message is one sentence that says why."""


class VaultUnavailable(Exception):
    """The vault can't answer now: locked, full or away. What was tried wasn't done."""


def _said(error: DBAPIError) -> str:
    return str(error.orig)


@dataclass(frozen=True, slots=True)
class Engines:
    """What writes, of all processes one transaction at a time, and what reads.

    `refusals` are errors beside SQLAlchemy's by which the database says that it can't answer;
    `reason` puts SQLAlchemy's in words.
    """

    writer: AsyncEngine
    reader: AsyncEngine
    refusals: tuple[type[Exception], ...] = ()
    reason: Callable[[DBAPIError], str] = _said


class Vault:
    """Sealed keys and certificates in one database. Open it with `open`, end with `close`."""

    def __init__(self, engines: Engines, master: MasterKey) -> None:
        self.master = master
        self._engines = engines

    @classmethod
    async def open(
        cls, at: Path | Engines, master: MasterKey, *, patience: float = PATIENCE
    ) -> Self:
        """Open the vault, making its tables if there are none.

        Raises VaultError if it isn't ours, is newer than this program or sealed under another
        master key, and VaultUnavailable if it can't be reached.
        """
        if isinstance(at, Path):
            try:
                await asyncio.to_thread(at.touch, 0o600)
            except OSError as error:
                raise VaultUnavailable(f"cannot open the vault {at}: {error.strerror}") from error
            schema, engines = None, Engines(_writing(at, patience), _engine(at, READERS, patience))
        else:
            schema, engines = SCHEMA, _within(at, SCHEMA)
        vault = cls(engines, master)
        try:
            async with vault.writing() as connection:
                await connection.run_sync(_prepare, master.id, schema)
        except BaseException:
            await vault.close()
            raise
        return vault

    async def close(self) -> None:
        """Close every connection."""
        await self._engines.writer.dispose()
        await self._engines.reader.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection to read with. Raises VaultUnavailable."""
        with self._unavailable():
            async with self._engines.reader.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection in a transaction: all of it, or none. Raises VaultUnavailable."""
        with self._unavailable():
            async with self._engines.writer.begin() as connection:
                yield connection

    async def revision(self) -> int:
        """Return the number that grows with every change to a certificate or an account."""
        async with self.reading() as connection:
            found = await connection.execute(select(tables.vault.c.revision))
            return int(found.scalar_one())

    def unsealed(self, sealed: bytes, use: str) -> bytes:
        """Open what the vault holds. Raises VaultError."""
        try:
            return self.master.open(sealed, use)
        except CannotOpen as error:
            raise VaultError(f"the vault is damaged: {error}; restore it from a backup") from error

    @contextmanager
    def _unavailable(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            says = self._engines.reason(error)
            raise VaultUnavailable(f"the vault can't answer: {says}") from error
        except PoolTimeout as error:
            raise VaultUnavailable("the vault can't answer: every connection is in use") from error
        except self._engines.refusals as error:
            raise VaultUnavailable(f"the vault can't answer: {error}") from error


async def advance(connection: AsyncConnection) -> None:
    """Let every copy see that there is something new."""
    await connection.execute(update(tables.vault).values(revision=tables.vault.c.revision + 1))


def _within(engines: Engines, schema: str) -> Engines:
    """Have statements of tables without a schema mean those of one."""
    options = {"schema_translate_map": {None: schema}}
    return replace(
        engines,
        writer=engines.writer.execution_options(**options),
        reader=engines.reader.execution_options(**options),
    )


def _prepare(connection: Connection, master: str, schema: str | None) -> None:
    if schema and not inspect(connection).has_schema(schema):
        connection.execute(CreateSchema(schema))
    there = set(inspect(connection).get_table_names(schema))
    if there and "vault" not in there:
        raise VaultError("the database is of another program, not a vault of certificates")
    tables.metadata.create_all(connection)
    found = connection.execute(select(tables.vault)).one_or_none()
    if found is None:
        row = {"only": 1, "version": VERSION, "master": master, "revision": 0}
        connection.execute(insert(tables.vault).values(row))
    elif found.version != VERSION:
        raise VaultError(
            f"the vault was written by a newer version of this program: it has version"
            f" {found.version}, and this program reads and writes {VERSION}"
        )
    elif found.master != master:
        raise VaultError(
            f"the vault's keys are sealed under the master key {found.master}, and this one is"
            f" {master}: restore the right one from a backup"
        )


def _writing(path: Path, patience: float) -> AsyncEngine:
    engine = _engine(path, 1, patience)

    # SQLite's own BEGIN takes the write lock at the first write, when it may be too late to wait
    # for it (SQLITE_BUSY_SNAPSHOT).
    @event.listens_for(engine.sync_engine, "begin")
    def _immediate(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _engine(path: Path, size: int, patience: float) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        connect_args={"timeout": patience},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=size,
        pool_timeout=patience,
        max_overflow=0,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: DBAPIConnection, _record: object) -> None:
        connection.isolation_level = None  # the writer says BEGIN itself, a reader needs none
        cursor = connection.cursor()
        # FULL: in WAL mode NORMAL may lose the last commits when the power goes
        # (sqlite.org/pragma.html#pragma_synchronous), and with them a certificate.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            patiently(cursor.execute, f"PRAGMA {pragma}", patience)
        cursor.close()

    return engine
