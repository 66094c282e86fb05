"""A mistake: what the person at the command can put right, said in one sentence.

It reaches the terminal as that sentence and the process's exit status, never as a traceback.
"""

from enum import IntEnum
from typing import Final

# What a mistake of our own in pure code raises, which no person at a command can put right. What
# runs into one would run into it for ever, and hold up all that comes behind it.
OUR_MISTAKES: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Exit(IntEnum):
    """Exit statuses a script can tell apart, from BSD's sysexits(3)."""

    OK = 0
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    SOFTWARE = 70
    CANNOT_CREATE = 73
    IO = 74
    NO_PERMISSION = 77
    CONFIG = 78


class Mistake(Exception):
    """What is wrong, and what would be right; `status` is what the process exits with."""

    def __init__(self, sentence: str, status: Exit) -> None:
        super().__init__(sentence)
        self.status = status
