"""Lag: what waits in the spool for sinks, read from the files alone.

In: streams, and where a sink stands in each. Out: hits, bytes, and since when the oldest waits.
"""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from tracker import counters, segment
from tracker.counters import Counter
from tracker.reader import START, Position, Stream

COUNTED: Final = 8 << 20  # bytes of hits that are counted one by one; more are reckoned
USUAL: Final = 500  # bytes of a hit, where its worker left no figures
END: Final = Position(1 << 62)


@dataclass(frozen=True, slots=True)
class Lag:
    """What waits: `oldest` is when the first of it came, in microseconds, 0 where nothing waits.

    `hits` are counted where `exact` says so, else reckoned from their bytes.
    """

    bytes: int = 0
    hits: int = 0
    oldest: int = 0
    exact: bool = True

    def __add__(self, other: "Lag") -> "Lag":
        times = [lag.oldest for lag in (self, other) if lag.oldest]
        return Lag(
            self.bytes + other.bytes,
            self.hits + other.hits,
            min(times, default=0),
            self.exact and other.exact,
        )


def lag(streams: Iterable[Stream], positions: Mapping[str, Position]) -> Lag:
    """Return what waits for a sink in all of some streams. Raises OSError."""
    total = Lag()
    for stream in streams:
        # What vanishes while it is looked at is what every sink has.
        with contextlib.suppress(FileNotFoundError):
            total += _lag(stream, positions.get(stream.name, START))
    return total


def _lag(stream: Stream, after: Position) -> Lag:
    size = backlog(stream, after)
    if not size:
        return Lag()
    try:
        if size <= COUNTED:
            found = stream.between(after, END)
            return Lag(size, found.hits, found.first)
        oldest = stream.read(after, 1).hits[0].at
    except msgspec.DecodeError:  # a newer version wrote it
        oldest = 0
    told = counters.read(stream.folder)
    usual = told[Counter.BYTES] / told[Counter.WRITTEN] if told[Counter.WRITTEN] else USUAL
    return Lag(size, round(size / usual), oldest, exact=False)


def backlog(stream: Stream, after: Position) -> int:
    """Return how many bytes of hits lie behind a position, without reading more than two segments.

    All segments but the last two are full: a worker writes one and has made the next one ready.
    """
    present = segment.numbers(stream.folder)
    full = [number for number in present[:-2] if number >= after.segment]
    if not full:
        return stream.backlog(after)
    size = sum(segment.path_of(stream.folder, number).stat().st_size for number in full)
    passed = after.offset if after.segment == full[0] else 0
    return size - passed + stream.backlog(Position(present[-2]))


def full(stream: Stream) -> list[tuple[int, int]]:
    """Return number and size of a stream's segments that sinks alone need.

    The worker that writes there, if it lives, is done with all but the last two. Raises OSError.
    """
    present = segment.numbers(stream.folder)
    found = []
    for number in present[:-2] if stream.alive() else present:
        with contextlib.suppress(FileNotFoundError):
            found.append((number, segment.path_of(stream.folder, number).stat().st_size))
    return found
