"""Recent: the clicks of the last moments that one sink was told of, and what they are now.

In: hits as they are read, in any order of streams. Out: each with the `Company` it was in, and
earlier clicks whose company turned out to be another. What it remembers lies in the ledger too, in
the transaction that moves the position, so that a restart goes on with the same knowledge.

Promise: as long as a click is remembered, every click that matters to it is counted, in whatever
order they come; `LIMIT` bounds how many are remembered.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from tracker.enrich.company import BURST_WITHIN, SECOND, Click, Company, companies, message_of
from tracker.forwarding.ledger import Ledger
from tracker.hit import Hit

# Clicks, at half a kilobyte in the ledger and one and a half in memory: 20 s of 1,000 a second.
LIMIT: Final = 20_000
# A worker's stream that has nothing to read may still bring a hit this much older than now, which
# waited for the disk.
LATE: Final = 15 * SECOND

Message = tuple[str, str]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Hit]).decode


@dataclass(frozen=True, slots=True)
class Batch:
    """Clicks that were remembered together: under which number, and when the last of them was."""

    number: int
    latest: int
    clicks: list[Hit]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be remembered, and what to be forgotten."""

    added: Batch | None
    dropped: Sequence[Batch]

    def __bool__(self) -> bool:
        return self.added is not None or bool(self.dropped)


class Recent:
    """What one sink was told of clicks, of late."""

    def __init__(self, ledger: Ledger, sink: str) -> None:
        """Go on with what the ledger holds. Raises LedgerUnavailable."""
        self._sink = sink
        self._batches: list[Batch] = []
        self._known: dict[Message, list[Hit]] = {}
        self._number = 0
        found = ledger.rows(
            "select number, latest, clicks from recent where sink = ? order by number", (sink,)
        )
        for number, latest, clicks in found:
            self._add(Batch(number, latest, _decode(clicks)))

    def judged(self, read: Sequence[Hit]) -> list[tuple[Hit, Company]]:
        """Return the hits with the company they were in, then earlier ones that rose with them."""
        found = [Company.ALONE] * len(read)
        again: list[tuple[Hit, Company]] = []
        for message, places in _by_message(read).items():
            known = self._known.get(message, [])
            clicks = [Click.of(hit) for hit in (*known, *(read[place] for place in places))]
            now = companies(clicks)
            for place, company in zip(places, now[len(known) :], strict=True):
                found[place] = company
            before = companies(clicks[: len(known)])
            for hit, was, company in zip(known, before, now, strict=False):
                if company > was:
                    again.append((hit, company))
        return [*zip(read, found, strict=True), *again]

    def change(self, read: Sequence[Hit], until: int) -> Change:
        """Return what telling the sink of these hits changes.

        `until` says that no hit before it, in microseconds, can still come.
        """
        clicks = [hit for hit in read if hit.kind == "c"]
        latest = max((hit.at for hit in clicks), default=0)
        added = Batch(self._number + 1, latest, clicks) if clicks else None
        room = LIMIT - len(clicks)
        kept = 0
        dropped = []
        for batch in reversed(self._batches):
            kept += len(batch.clicks)
            if kept > room or batch.latest + BURST_WITHIN < until:
                dropped.append(batch)
        return Change(added, dropped)

    def write(self, connection: sqlite3.Connection, change: Change) -> None:
        """Write a change, within a transaction."""
        if change.added is not None:
            connection.execute(
                "insert into recent values (?, ?, ?, ?)",
                (self._sink, *_columns(change.added)),
            )
        connection.executemany(
            "delete from recent where sink = ? and number = ?",
            ((self._sink, batch.number) for batch in change.dropped),
        )

    def accept(self, change: Change) -> None:
        """Go on from a change that is durable."""
        for batch in change.dropped:
            self._drop(batch)
        if change.added is not None:
            self._add(change.added)

    def _add(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._number = batch.number
        for hit in batch.clicks:
            self._known.setdefault(message_of(hit), []).append(hit)

    def _drop(self, batch: Batch) -> None:
        self._batches.remove(batch)
        gone = {hit.id for hit in batch.clicks}
        for message in set(map(message_of, batch.clicks)):
            if left := [hit for hit in self._known[message] if hit.id not in gone]:
                self._known[message] = left
            else:
                del self._known[message]


def _by_message(read: Sequence[Hit]) -> dict[Message, list[int]]:
    """Return where the clicks of each message stand."""
    places: dict[Message, list[int]] = defaultdict(list)
    for place, hit in enumerate(read):
        if hit.kind == "c":
            places[message_of(hit)].append(place)
    return places


def _columns(batch: Batch) -> tuple[int, int, bytes]:
    return batch.number, batch.latest, _encode(batch.clicks)
