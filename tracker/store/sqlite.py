"""SQLite's own: everything about the store that another database would say otherwise.

In: a path. Out: two engines, one for the connection that writes and one for those that read; and
what kind of file it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Column, Connection, FromClause, Row, Table, text
from sqlalchemy import event as hook
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from certs.busy import patiently
from tracker.store.dialect import Dropped
from tracker.store.merge import Merge

BROKEN: Final[tuple[type[Exception], ...]] = ()  # a file has no connection that breaks off
READERS: Final = 4
AT_ONCE: Final = 16_384  # values of one statement; SQLite takes twice as many
APPLICATION: Final = 0x54726B45  # "TrkE": tells our files from other SQLite databases
UNTOLD: Final = 1  # `user_version` of the files whose revision isn't told by `alembic_version`
TOLD: Final = 2

# FULL: in WAL mode NORMAL keeps the database whole but may lose the last commits when the power
# goes (sqlite.org/pragma.html#pragma_synchronous), and those the forwarder has forgotten by then.
# Recipients, message ids and pairs come in no order, so that each event changes a page of each.
# With a checkpoint for each 64 MB that were written instead of 16, a store of half a million events
# wrote 33 KB an event instead of 41; with 128 MiB of pages instead of 64 it took a sixth less of
# the processor's time (docs/store.md).
WRITING: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-131072",
    "PRAGMA wal_autocheckpoint=16000",
    # An upsert of many rows keeps its journal in memory; on disk it wrote as much as the rows did.
    "PRAGMA temp_store=MEMORY",
    # What is deleted is written over, as most builds do unasked; `purge` sees to the log.
    "PRAGMA secure_delete=ON",
)
READING: Final = ("PRAGMA query_only=ON",)


# What SQLite says, and what a person can do about it.
MEANT: Final = (
    ("database is locked", "another process has been writing to it for too long"),
    ("is full", "make room on its disk; it goes on by itself"),
    ("malformed", "the file is damaged: put back a copy, or set it aside and start a new one"),
    ("not a database", "the file is damaged or another's: put back a copy"),
    ("disk I/O error", "its disk can't be read or written; the system's log says more"),
    ("readonly database", "the file and its folder must be writable by the account that runs this"),
)


class Compiler(SQLiteCompiler):
    """SQLite's statements with INDEXED BY, which SQLAlchemy has no word for.

    Without figures about the data, SQLite's planner takes a domain for as rare as a recipient, and
    would read all of its events to find the few.
    """

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:  # noqa: ARG002 - its name
        """Put a table's hint behind its name."""
        return text


def along(table: Table, index: str) -> str:
    """Return the hint to walk along an index of a table, or without one along its primary key."""
    return f"INDEXED BY {index or f'sqlite_autoindex_{table.name}_1'}"


def shown(where: str) -> str:
    """Name a store to people."""
    return where


def make(where: str) -> None:
    """Make the file, readable by its owner alone. Raises OSError."""
    Path(where).touch(0o600)


def engines(where: str, patience: float) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine that writes and the one that reads.

    `patience` is how many seconds a statement waits for another process's transaction.
    """
    path = Path(where)
    writer = _engine(path, WRITING, 1, patience)
    # SQLite's own BEGIN takes the write lock at the first write, when it may be too late to
    # wait for it (SQLITE_BUSY_SNAPSHOT).
    hook.listen(writer.sync_engine, "begin", _begin_immediate)
    return writer, _engine(path, READING, READERS, patience)


def unfit(connection: Connection) -> str:  # noqa: ARG001 - as every dialect has it
    """Say nothing: the library comes with Python, and the file is as we make it."""
    return ""


def ours(connection: Connection) -> bool | None:
    """Tell whether the file is a store; None if it is empty and can become one."""
    application = _number(connection, "PRAGMA application_id")
    if application:
        return application == APPLICATION
    empty = not _number(connection, "SELECT count(*) FROM sqlite_schema")
    return None if empty and not _number(connection, "PRAGMA user_version") else False


def claim(connection: Connection) -> None:
    """Mark the file as a store whose revision is told."""
    connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION}")
    connection.exec_driver_sql(f"PRAGMA user_version={TOLD}")


async def purge(connection: AsyncConnection) -> None:
    """Empty the write-ahead log, on a connection that has no transaction."""
    await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def reason(error: DBAPIError) -> str:
    """Say what SQLite says, and what it means for whoever runs it."""
    said = str(error.orig)
    return next((f"{said} ({meant})" for words, meant in MEANT if words in said), said)


async def write(connection: AsyncConnection, merge: Merge, rows: Sequence[tuple[Any, ...]]) -> int:
    """Merge rows into their table; return how many were inserted or changed.

    Values go to the driver as they are: to copy each row into a dictionary and back, as SQLAlchemy
    does with parameters of its own statements, takes longer than SQLite does with them. Many rows
    go in one statement: for each statement, Python's lock is let go and waited for, and where a
    second thread prepares the next rows meanwhile, waiting takes longer than all else.
    """
    width, written = len(merge.table.columns), 0
    for some in _strides(rows, AT_ONCE // width):
        values = tuple(chain.from_iterable(some))
        text = _text(merge, len(some))
        done = await connection.exec_driver_sql(text, values, execution_options=COUNTED)
        written += done.rowcount
    return written


def _strides(rows: Sequence[tuple[Any, ...]], most: int) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yield rows in parts of a few sizes, so that few statements are ever made ready."""
    start, size = 0, 1 << (most.bit_length() - 1)
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        yield rows[start : start + size]
        start += size


@cache
def _text(merge: Merge, rows: int) -> str:
    # FAIL: what fails is rolled back with its transaction anyway. Otherwise SQLite keeps, for each
    # statement of many rows, a journal of every page that it changes.
    into = insert(merge.table).prefix_with("OR FAIL")
    if merge.values is None:
        into = into.on_conflict_do_nothing()
    else:
        into = into.on_conflict_do_update(
            index_elements=merge.table.primary_key.columns,
            set_=merge.values(into.excluded),
            where=None if merge.where is None else merge.where(into.excluded),
        )
    one = f"({', '.join('?' * len(merge.table.columns))})"
    text = str(into.compile(dialect=sqlite.dialect()))
    return text.replace(one, ", ".join([one] * rows))


async def find(
    connection: AsyncConnection,
    table: Table,
    columns: Sequence[Column[Any]],
    keys: Sequence[tuple[Any, ...]],
) -> Sequence[Row[Any]]:
    """Return columns of the rows that have one of the keys; what they hold is as it is kept."""
    key = tuple(column.name for column in table.primary_key.columns)
    found: list[Row[Any]] = []
    for some in _strides(keys, AT_ONCE // len(key)):
        text = _asking(table, tuple(column.name for column in columns), key, len(some))
        values = tuple(chain.from_iterable(some))
        found += (await connection.exec_driver_sql(text, values)).all()
    return found


@cache
def _asking(table: Table, columns: tuple[str, ...], key: tuple[str, ...], rows: int) -> str:
    one = f"({', '.join('?' * len(key))})"
    return ASKED.format(
        columns=", ".join(columns),
        table=table.name,
        key=", ".join(key),
        rows=", ".join([one] * rows),
    )


async def make_room(connection: AsyncConnection, times: Iterable[int]) -> None:
    """Do nothing: a table takes events of any time."""


async def drop_before(connection: AsyncConnection, before: int) -> Dropped:  # noqa: ARG001 - likewise
    """Remove nothing: events of all times lie in one table."""
    return Dropped(0, before)


ASKED: Final = "SELECT {columns} FROM {table} WHERE ({key}) IN (VALUES {rows})"
COUNTED: Final = {"preserve_rowcount": True}


def _number(connection: Connection, statement: str) -> int:
    return int(connection.execute(text(statement)).scalar_one())


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
            patiently(cursor.execute, pragma, patience)
        cursor.close()

    hook.listen(engine.sync_engine, "connect", connected)
    engine.dialect.statement_compiler = Compiler
    return engine


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
