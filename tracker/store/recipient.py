"""A recipient: all that the events tell of one address, to be handed out or erased."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import erasure, pairs, webhook_queue
from tracker.store.database import Store
from tracker.store.page import Found
from tracker.store.query import Key, Walk
from tracker.store.removal import domains, remove
from tracker.store.row import Row, exact
from tracker.store.tree import AnyOf, Match

AT_ONCE = 300


@dataclass(frozen=True, slots=True)
class Passage:
    """A page of one recipient's events: those of one sending domain, in order of time."""

    domain: str
    events: list[Found]

    @property
    def end(self) -> tuple[str, Key]:
        """Where to go on behind it."""
        return self.domain, self.events[-1].key


async def events_of_recipient(
    store: Store, address: str, domain: str | None = None, *, behind: tuple[str, Key] | None = None
) -> AsyncIterator[Passage]:
    """Give the events of which an address, or a pseudonym, is the recipient.

    Of one sending domain or of all, in the order of domain and time; `behind` is the `end` of a
    passage given earlier. Raises StoreUnavailable.
    """
    only = Match("recipient", _known(address))
    async for each in _domains(store, domain):
        start = None
        if behind and each <= behind[0]:
            if each < behind[0]:
                continue
            start = behind[1]
        walk = Walk(each, ascending=True, limit=AT_ONCE, tree=only, start=start)
        async for found in store.through(walk):
            yield Passage(each, found)


async def erase_recipient(
    store: Store, address: str, domain: str | None = None, *, now: int | None = None
) -> int:
    """Remove every event that names an address; return how many. Raises StoreUnavailable.

    What happened until `now`, in microseconds, and has yet to come in, will not be stored either.

    It goes with those in which it is only one of `message.recipients` or stands in the To header,
    since a document can't be kept in part. Those take a look at every event of the domain. Figures
    stay; what webhooks are still to be told of them goes too, and what was said to it.
    """
    known, only = _known(address), exact(domain) if domain is not None else None
    async with store.writing() as connection:
        # First: what is stored from here on is let through by what is noted here.
        await erasure.note(connection, only, known, time.time_ns() // 1_000 if now is None else now)
    naming = AnyOf(tuple(Match(field, known) for field in ("recipient", "recipients", "to")))
    erased = 0
    async for each in _domains(store, only):
        walk = Walk(each, ascending=True, limit=AT_ONCE, tree=naming)
        erased += await remove(store, walk, told=_forget)
    return erased


async def _forget(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    await pairs.forget(connection, rows)
    await webhook_queue.forget(connection, rows)


def _known(address: str) -> str:
    known = exact(address)
    if not known:
        raise ValueError(
            "an address is missing: every event that names no recipient would be meant"
        )
    return known


async def _domains(store: Store, only: str | None) -> AsyncIterator[str]:
    if only is not None:
        yield exact(only)
        return
    async for domain in domains(store):
        yield domain
