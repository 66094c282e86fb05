"""A pair: one message to one recipient, and what its events say of it.

In: events' places and hours. Out: names of figures. Promise: pure, and a pair's shares depend on
what happened alone, not on the order in which it came to be known. So a figure can be kept by
adding what is new and taking away what was said before.

`unique.…` counts pairs at the hour of their first such event. `sent.…` counts pairs at the hour of
their delivery, so that readers are never more than those who got the mail; `stray.…` the pairs
whose delivery nobody told of.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec.structs import replace

from tracker.store.row import SECOND, Row

HOUR: Final = 3600 * SECOND
AS_MANY: Final = 4096  # pairs that differ, of a batch: some hundreds
NEAR_BYTES: Final = 6
HEXADECIMAL: Final = re.compile(rf"[0-9a-f]{{1,{2 * NEAR_BYTES}}}")


class Pair(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One message to one recipient: the hour of the first of each, in hours since 1970, 0 never.

    Read and clicked are by people, fetched and followed by machines and by what nobody can judge.
    Most pairs of an hour are alike: what is made of one is kept for the others.
    """

    delivered: int = 0
    read: int = 0
    fetched: int = 0
    clicked: int = 0
    followed: int = 0
    unsubscribed: int = 0
    complained: int = 0
    tags: tuple[str, ...] = ()
    tagged_delivery: bool = False

    @property
    def opened(self) -> int:
        """The hour of the first open by whomever."""
        return first(self.read, self.fetched)

    @property
    def visited(self) -> int:
        """The hour of the first click by whomever."""
        return first(self.clicked, self.followed)


UNTOUCHED: Final = Pair()  # of which no event has told yet
Slot = Literal["delivered", "read", "fetched", "clicked", "followed", "unsubscribed", "complained"]
SLOTS: Final[tuple[Slot, ...]] = get_args(Slot)


def first(one: int, other: int) -> int:
    """Return the earlier of two hours, of which 0 is none."""
    return min(one, other) if one and other else one or other


def key(row: Row) -> bytes | None:
    """Return the key of the pair that an event is about; None if it names no such pair.

    It ends in 64 bits of a digest: among ten million pairs, two share a key once in 370,000 times.
    It begins with the hexadecimal digits that the message id begins with. For most who make message
    ids (Python, Rails, Postfix, Exim in part, SES, Mailgun) that is the time, so that pairs of
    messages that were sent together lie together, and counting opens changes few pages.
    """
    if not row.recipient or not row.message_id:
        return None
    text = "\0".join((row.domain, row.message_id, row.recipient))
    return _sent(row.message_id) + blake2b(text.encode(), digest_size=8).digest()


def _sent(message_id: str) -> bytes:
    found = HEXADECIMAL.match(message_id)
    return bytes.fromhex((found[0] if found else "").ljust(2 * NEAR_BYTES, "0"))


@lru_cache(AS_MANY)
def touched(pair: Pair, slot: Slot, hour: int, tags: tuple[str, ...]) -> Pair:
    """Return the pair after an event in an hour."""
    known = first(getattr(pair, slot), max(1, hour))
    values: dict[str, Any] = {slot: known}
    if not set(tags) <= set(pair.tags):
        values["tags"] = tuple(sorted({*pair.tags, *tags}))
    if slot == "delivered" and tags:
        values["tagged_delivery"] = True
    return replace(pair, **values)


def put(pair: Pair, slot: Slot, hour: int) -> Pair:
    """Return the pair with another hour for what happened first then; 0 takes it back."""
    values: dict[str, Any] = {slot: hour}
    return replace(pair, **values)


@lru_cache(AS_MANY)
def shares(pair: Pair) -> tuple[tuple[str, int, str], ...]:
    """Return the figures that a pair is counted in: tag ("" is all mail), hour and name."""
    return tuple(_shares(pair))


def _shares(pair: Pair) -> Iterator[tuple[str, int, str]]:
    unique = list(_uniques(pair))
    everywhere = list(_cohort(pair, pair.delivered))
    # A log of deliveries knows no tags: then a tag's readers can't be set against them.
    tagged = everywhere if pair.tagged_delivery else list(_cohort(pair, 0))
    for tag in ("", *pair.tags):
        for name, hour in (*unique, *(tagged if tag else everywhere)):
            yield tag, hour, name


def _uniques(pair: Pair) -> Iterator[tuple[str, int]]:
    if pair.read or pair.fetched:
        yield "unique.opened", pair.opened
    if pair.clicked or pair.followed:
        yield "unique.clicked", pair.visited
    if pair.unsubscribed:
        yield "unique.unsubscribed", pair.unsubscribed
    if pair.complained:
        yield "unique.complained", pair.complained


def _cohort(pair: Pair, delivered: int) -> Iterator[tuple[str, int]]:
    cohort = "sent" if delivered else "stray"
    hour = delivered or first(first(pair.read, pair.fetched), pair.clicked)
    if delivered:
        yield "sent.delivered", hour
    if pair.read or pair.clicked:
        yield f"{cohort}.readers", hour
    elif pair.fetched:
        yield f"{cohort}.hidden", hour
    if pair.clicked:
        yield f"{cohort}.clickers", hour
