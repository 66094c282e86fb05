"""The interpreter: what Python is told to do otherwise in a process of ours."""

import contextlib
import gc
import sys
from collections.abc import Iterator
from typing import Final

# Objects that are made and not yet freed until Python looks for cycles among them. What is made of
# a hit has none, and thousands are held at a time: after each 700, Python's own number, looking
# takes 8 % of an office's time and 14 % of a consumer's.
LOOK_FOR_CYCLES_AFTER: Final = 20_000
# Seconds that a thread has for itself. With Python's own 5 ms, storing took 4 % longer than the
# processor had to do for it, with this 2 % less: some of it is done side by side.
TURN: Final = 0.000_5


def look_for_cycles_seldom() -> None:
    """Have Python look for cycles once for thousands of events.

    Before much is imported, it spares an eighth of that time, as `importing` does.
    """
    gc.set_threshold(LOOK_FOR_CYCLES_AFTER)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Have Python look for no cycles while modules come in, which stay: an eighth of that time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def take_turns_often() -> None:
    """Have threads of Python give way to each other sooner.

    A thread that comes back from the database waits until another one, which makes the next batch
    ready, gives way.
    """
    sys.setswitchinterval(TURN)
