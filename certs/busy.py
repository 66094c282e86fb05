"""A SQLite file that is busy: waited for, where SQLite itself gives up at once.

The vault, the store and the ledger are such files.
"""

import sqlite3
from collections.abc import Callable
from time import monotonic, sleep
from typing import Final

AGAIN_AFTER: Final = 0.01  # seconds
_PRIMARY: Final = 0xFF  # what of an error's code isn't its details (sqlite.org/rescode.html)


def patiently(execute: Callable[[str], object], statement: str, within: float) -> None:
    """Run a statement, again and again for `within` seconds while others are at the file.

    For what reads first and then writes, such as turning on the write-ahead log: of two who do so
    SQLite lets none wait, since each could wait for the other (sqlite.org/c3ref/busy_handler.html).
    Raises sqlite3.Error.
    """
    deadline = monotonic() + within
    while True:
        try:
            execute(statement)
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
            if not busy or monotonic() > deadline:
                raise
        else:
            return
        sleep(AGAIN_AFTER)
