"""History: events of a time out of the store, for a sink that is to have them again.

In: a range of time and where the last passage ended. Out: passages of events, domain by domain,
each oldest first. Events that were posted from elsewhere aren't among them: the forwarder never
brings those to a sink.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import func, select

from tracker.event import Event
from tracker.forwarding.replays import Replay
from tracker.store.database import Store
from tracker.store.query import Key, Walk
from tracker.store.schema import event

PAGE: Final = 1_000  # events; as many as a batch from the spool holds

_event = msgspec.json.Decoder(Event).decode


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a passage ended: the domain, and its last event's time and id."""

    domain: str = ""
    at: int = 0
    id: str = ""


_place = msgspec.json.Decoder(Place).decode


@dataclass(frozen=True, slots=True)
class Passage:
    """Some events, where they end, and the time of the last; `over` says that nothing follows."""

    events: list[Event]
    reached: str
    at: int
    over: bool = False


async def passage(store: Store, first: int, last: int, after: str = "") -> Passage:
    """Return the events that follow a place. Times are in microseconds, both included.

    Raises StoreUnavailable, Unfinished.
    """
    place = _place(after) if after else Place(domain=await _next(store, ""))
    while place.domain:
        start = Key(place.at, place.id) if place.id else None
        walk = Walk(place.domain, True, PAGE, low=first, high=last, start=start)
        if found := await store.page(walk):
            key = found[-1].key
            reached = Place(place.domain, key.at, key.id)
            events = [one for each in found if (one := _ours(each.document)) is not None]
            return Passage(events, msgspec.json.encode(reached).decode(), key.at)
        place = Place(domain=await _next(store, place.domain))
    return Passage([], after, 0, over=True)


def share(replay: Replay, domains: Sequence[str]) -> float:
    """Tell how much of a replay is done, from 0 to 1, of a store that has these domains."""
    if replay.ended_at:
        return 1.0
    if not replay.reached:
        return 0.0
    place = _place(replay.reached)
    before = sum(domain < place.domain for domain in domains)
    within = (place.at - replay.first) / max(replay.last - replay.first, 1)
    return min((before + within) / max(len(domains), 1), 1.0)


async def _next(store: Store, domain: str) -> str:
    """Return the sending domain that follows one, empty behind the last."""
    following = select(func.min(event.c.domain)).where(event.c.domain > domain)
    async with store.reading() as connection:
        return await connection.scalar(following) or ""


def _ours(document: bytes) -> Event | None:
    try:
        return _event(document)
    except msgspec.ValidationError:
        return None
