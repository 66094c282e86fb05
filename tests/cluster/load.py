"""The load: recipients who come to several edges without end, and what each of them was told.

Each visit is of another recipient, so that what is stored can be matched with what was answered,
one to one.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from tests.patience import wait_for
from tests.storm.crowd import Crowd, Visit

# Seconds that each of the eight who come at once to an edge takes for thought. What is tested is
# what breaks, not how much goes through.
PAUSE: Final = 0.05
KINDS: Final = "ocu"
MOST: Final = 1_000_000  # recipients that one load may have


class Load:
    """Those who come, and how they fared."""

    def __init__(self, edges: Sequence[str], keyring: Path, number: int) -> None:
        first = number * MOST
        self._numbers = range(first, first + MOST)
        self._visits = _Endless(first)
        # A connection that is kept may be ended just as the next request is on its way (RFC 9112,
        # §9.3.1), as by a worker that makes room for one with a new key. None is to be cut off.
        self._crowds = [Crowd.at(edge, keyring, stay=False) for edge in edges]

    @property
    def answered(self) -> int:
        """How many were told something."""
        return sum(len(crowd.answers) for crowd in self._crowds)

    @property
    def done(self) -> set[Visit]:
        """Who were told that all went well."""
        return {visit for crowd in self._crowds for visit in crowd.done()}

    @property
    def put_off(self) -> set[Visit]:
        """Who were asked to unsubscribe again later, since the disk took its time; it may have."""
        return {visit for visit, status in self._told() if (visit.kind, status) == ("u", 503)}

    @property
    def refused(self) -> dict[Visit, int]:
        """Who were told something else, with the status."""
        fine = self.done | self.put_off
        return {visit: status for visit, status in self._told() if visit not in fine}

    @property
    def cut_off(self) -> set[Visit]:
        """Who were told nothing, so that nothing was promised."""
        return {visit for crowd in self._crowds for visit in crowd.cut_off}

    def _told(self) -> Iterator[tuple[Visit, int]]:
        return (told for crowd in self._crowds for told in crowd.answers.items())

    def __contains__(self, visit: Visit) -> bool:
        """Tell whether somebody came for this load, and not for another."""
        return visit.number in self._numbers

    def goes_on(self, more: int = 60) -> None:
        """Wait until so many more have been answered."""
        until = self.answered + more
        wait_for(lambda: self.answered >= until, f"{more} more recipients to be answered")

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Have them come until the block ends."""
        with ThreadPoolExecutor(len(self._crowds)) as pool:
            coming = [pool.submit(crowd.come, self._visits) for crowd in self._crowds]
            try:
                yield
            finally:
                self._visits.ended.set()
            for crowd in coming:
                crowd.result()


class _Endless:
    """Visits until `ended`, for any number of threads."""

    def __init__(self, first: int) -> None:
        self.ended = threading.Event()
        self._numbers = count(first)

    def __iter__(self) -> Iterator[Visit]:
        return self

    def __next__(self) -> Visit:
        if self.ended.wait(PAUSE):
            raise StopIteration
        number = next(self._numbers)
        return Visit(number, KINDS[number % len(KINDS)])
