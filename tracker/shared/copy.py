"""The copy: suppressions and API keys of the shared store, in a file of this machine's own.

In: changes of suppressions in the order of their numbers, and the keys that are live. Out: the
same, and as of when, while the store is away. A copy that is damaged, or of another store, begins
anew.

Promise: a batch of changes and how far it reaches are kept together or not at all. Keys are there
as their digests alone.
"""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self

import msgspec

from tracker.store.access import KeyRecord
from tracker.store.suppressions import BEGINNING, Changed, Mark, Suppression, grouped

FILE: Final = "shared.db"  # within the data folder
FORM: Final = 1  # of the tables below; a file of another form begins anew
PATIENCE: Final = 5.0  # seconds that a command waits for the office, or the other way round
# What is lost when the power goes is copied again.
PRAGMAS: Final = "pragma journal_mode=wal; pragma synchronous=normal; pragma secure_delete=on;"
TABLES: Final = f"""
begin;
create table suppression (
    domain text, address text, tag text, at integer not null, primary key (domain, address, tag)
) without rowid;
create table mark (change integer, domain text, address text, tag text);
create table api_key (record blob not null);
create table current (part text primary key, at real not null) without rowid;
create table origin (store text not null);
pragma user_version={FORM};
commit;
"""

Part = Literal["settings", "keyring", "suppressions", "API keys"]

logger = logging.getLogger(__name__)


class _Row(NamedTuple):
    address: str
    tag: str
    at: int


class CopyUnavailable(Exception):
    """The copy can't be read or written now; the message says why."""


class Copy:
    """An open copy. Its methods block, may be called from any thread, and raise CopyUnavailable."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._one_at_a_time = threading.Lock()

    @classmethod
    def open(cls, path: Path, origin: str) -> Self:
        """Open the copy of a store, or begin one. Raises CopyUnavailable."""
        try:
            path.touch(mode=0o600)
            return cls(_of(path, origin) or _anew(path, origin))
        except (OSError, sqlite3.Error) as error:
            raise CopyUnavailable(f"cannot open {path}: {error}") from error

    @classmethod
    def there(cls, path: Path, origin: str) -> Self | None:
        """Open the copy of a store beside whoever keeps it; None where there is none."""
        with contextlib.suppress(sqlite3.Error):
            if path.exists() and (found := _of(path, origin)):
                return cls(found)
        return None

    def close(self) -> None:
        """Close the file, once nobody is at it."""
        with self._one_at_a_time:
            self._connection.close()

    def mark(self) -> Mark:
        """Return how far changes have been taken."""
        found = self._rows("select change, domain, address, tag from mark")
        return Mark(*found[0]) if found else BEGINNING

    def take(self, changes: Sequence[Changed]) -> None:
        """Take further changes, in the order of their marks."""
        with self._transaction() as connection:
            connection.executemany(
                "delete from suppression where domain = ? and address = ? and tag = ?",
                [one.key for one in changes],
            )
            connection.executemany(
                "insert into suppression values (?, ?, ?, ?)",
                [(*one.key, one.at) for one in changes if one.suppressed],
            )
            connection.execute("delete from mark")
            connection.execute("insert into mark values (?, ?, ?, ?)", changes[-1].mark)

    def clear(self) -> None:
        """Forget all suppressions, and how far they reached."""
        with self._transaction() as connection:
            connection.execute("delete from suppression")
            connection.execute("delete from mark")
            connection.execute("delete from current where part = 'suppressions'")

    def suppressions(self, domain: str, addresses: Sequence[str]) -> dict[str, Suppression]:
        """Return what is suppressed among some addresses, by address; both as they are kept."""
        rows = self._rows(
            "select address, tag, at from suppression where domain = ?"
            " and address in (select value from json_each(?)) order by address, tag",
            (domain, msgspec.json.encode(list(addresses)).decode()),
        )
        return grouped(_Row(*row) for row in rows)

    def keep_keys(self, records: Sequence[KeyRecord]) -> None:
        """Remember these API keys, and no others."""
        with self._transaction() as connection:
            connection.execute("delete from api_key")
            connection.executemany(
                "insert into api_key values (?)", [(msgspec.json.encode(one),) for one in records]
            )

    def keys(self) -> list[KeyRecord]:
        """Return the API keys that are remembered."""
        rows = self._rows("select record from api_key")
        try:
            return [msgspec.json.decode(record, type=KeyRecord) for (record,) in rows]
        except msgspec.MsgspecError as error:
            raise CopyUnavailable(f"the copy of the API keys is damaged: {error}") from error

    def note_current(self, parts: Mapping[Part, float]) -> None:
        """Note when parts were as the store has them, in Unix seconds."""
        with self._transaction() as connection:
            connection.executemany("insert or replace into current values (?, ?)", parts.items())

    def current(self) -> dict[Part, float]:
        """Return when each part was as the store has it, but for those that have never been."""
        return dict(self._rows("select part, at from current"))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._one_at_a_time, _unavailable():
            self._connection.execute("begin immediate")
            with self._connection:
                yield self._connection

    def _rows(self, query: str, parameters: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        with self._one_at_a_time, _unavailable():
            return self._connection.execute(query, parameters).fetchall()


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise CopyUnavailable(
            f"the copy of what machines share can't be used: {error}; where {FILE} is removed, a"
            " new one is made at the next start"
        ) from error


def _of(path: Path, origin: str) -> sqlite3.Connection | None:
    """Open a file if it is a copy of a store."""
    connection = _connected(path)
    with contextlib.suppress(sqlite3.Error):
        (form,) = connection.execute("pragma user_version").fetchone()
        if form == FORM and connection.execute("select store from origin").fetchone() == (origin,):
            return connection
    connection.close()
    return None


def _anew(path: Path, origin: str) -> sqlite3.Connection:
    if path.stat().st_size:
        logger.warning("shared_copy_begun_anew", extra={"file": str(path), "store": origin})
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.touch(mode=0o600)
    connection = _connected(path)
    connection.executescript(PRAGMAS + TABLES)
    connection.execute("insert into origin values (?)", (origin,))
    return connection


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
