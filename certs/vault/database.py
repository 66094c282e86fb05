"""The vault's database: transactions on a SQLite file, or on an engine that is handed in.

Promise: what was written in a block of `writing` is durable once the block is left, all of it or
nothing; a vault whose keys were sealed under another master key is refused and left as it is.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Self

from sqlalchemy import URL, Connection, event, insert, inspect, select, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from certs.vault import tables
from certs.vault.master import CannotOpen, MasterKey

VERSION: Final = 1
PATIENCE: Final = 5.0  # seconds that a statement waits for another process's transaction
READERS: Final = 4


class VaultError(Exception):
    """The vault can't be used; the message is one sentence that says why."""


class VaultUnavailable(Exception):
    """The vault can't answer now: locked, full or away. What was tried wasn't done."""


class Vault:
    """Sealed keys and certificates in one database. Open it with `open`, end with `close`."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine, master: MasterKey) -> None:
        self.master = master
        self._writer = writer
        self._reader = reader

    @classmethod
    async def open(
        cls, at: Path | AsyncEngine, master: MasterKey, *, patience: float = PATIENCE
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
            engines = _writing(at, patience), _engine(at, READERS, patience)
        else:
            engines = at, at
        vault = cls(*engines, master)
        try:
            async with vault.writing() as connection:
                await connection.run_sync(_prepare, master.id)
        except BaseException:
            await vault.close()
            raise
        return vault

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection to read with. Raises VaultUnavailable."""
        with _unavailable():
            async with self._reader.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection in a transaction: all of it, or none. Raises VaultUnavailable."""
        with _unavailable():
            async with self._writer.begin() as connection:
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


async def advance(connection: AsyncConnection) -> None:
    """Let every copy see that there is something new."""
    await connection.execute(update(tables.vault).values(revision=tables.vault.c.revision + 1))


def _prepare(connection: Connection, master: str) -> None:
    there = set(inspect(connection).get_table_names())
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


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise VaultUnavailable(f"the vault can't answer: {error.orig}") from error
    except PoolTimeout as error:
        raise VaultUnavailable("the vault can't answer: every connection is in use") from error


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
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
