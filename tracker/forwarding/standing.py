"""How each sink stands, read from the ledger and the spool alone, whether the office runs or not.

In: the sinks of the settings and the data folder's files. Out: one frozen value a sink, those that
are no longer in the settings included. Reads, and changes nothing.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from tracker.forwarding import missed, replays, roll
from tracker.forwarding.dead import DeadLetters
from tracker.forwarding.lag import Lag, lag
from tracker.forwarding.ledger import Ledger
from tracker.forwarding.roll import Entry
from tracker.health import BEHIND_AFTER
from tracker.reader import SpoolReader, Stream
from tracker.sinks.url import SinkUrl

State = Literal["ok", "behind", "failing", "paused", "new", "not in the settings"]


class Told(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A value that is shown as JSON. Times are ISO 8601, empty for never."""


class Waiting(Told, frozen=True):
    """What waits for a sink; hits are counted if `exact`, else reckoned from their bytes."""

    hits: int
    exact: bool
    bytes: int
    seconds: float


class Gap(Told, frozen=True):
    """Hits that a sink was not offered; 0 if nobody counted them."""

    since: str
    until: str
    hits: int
    why: str


class Order(Told, frozen=True):
    """A replay that is asked for and not done."""

    since: str
    until: str
    reached: str
    delivered: int
    refused: int


class SinkStanding(Told, frozen=True):
    """One sink.

    `place` is its URL without passwords, empty where the settings don't name it. `up_to` is the
    time up to which it has every hit, `positions` where it stands in each stream, as the number of
    a segment and an offset. `failures` are in a row.
    """

    name: str
    place: str
    state: State
    events: list[str]
    domains: list[str]
    lag: Waiting
    up_to: str
    paused: str
    failures: int
    last_error: str
    last_error_at: str
    dead_letters: int
    missed: list[Gap]
    replays: list[Order]
    positions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Book:
    """What is read once for all sinks."""

    ledger: Ledger
    streams: Sequence[Stream]
    entries: Mapping[str, Entry]
    letters: Mapping[str, int]
    now: float


def standings(ledger: Ledger, spool: SpoolReader, urls: Sequence[SinkUrl]) -> list[SinkStanding]:
    """Look at every sink, those of the settings first. Raises LedgerUnavailable, OSError."""
    finished, _ = ledger.finished()
    streams = [stream for stream in spool.streams() if stream.name not in finished]
    book = Book(ledger, streams, roll.entries(ledger), DeadLetters(ledger).count(), time.time())
    named = {url.name: url for url in urls}
    others = sorted((set(book.entries) | set(book.letters)) - set(named))
    return [_standing(book, name, named.get(name)) for name in (*named, *others)]


def _standing(book: Book, name: str, url: SinkUrl | None) -> SinkStanding:
    entry = book.entries.get(name, Entry(name, 0))
    positions = book.ledger.positions(name)
    waits = lag(book.streams, positions) if url is not None else Lag()
    seconds = book.now - waits.oldest / 1e6 if waits.oldest else 0.0
    return SinkStanding(
        name=name,
        place=url.place if url else "",
        state=_state(entry, url, seconds),
        events=sorted(url.kinds) if url else [],
        domains=sorted(url.domains) if url else [],
        lag=Waiting(hits=waits.hits, exact=waits.exact, bytes=waits.bytes, seconds=seconds),
        up_to=moment(entry.reached / 1e6),
        paused=moment(entry.paused_at),
        failures=entry.failures,
        last_error=entry.trouble,
        last_error_at=moment(entry.failed_at),
        dead_letters=book.letters.get(name, 0),
        missed=[
            Gap(
                since=moment(one.first / 1e6),
                until=moment(one.last / 1e6),
                hits=one.hits,
                why=one.why,
            )
            for one in missed.ranges(book.ledger, name)
        ],
        replays=[
            Order(
                since=moment(one.first / 1e6),
                until=moment(one.last / 1e6),
                reached=moment(one.reached_at / 1e6),
                delivered=one.delivered,
                refused=one.refused,
            )
            for one in replays.open_ones(book.ledger, name)
        ],
        positions={
            stream.name: f"{found.segment}:{found.offset}"
            for stream in book.streams
            if (found := positions.get(stream.name))
        },
    )


def _state(entry: Entry, url: SinkUrl | None, seconds: float) -> State:
    if url is None:
        return "not in the settings"
    if entry.paused_at:
        return "paused"
    if not entry.seen:
        return "new"
    if entry.failures:
        return "failing"
    return "behind" if seconds > BEHIND_AFTER else "ok"


def moment(at: float) -> str:
    """Write a time in Unix seconds, empty for 0."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at else ""
