"""The roll of sinks: what is kept of each one beside its positions, whether the office runs or not.

In: what the office finds and what a person orders. Out: entries. A sink stays on the roll when it
is taken out of the settings, until somebody has it forgotten.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tracker.forwarding import missed
from tracker.forwarding.ledger import Ledger
from tracker.forwarding.missed import Missed

logger = logging.getLogger(__name__)

# Each keeps rows of a sink, under its name.
TABLES: Final = ("position", "dead", "recent", "missed", "replay")


AWAY: Final = 180  # seconds; an office that runs tells of its sinks every minute
WHY_AWAY: Final = "it wasn't among the sinks of the settings"
SLACK: Final = 60_000_000  # microseconds: streams of several workers are read about together


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one sink. Times are in Unix seconds, 0 for never.

    `seen` is when an office last ran with it, `reached` the time, in microseconds, up to which it
    has every hit. `trouble` is what failed last, at `failed_at`; `failures` are in a row, 0 since
    it works again.
    """

    name: str
    since: int
    seen: int = 0
    paused_at: int = 0
    reached: int = 0
    failures: int = 0
    trouble: str = ""
    failed_at: int = 0


def entries(ledger: Ledger) -> dict[str, Entry]:
    """Return every sink on the roll, by name. Raises LedgerUnavailable."""
    found = ledger.rows(
        "select name, since, seen, paused_at, reached, failures, trouble, failed_at from sink"
    )
    return {row[0]: Entry(*row) for row in found}


def begin(ledger: Ledger, names: Sequence[str], now: int) -> None:
    """Note that an office begins with these sinks, and what those missed that were away.

    Raises LedgerUnavailable.
    """
    known = entries(ledger)
    latest = max((entry.seen for entry in known.values()), default=0)
    there = [known[name] for name in names if name in known]
    back = [one for one in there if 0 < one.seen < latest - AWAY]
    with ledger.transaction() as connection:
        for one in back:
            first = (one.reached or one.since * 1_000_000) - SLACK
            missed.note(connection, Missed(one.name, first, now * 1_000_000, 0, WHY_AWAY, now))
    for one in back:
        logger.error("sink_missed", extra={"sink": one.name, "why": WHY_AWAY})
    seen(ledger, names, now)


def seen(ledger: Ledger, names: Sequence[str], now: int) -> None:
    """Note that an office runs with these sinks. Raises LedgerUnavailable."""
    with ledger.transaction() as connection:
        connection.executemany(
            "insert into sink (name, since, seen) values (?1, ?2, ?2)"
            " on conflict (name) do update set seen = ?2",
            ((name, now) for name in names),
        )


def is_paused(ledger: Ledger, name: str) -> bool:
    """Tell whether nothing is to be delivered to a sink. Raises LedgerUnavailable."""
    return bool(ledger.rows("select 1 from sink where name = ? and paused_at", (name,)))


def pause(ledger: Ledger, name: str, now: int) -> bool:
    """Have nothing delivered to a sink; tell whether that changed anything.

    Raises LedgerUnavailable.
    """
    with ledger.transaction() as connection:
        done = connection.execute(
            "insert into sink (name, since, paused_at) values (?1, ?2, ?2) on conflict (name)"
            " do update set paused_at = ?2 where not paused_at",
            (name, now),
        )
        return bool(done.rowcount)


def resume(ledger: Ledger, name: str) -> bool:
    """Let a sink have events again; tell whether it was paused. Raises LedgerUnavailable."""
    with ledger.transaction() as connection:
        done = connection.execute(
            "update sink set paused_at = 0 where name = ? and paused_at", (name,)
        )
        return bool(done.rowcount)


def tell(ledger: Ledger, name: str, failures: int, trouble: str, now: int) -> None:
    """Note what troubles a sink, or that nothing does any more. Raises LedgerUnavailable."""
    with ledger.transaction() as connection:
        if trouble:
            connection.execute(
                "update sink set failures = ?, trouble = ?, failed_at = ? where name = ?",
                (failures, trouble, now, name),
            )
        else:
            connection.execute("update sink set failures = 0 where name = ?", (name,))


def reached(connection: sqlite3.Connection, name: str, at: int) -> None:
    """Note up to which time a sink has every hit, within a transaction."""
    connection.execute(
        "update sink set reached = max(reached, ?), failures = 0 where name = ?", (at, name)
    )


def rename(ledger: Ledger, old: str, new: str) -> None:
    """Give all that is kept of a sink another name, which none has yet.

    Raises LedgerUnavailable.
    """
    with ledger.transaction() as connection:
        for table in TABLES:
            connection.execute(f"update {table} set sink = ? where sink = ?", (new, old))  # noqa: S608 - names of ours
        connection.execute("update sink set name = ? where name = ?", (new, old))


def forget(ledger: Ledger, name: str) -> None:
    """Drop all that is kept of a sink. Raises LedgerUnavailable."""
    with ledger.transaction() as connection:
        for table in TABLES:
            connection.execute(f"delete from {table} where sink = ?", (name,))  # noqa: S608 - names of ours
        connection.execute("delete from sink where name = ?", (name,))


def counts(ledger: Ledger, table: str) -> Mapping[str, int]:
    """Return how many rows a table of `TABLES` has, by sink. Raises LedgerUnavailable."""
    return dict(ledger.rows(f"select sink, count(*) from {table} group by sink"))  # noqa: S608 - names of ours
