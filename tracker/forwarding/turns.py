"""Turns: which streams are read next, so that what tells of each other is read about together.

In: how far each stream was read, in the time of its hits. Out: those whose turn it is, and the time
before which no hit can come any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tracker.enrich.company import BURST_WITHIN
from tracker.reader import Stream

# A stream that is this much ahead of one with a backlog, in the time of its hits, waits for it, so
# that clicks which tell of each other come within what is remembered. Now and then it goes on all
# the same: a clock that was set back must not hold anybody up.
AHEAD: Final = 2 * BURST_WITHIN
WAITS_FOR: Final = 16  # rounds


@dataclass(slots=True)
class Reached:
    """How far a stream was read, in the time of its hits; `more` says that it wasn't to its end."""

    at: int
    more: bool


class Turns:
    """How far each stream was read."""

    def __init__(self) -> None:
        self._reached: dict[str, Reached] = {}
        self._rounds = 0

    def next(self, streams: Sequence[Stream]) -> list[Stream]:
        """Begin a round; return the streams that needn't wait for others."""
        self._rounds += 1
        self._reached = {
            stream.name: self._reached.get(stream.name, Reached(0, more=True)) for stream in streams
        }
        if self._rounds % WAITS_FOR == 0:
            return [*streams]
        behind = [reached.at for reached in self._reached.values() if reached.more]
        latest = min(behind, default=0) + AHEAD
        return [one for one in streams if not behind or self._reached[one.name].at <= latest]

    def read(self, stream: str, at: int, *, more: bool) -> None:
        """Note how far a stream was read."""
        self._reached[stream] = Reached(at, more)

    def ended(self, stream: str) -> None:
        """Leave a stream out that holds nothing more."""
        self._reached.pop(stream, None)

    def until(self, otherwise: int) -> int:
        """Return the time before which no hit can come any more, as far as one can tell."""
        return min((reached.at for reached in self._reached.values()), default=otherwise)
