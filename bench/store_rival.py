"""What a straightforward program would do: one SQLite table, an index a question, executemany.

As safe as the store (a log that is written ahead, forced to disk with each batch), with the same
ways to find an event, but without figures, revisions and compression; the document is a text.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tracker.store.row import Row

SCHEMA: Final = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, domain TEXT, at INTEGER, kind TEXT, recipient TEXT,
    message_id TEXT, document TEXT);
CREATE INDEX IF NOT EXISTS by_time ON event (domain, at);
CREATE INDEX IF NOT EXISTS by_kind ON event (domain, kind, at);
CREATE INDEX IF NOT EXISTS by_recipient ON event (domain, recipient, at);
CREATE INDEX IF NOT EXISTS by_message ON event (domain, message_id, at);
CREATE TABLE IF NOT EXISTS tag (domain TEXT, tag TEXT, at INTEGER, event TEXT);
CREATE INDEX IF NOT EXISTS by_tag ON tag (domain, tag, at);
"""


class Rival:
    """A store of that kind, at a path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.executescript(SCHEMA)

    def insert(self, rows: Sequence[Row]) -> None:
        """Store rows, durably."""
        with self._connection as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO event VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (r.id, r.domain, r.at, r.kind, r.recipient, r.message_id, r.document.decode())
                    for r in rows
                ],
            )
            connection.executemany(
                "INSERT INTO tag VALUES (?, ?, ?, ?)",
                [(row.domain, tag, row.at, row.id) for row in rows for tag in row.tags],
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
