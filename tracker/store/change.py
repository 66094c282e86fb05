"""What an insertion changes: which of its rows are new, and which an event's next revision.

Whoever keeps something in step with the events (figures, say) is a follower: it takes the changes
in the transaction that stores them, and so takes each event once. `database` names the followers;
their modules import this one and not `database`.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store.figures import Counted
from tracker.store.row import Row

AT_ONCE: Final = 500  # rows that one statement asks about: three values each, 32,766 are taken


class Change(msgspec.Struct, frozen=True, gc=False):
    """A row that came in, and what it is counted as.

    `before` is the document that its own replaces, None if it is new.
    """

    row: Row
    counted: Counted
    before: bytes | None = None


Follower = Callable[[AsyncConnection, Sequence[Change]], Awaitable[None]]


def parts(values: Sequence[Any], size: int = AT_ONCE) -> Iterator[Sequence[Any]]:
    """Yield a sequence in parts that one statement can take."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
