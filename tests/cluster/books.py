"""The books: every event that the store's feed has told of, read as a follower reads it.

So a test sees what was stored, and at the same time that the feed neither skips nor repeats, by
whichever consumer and through whatever trouble an event came in.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from tests.cluster.load import Load
from tests.storm.crowd import Visit
from tracker.store.database import Store, StoreUnavailable

PAGE: Final = 300
KIND: Final = {"opened": "o", "clicked": "c", "unsubscribed": "u"}


@dataclass(frozen=True, slots=True)
class Balance:
    """What is wrong with the books of a load: nothing, where all three are empty.

    `missing` were answered and aren't stored; `doubled` are stored more than once; nobody came for
    the `unexplained`.
    """

    missing: frozenset[Visit] = frozenset()
    doubled: frozenset[Visit] = frozenset()
    unexplained: frozenset[Visit] = frozenset()


class Books:
    """What was stored, by id. `read` goes on from where it was."""

    def __init__(self, store: Store) -> None:
        self.visits: dict[str, Visit] = {}
        self._revisions: dict[str, int] = {}
        self._last = 0
        self._store = store
        self._runner = asyncio.Runner()

    def read(self) -> bool:
        """Read what is new; tell whether the store could be read at all."""
        try:
            while page := self._runner.run(self._store.feed(self._last, PAGE)):
                for told in page:
                    self._enter(told.document)
                self._last = page[-1].sequence
        except StoreUnavailable:
            return False
        return True

    def holds(self, visits: set[Visit]) -> bool:
        """Tell whether all of these are stored."""
        return visits <= set(self.visits.values())

    def balance(self, load: Load) -> Balance:
        """Compare what was stored with what was answered, one to one."""
        kept = Counter(visit for visit in self.visits.values() if visit in load)
        return Balance(
            missing=frozenset(load.done - kept.keys()),
            doubled=frozenset(visit for visit, times in kept.items() if times > 1),
            # Where the connection broke before the answer, or the disk took longer than somebody
            # waits who unsubscribes, the hit may have been kept.
            unexplained=frozenset(kept.keys() - load.done - load.cut_off - load.put_off),
        )

    def close(self) -> None:
        """Leave the store."""
        self._runner.run(self._store.close())
        self._runner.close()

    def _enter(self, document: bytes) -> None:
        event = msgspec.json.decode(document)
        name, revision = event["id"], event.get("revision", 0)
        assert revision > self._revisions.get(name, -1), f"the feed tells of {name} again"
        visit = Visit(int(event["recipient"].partition("@")[0][1:]), KIND[event["event"]])
        assert self.visits.setdefault(name, visit) == visit, f"{name} is of somebody else now"
        self._revisions[name] = revision


@contextmanager
def kept_at(url: str) -> Iterator[Books]:
    """Read the books of a store until the block ends."""
    books = Books(Store(url))
    try:
        yield books
    finally:
        books.close()
