"""Dead letters: hits that one sink does not have and that trying again would not bring there.

Either the hit can't become an event (its key is gone, its context can't be read), or the sink
refuses the event. The hit is kept as it came, with the reason, so that it can be replayed once the
reason is gone: the back office then makes an event of it anew and offers it to that sink again.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from itsdangerous.encoding import base64_encode

from tracker import hit as hits
from tracker.forwarding.ledger import Ledger
from tracker.hit import Hit

PAGE: Final = 500  # letters read at a time
_decode = msgspec.msgpack.Decoder(Hit).decode


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `id` is the id of its event; `died_at` is in Unix seconds.

    `again` says that it waits for being replayed, `company` what other clicks told of it.
    """

    sink: str
    id: str
    reason: str
    died_at: int
    hit: Hit
    again: bool = False
    company: int = 0


def letter(sink: str, hit: Hit, reason: str, died_at: float, company: int = 0) -> Letter:
    """Write a dead letter."""
    return Letter(sink, base64_encode(hit.id).decode(), reason, int(died_at), hit, company=company)


class DeadLetters:
    """The dead letters in a ledger, for whoever looks at them and sends them on their way again."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def list(self, sink: str | None = None) -> Iterator[Letter]:
        """Yield every dead letter, or a sink's, by sink and id. Raises LedgerUnavailable."""
        last = (sink or "", "")
        while rows := self._ledger.rows(
            "select sink, id, reason, died_at, hit, again, company from dead"
            " where (sink, id) > (?, ?) and sink = coalesce(?, sink) order by sink, id limit ?",
            (*last, sink, PAGE),
        ):
            yield from map(_letter, rows)
            last = rows[-1][:2]

    def count(self) -> dict[str, int]:
        """Return how many there are, by sink. Raises LedgerUnavailable."""
        return dict(self._ledger.rows("select sink, count(*) from dead group by sink"))

    def replay(self, ids: Sequence[str] | None = None, sink: str | None = None) -> int:
        """Have some of them, else all, offered again by the back office; return how many.

        With a `sink`, only its own.

        It takes them up within a second, or when it next starts. What it can't deliver stays, with
        the reason of now. Raises LedgerUnavailable.
        """
        return self._each("update dead set again = 1", ids, sink)

    def discard(self, ids: Sequence[str] | None = None, sink: str | None = None) -> int:
        """Drop some of them, else all, for good; return how many. Raises LedgerUnavailable.

        With a `sink`, only its own.
        """
        return self._each("delete from dead", ids, sink)

    def _each(self, statement: str, ids: Sequence[str] | None, sink: str | None) -> int:
        of_sink = f"{statement} where sink = coalesce(?, sink)"
        with self._ledger.transaction() as ledger:
            if ids is None:
                return ledger.execute(of_sink, (sink,)).rowcount
            return ledger.executemany(
                f"{of_sink} and id = ?", ((sink, one) for one in ids)
            ).rowcount


def to_replay(ledger: Ledger, sink: str, limit: int) -> list[Letter]:
    """Return letters that wait for being replayed."""
    found = ledger.rows(
        "select sink, id, reason, died_at, hit, again, company from dead"
        " where again and sink = ? limit ?",
        (sink, limit),
    )
    return list(map(_letter, found))


def put(connection: sqlite3.Connection, letters: Sequence[Letter]) -> None:
    """Keep letters, within a transaction; one that is there gets the new reason and rests."""
    connection.executemany(
        "insert into dead (sink, id, reason, died_at, hit, company) values (?, ?, ?, ?, ?, ?)"
        " on conflict (sink, id) do update set reason = excluded.reason, again = 0,"
        " company = max(company, excluded.company)",
        (
            (one.sink, one.id, one.reason, one.died_at, hits.encode(one.hit), one.company)
            for one in letters
        ),
    )


def remove(connection: sqlite3.Connection, letters: Sequence[Letter]) -> None:
    """Drop letters that have arrived, within a transaction."""
    connection.executemany(
        "delete from dead where sink = ? and id = ?", ((one.sink, one.id) for one in letters)
    )


def _letter(row: tuple[Any, ...]) -> Letter:
    sink, id_, reason, died_at, hit, again, company = row
    return Letter(sink, id_, reason, died_at, _decode(hit), bool(again), company)
