"""Missed: what a sink was never offered, as times of hits, until it is brought from the store.

A sink misses hits when it holds the spool back past its bound and loses its turn, or when it comes
back after an office ran without it.

Promise: a range is noted in the transaction that moves the sink's position past it.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from tracker.forwarding.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Missed:
    """Hits from `first` to `last`, in microseconds, both included, that a sink was not offered.

    `hits` says how many, 0 where nobody counted them.
    """

    sink: str
    first: int
    last: int
    hits: int
    why: str
    noted_at: int


@dataclass(frozen=True, slots=True)
class Gaps:
    """How many ranges a sink missed, and how many hits were counted in them."""

    ranges: int = 0
    hits: int = 0

    def __str__(self) -> str:
        if not self.hits:
            return "some hits"
        return "1 hit" if self.hits == 1 else f"{self.hits:,} hits"


NONE: Final = Gaps()


def ranges(ledger: Ledger, sink: str | None = None) -> list[Missed]:
    """Return what sinks, or one of them, missed, the oldest first. Raises LedgerUnavailable."""
    query = "select sink, first, last, hits, why, noted_at from missed"
    where = ("", ()) if sink is None else (" where sink = ?", (sink,))
    return [Missed(*row) for row in ledger.rows(f"{query}{where[0]} order by first", where[1])]


def note(connection: sqlite3.Connection, missed: Missed) -> None:
    """Note a range, within a transaction; it becomes one with those that it touches."""
    found = connection.execute(
        "select first, last, hits, why from missed where sink = ? and last >= ? and first <= ?",
        (missed.sink, missed.first, missed.last),
    ).fetchall()
    drop(connection, missed.sink, missed.first, missed.last, touching=True)
    connection.execute(
        "insert into missed values (?, ?, ?, ?, ?, ?)",
        (
            missed.sink,
            min([missed.first, *(row[0] for row in found)]),
            max([missed.last, *(row[1] for row in found)]),
            missed.hits + sum(row[2] for row in found),
            missed.why,
            missed.noted_at,
        ),
    )


def drop(
    connection: sqlite3.Connection, sink: str, first: int, last: int, *, touching: bool = False
) -> None:
    """Drop the ranges that lie within these times, or that touch them, within a transaction."""
    where = "last >= ? and first <= ?" if touching else "first >= ? and last <= ?"
    connection.execute(f"delete from missed where sink = ? and {where}", (sink, first, last))  # noqa: S608 - of the two above


def by_sink(ledger: Ledger) -> dict[str, Gaps]:
    """Return how much each sink missed that missed something. Raises LedgerUnavailable."""
    found = ledger.rows("select sink, count(*), sum(hits) from missed group by sink")
    return {sink: Gaps(gaps, hits) for sink, gaps, hits in found}
