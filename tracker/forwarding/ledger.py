"""The ledger: how far each sink has come, what it set aside, and what workers now gone had counted.

What else is kept of sinks in the same file has modules of its own, named where the tables are made.

A SQLite file of the back office's own. What belongs together is one transaction: a position moves
on only together with the dead letters of the hits that it passes, and a stream is finished only
together with the sum of what its worker counted.

Promise: what a method has recorded survives a crash of this process and of the machine.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from certs.busy import patiently
from tracker.reader import START, Position

FILE: Final = "forward.db"  # within the data folder
BUSY_WITHIN: Final = 10.0  # seconds to wait for the `tracker dead` command, which writes here too

# Each takes a ledger from one version to the next; the first makes it.
STEPS: Final = (
    """
create table position (
    sink text not null, stream text not null, segment integer not null, offset integer not null,
    primary key (sink, stream)
) without rowid;
create table dead (
    sink text not null, id text not null, reason text not null, died_at integer not null,
    again integer not null default 0, hit blob not null,
    primary key (sink, id)
) without rowid;
create index dead_again on dead (sink, id) where again;
create table finished (stream text primary key) without rowid;
create table total (counter text primary key, value integer not null) without rowid;
""",
    # What was known by other clicks when a letter died, the clicks that may yet tell more, and up
    # to where streams were written over.
    """
alter table dead add column company integer not null default 0;
create table recent (
    sink text not null, number integer not null, latest integer not null, clicks blob not null,
    primary key (sink, number)
) without rowid;
create table wiped (
    stream text primary key, segment integer not null, offset integer not null
) without rowid
""",
    # The sinks that there are or were (`roll`), what they missed (`missed`), and
    # what they are to be given from the store (`replays`).
    """
create table sink (
    name text primary key, since integer not null, seen integer not null default 0,
    paused_at integer not null default 0, reached integer not null default 0,
    failures integer not null default 0, trouble text not null default '',
    failed_at integer not null default 0
) without rowid;
create table missed (
    sink text not null, first integer not null, last integer not null, hits integer not null,
    why text not null, noted_at integer not null,
    primary key (sink, first, last)
) without rowid;
create table replay (
    number integer primary key autoincrement, sink text not null, first integer not null,
    last integer not null, asked_at integer not null, reached text not null default '',
    reached_at integer not null default 0, delivered integer not null default 0,
    refused integer not null default 0, ended_at integer not null default 0
);
create index replay_open on replay (sink) where not ended_at
""",
)
VERSION: Final = len(STEPS)

DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
DAMAGED_SAYS: Final = (
    " (the file is damaged or another's: stop the tracker, move {path}* aside and start it again."
    " Every hit that waits is delivered, some to a sink that has them; what is lost are dead"
    " letters, pauses, and what sinks missed)"
)


class LedgerUnavailable(Exception):
    """The ledger can't be read or written now; the message says why."""


class Ledger:
    """An open ledger. Its methods block, and may be called from any thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._one_at_a_time = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the ledger, or begin one. Raises LedgerUnavailable."""
        try:
            path.touch(mode=0o600)
            connection = sqlite3.connect(
                path, timeout=BUSY_WITHIN, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise LedgerUnavailable(f"cannot open {path}: {error}") from error
        try:
            _prepare(connection)
        except sqlite3.Error as error:
            connection.close()
            damaged = getattr(error, "sqlite_errorcode", None) in DAMAGED
            told = DAMAGED_SAYS.format(path=path) if damaged else ""
            raise LedgerUnavailable(f"cannot use {path}: {error}{told}") from error
        return cls(connection)

    def close(self) -> None:
        """Close the file, once nobody is at it."""
        with self._one_at_a_time:
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Make what is done inside durable as one, or not at all. Raises LedgerUnavailable."""
        with self._one_at_a_time:
            try:
                self._connection.execute("begin immediate")
                with self._connection:
                    yield self._connection
            except sqlite3.Error as error:
                raise LedgerUnavailable(f"the ledger can't be written: {error}") from error

    def rows(
        self, query: str, parameters: Sequence[str | int | None] = ()
    ) -> list[tuple[Any, ...]]:
        """Return what a query finds. Raises LedgerUnavailable."""
        with self._one_at_a_time:
            try:
                return self._connection.execute(query, parameters).fetchall()
            except sqlite3.Error as error:
                raise LedgerUnavailable(f"the ledger can't be read: {error}") from error

    def positions(self, sink: str) -> dict[str, Position]:
        """Return how far a sink has come in each stream, by the stream's name.

        A sink that is new, or was away, begins where what lay before was wiped.
        """
        found = self.rows(
            "select stream, segment, offset from position where sink = ?"
            " union all select stream, segment, offset from wiped",
            (sink,),
        )
        positions: dict[str, Position] = {}
        for stream, segment, offset in found:
            known = positions.get(stream, START)
            positions[stream] = max(known, Position(segment, offset))
        return positions

    def finished(self) -> tuple[set[str], dict[str, int]]:
        """Return the streams that are finished, and the sums of what their workers had counted.

        The folder of a finished stream may still be there.
        """
        streams = {stream for (stream,) in self.rows("select stream from finished")}
        return streams, dict(self.rows("select counter, value from total"))

    def wiping(self, stream: str, before: Position) -> None:
        """Record that what a stream holds before a position is about to be written over, or was.

        It is so for good: an earlier position changes nothing.
        """
        with self.transaction() as ledger:
            ledger.execute(
                "insert into wiped values (?, ?, ?) on conflict (stream)"
                " do update set segment = excluded.segment, offset = excluded.offset"
                " where (excluded.segment, excluded.offset) > (segment, offset)",
                (stream, before.segment, before.offset),
            )

    def finish(self, stream: str, counted: Mapping[str, int]) -> None:
        """Record that every sink has a stream, and add what its worker counted; once, ever."""
        with self.transaction() as ledger:
            added = ledger.execute("insert or ignore into finished values (?)", (stream,))
            if not added.rowcount:
                return
            ledger.executemany(
                "insert into total values (?, ?)"
                " on conflict (counter) do update set value = value + excluded.value",
                counted.items(),
            )
            ledger.execute("delete from position where stream = ?", (stream,))
            ledger.execute("delete from wiped where stream = ?", (stream,))

    def forget_all_but(self, present: Collection[str]) -> None:
        """Drop what is known of streams whose folders are gone; their counts stay in the sums."""
        known = self.rows(
            "select stream from finished union select stream from position"
            " union select stream from wiped"
        )
        gone = [row for row in known if row[0] not in present]
        with self.transaction() as ledger:
            ledger.executemany("delete from finished where stream = ?", gone)
            ledger.executemany("delete from position where stream = ?", gone)
            ledger.executemany("delete from wiped where stream = ?", gone)

    def purge(self) -> None:
        """Empty the write-ahead log, which holds what was deleted until it is written over.

        Does nothing while another process reads. Raises LedgerUnavailable.
        """
        self.rows("pragma wal_checkpoint(truncate)")


def advance(connection: sqlite3.Connection, sink: str, stream: str, position: Position) -> None:
    """Move a sink's position in a stream, within a transaction."""
    connection.execute(
        "insert into position values (?, ?, ?, ?) on conflict (sink, stream)"
        " do update set segment = excluded.segment, offset = excluded.offset",
        (sink, stream, position.segment, position.offset),
    )


def _prepare(connection: sqlite3.Connection) -> None:
    # The write-ahead log alone would lose the last transactions with the machine's power;
    # synchronous=full syncs it at each (sqlite.org/pragma.html#pragma_synchronous).
    patiently(connection.execute, "pragma journal_mode = wal", BUSY_WITHIN)
    connection.execute("pragma synchronous = full")
    # What is deleted, hits of people among it, is overwritten with zeros in the file
    # (sqlite.org/pragma.html#pragma_secure_delete); `purge` sees to the log.
    connection.execute("pragma secure_delete = on")
    connection.execute("begin immediate")
    (version,) = connection.execute("pragma user_version").fetchone()
    if version > VERSION:
        connection.execute("commit")
        raise sqlite3.DatabaseError(f"it has the form {version}, and this version knows {VERSION}")
    for step in STEPS[version:]:
        for statement in step.split(";"):
            connection.execute(statement)
    if version < VERSION:  # else there is nothing to write, and no disk to wait for
        connection.execute(f"pragma user_version = {VERSION}")
    connection.execute("commit")
