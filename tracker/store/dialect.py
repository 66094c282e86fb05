"""The dialect: what a database says otherwise than the other, all of it behind the same names.

In: a path, which is SQLite's, or a URL, which is PostgreSQL's; or a connection to either. Out: the
module that knows it, `sqlite` or `postgresql`. Whatever can be said to both alike is said in
SQLAlchemy's words, elsewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, cast

from sqlalchemy import Column, Connection, Row, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tracker.store.merge import Merge

SCHEMES: Final = ("postgresql://", "postgres://")


class Trouble(Exception):
    """The database did not do what was asked; the message says why, in words for an operator."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many events went at once, and before which time others are to go one by one."""

    events: int
    before: int


class Dialect(Protocol):
    """What a database must be able to say.

    `BROKEN` are the errors that its driver lets through as they are when a connection breaks off.
    """

    BROKEN: tuple[type[Exception], ...]

    def shown(self, where: str) -> str:
        """Name a store to people: without a password."""

    def make(self, where: str) -> None:
        """Make sure that there is something to connect to. Blocks; raises OSError."""

    def engines(self, where: str, patience: float) -> tuple[AsyncEngine, AsyncEngine]:
        """Return the engine that writes and the one that reads.

        Of those that write, one holds a transaction at a time, whichever process it is of.
        `patience` is how many seconds a statement waits for another's transaction.
        """

    def unfit(self, connection: Connection) -> str:
        """Say in a clause why no store can be here, whatever is in it; "" if one can."""

    def ours(self, connection: Connection) -> bool | None:
        """Tell whether there is a store; None if it is empty and can become one."""

    def claim(self, connection: Connection) -> None:
        """Mark what is there as a store whose revision is told."""

    def reason(self, error: DBAPIError) -> str:
        """Say what the database says, and what it means for whoever runs it."""

    async def write(
        self, connection: AsyncConnection, merge: Merge, rows: Sequence[tuple[Any, ...]]
    ) -> int:
        """Merge rows into their table; return how many were inserted or changed."""

    async def find(
        self,
        connection: AsyncConnection,
        table: Table,
        columns: Sequence[Column[Any]],
        keys: Sequence[tuple[Any, ...]],
    ) -> Sequence[Row[Any]]:
        """Return columns of the rows that have one of the keys, in no order."""

    async def make_room(self, connection: AsyncConnection, times: Iterable[int]) -> None:
        """Prepare for events of these times, in microseconds, before they are inserted."""

    async def drop_before(self, connection: AsyncConnection, before: int) -> Dropped:
        """Remove what can be removed at once of the events before a time."""

    async def purge(self, connection: AsyncConnection) -> None:
        """Leave as little as can be of what was removed, on a connection without transaction."""


def at(where: str | Path) -> Dialect:
    """Return the dialect of a place: a path, or a URL."""
    return _named("postgresql" if str(where).startswith(SCHEMES) else "sqlite")


def of(connection: AsyncConnection) -> Dialect:
    """Return the dialect that a connection speaks."""
    return _named(connection.dialect.name)


async def write(connection: AsyncConnection, merge: Merge, rows: Sequence[tuple[Any, ...]]) -> int:
    """Merge rows into their table; return how many were inserted or changed."""
    return await of(connection).write(connection, merge, rows) if rows else 0


@cache
def _named(name: str) -> Dialect:
    # Imported when it is used: whoever has a file needs none of the other's driver.
    return cast("Dialect", import_module(f"tracker.store.{name}"))
