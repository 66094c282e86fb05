"""Rotation: when a file is closed and another one begun.

In: what the settings say, `100MB`, `daily`, or both; how large the file is and when it was last
written. Out: whether it is time. Days and hours are those of UTC.
"""

from dataclasses import dataclass
from typing import Final, Self

from tracker import size

PERIODS: Final = {"hourly": 3_600, "daily": 86_400}  # seconds


@dataclass(frozen=True, slots=True)
class Rotation:
    """A file ends before it would grow beyond `bytes`, and with a `period` in seconds; 0: never."""

    bytes: int = 0
    period: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `100MB`, `daily`, `hourly` or `100MB,daily`. Raises ValueError."""
        largest = period = 0
        for word in (one.strip() for one in text.split(",")):
            if word in PERIODS and not period:
                period = PERIODS[word]
            elif word not in PERIODS and not largest:
                largest = _size(word)
            else:
                raise ValueError(WRONG)
        return cls(largest, period)

    def due(self, held: int, more: int, written_at: float, now: float) -> bool:
        """Tell whether a file of `held` bytes ends before `more` are written. Times in seconds."""
        if not held:
            return False
        too_large = bool(self.bytes) and held + more > self.bytes
        return too_large or (
            bool(self.period) and int(now // self.period) > int(written_at // self.period)
        )


WRONG: Final = "should be a size such as 100MB, daily, hourly, or a size and one of these"


def _size(word: str) -> int:
    try:
        found = size.size(word)
    except ValueError as error:
        raise ValueError(WRONG) from error
    if not found:
        raise ValueError(WRONG)
    return found


def compression(text: str) -> str:
    """Read how closed files are compressed. Raises ValueError."""
    if text != "gzip":
        raise ValueError("should be gzip")
    return text


def kept(text: str) -> int:
    """Read how many closed files are kept. Raises ValueError."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1_000_000):
        raise ValueError("should be a number of files, from 1 on")
    return int(text)
