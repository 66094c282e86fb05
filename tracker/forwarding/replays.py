"""Replays: events of a time that a sink is to be given again, out of the store.

In: an order, by a person's command. Out: how far it has come. The office carries it out beside what
comes in, and goes on where it was after a crash of either.
"""

import sqlite3
from dataclasses import dataclass

from tracker.forwarding import missed
from tracker.forwarding.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Replay:
    """One order: hits from `first` to `last`, in microseconds, both included.

    `reached` says where in the store it goes on, and `reached_at` the time of the last event there;
    other times are in Unix seconds, 0 for not yet.
    """

    number: int
    sink: str
    first: int
    last: int
    asked_at: int
    reached: str = ""
    reached_at: int = 0
    delivered: int = 0
    refused: int = 0
    ended_at: int = 0


COLUMNS = "number, sink, first, last, asked_at, reached, reached_at, delivered, refused, ended_at"


def ask(ledger: Ledger, sink: str, first: int, last: int, now: int) -> int:
    """Order a replay; return its number. Raises LedgerUnavailable."""
    with ledger.transaction() as connection:
        number = connection.execute(
            "insert into replay (sink, first, last, asked_at) values (?, ?, ?, ?)",
            (sink, first, last, now),
        ).lastrowid
        assert number is not None  # noqa: S101 - a row was inserted
        return number


def find(ledger: Ledger, number: int) -> Replay | None:
    """Return one order, None if it was cancelled. Raises LedgerUnavailable."""
    found = ledger.rows(f"select {COLUMNS} from replay where number = ?", (number,))  # noqa: S608 - names of ours
    return Replay(*found[0]) if found else None


def open_ones(ledger: Ledger, sink: str) -> list[Replay]:
    """Return what is still to be done for a sink, oldest order first. Raises LedgerUnavailable."""
    found = ledger.rows(
        f"select {COLUMNS} from replay where sink = ? and not ended_at order by number",  # noqa: S608 - names of ours
        (sink,),
    )
    return [Replay(*row) for row in found]


def advance(connection: sqlite3.Connection, replay: Replay) -> None:
    """Note how far a replay has come, within a transaction.

    One that has ended leaves nothing missed within its times.
    """
    connection.execute(
        "update replay set reached = ?, reached_at = ?, delivered = ?, refused = ?, ended_at = ?"
        " where number = ?",
        (
            replay.reached,
            replay.reached_at,
            replay.delivered,
            replay.refused,
            replay.ended_at,
            replay.number,
        ),
    )
    if replay.ended_at:
        missed.drop(connection, replay.sink, replay.first, replay.last)


def cancel(ledger: Ledger, sink: str) -> int:
    """Drop what is still to be done for a sink; return how many. Raises LedgerUnavailable."""
    with ledger.transaction() as connection:
        return connection.execute(
            "delete from replay where sink = ? and not ended_at", (sink,)
        ).rowcount
