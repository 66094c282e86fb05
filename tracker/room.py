"""Room: how much of its disk the spool may fill, how long that lasts, what goes when it is full.

In: the segments that some sink still needs, and the disk's free space. Out: facts for health and
metrics, and up to where sinks that hold too much lose their turn. Nothing here touches a disk.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tracker.reader import START, Position

# What is worth a sink's turn: on a disk that others have filled, taking less away helps nobody.
LEAST: Final = 64 << 20  # bytes
DOWN_TO: Final = 0.8  # of the room: a sink that lost its turn shall not lose it every second
RATE_OVER: Final = 600.0  # seconds over which growth is measured
RATE_FROM: Final = 30.0  # seconds that are too few to tell


@dataclass(frozen=True, slots=True)
class Bound:
    """What an operator allows: `limit` bytes of hits that wait (0: any), `reserve` left free."""

    limit: int = 0
    reserve: int = 0
    least: int = LEAST

    def capacity(self, held: int, free: int) -> int:
        """Return how many bytes hits that wait may take, of `held` taken and `free` free ones."""
        of_disk = held + free - self.reserve
        return max(min(self.limit or of_disk, of_disk), self.least)


@dataclass(frozen=True, slots=True)
class Filling:
    """How full the spool is: bytes `held` for sinks, of a `capacity`, and the seconds until full.

    `seconds` is infinite while it doesn't grow.
    """

    held: int = 0
    capacity: int = LEAST
    seconds: float = math.inf

    @property
    def share(self) -> float:
        """How much of the room is taken, from 0; 1 and more is full."""
        return self.held / self.capacity


class Growth:
    """How fast the spool fills, of late."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def filling(self, held: int, capacity: int, now: float) -> Filling:
        """Take another look. `now` is in seconds on any clock that doesn't jump."""
        self._looks.append((now, held))
        while self._looks[0][0] < now - RATE_OVER:
            self._looks.popleft()
        then, less = self._looks[0]
        grown, passed = held - less, now - then
        if grown <= 0 or passed < RATE_FROM:
            return Filling(held, capacity)
        return Filling(held, capacity, max(0, capacity - held) * passed / grown)


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """A segment that some sink still needs, in the order in which segments were written.

    `spared` says that a sink needs it which must never lose its turn.
    """

    stream: str
    number: int
    size: int
    spared: bool


def given_up(segments: Sequence[Held], filling: Filling) -> dict[str, Position]:
    """Return up to where, by stream, whoever holds the spool back has to move on.

    The oldest go first, as few as do; nothing goes that is spared, or stands behind it in its
    stream.
    """
    if filling.share < 1:
        return {}
    left = filling.held
    upto: dict[str, Position] = {}
    for one in sorted(segments):
        if left <= filling.capacity * DOWN_TO:
            break
        if one.spared:
            continue
        upto[one.stream] = max(Position(one.number + 1), upto.get(one.stream, START))
        left -= one.size
    return upto
