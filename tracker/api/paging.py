"""Paging: the links of a page, each of which is all that is needed to read the page behind it.

A cursor is the listing, a place in it and a direction, as base64url over MessagePack. It isn't
signed: what comes back is checked like any other request, and reaches nothing that the request
could not have asked for in its own words.
"""

import msgspec
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.exc import BadData

from tracker.api.answer import Refused
from tracker.api.listing import MOST, Listing
from tracker.nul import NUL
from tracker.store.query import Key, Walk
from tracker.store.row import ID_CHARACTERS, LATEST


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A place between two events of a listing, and which way to read from it.

    `place` is the time and id of an event; the next event read is the one behind it, or it itself
    if `inclusive`. Without a place it is the listing's beginning.
    """

    listing: Listing
    back: bool = False
    place: tuple[int, str] | None = None
    inclusive: bool = False

    def walk(self, domain: str) -> Walk | None:
        """Return the walk to the events behind the cursor; None if there is nowhere to go."""
        listing = self.listing
        if self.back and self.place is None:
            return None
        return Walk(
            domain=domain,
            ascending=listing.ascending is not self.back,
            limit=listing.limit,
            low=listing.low,
            high=listing.high,
            tree=listing.tree(),
            start=Key(*self.place) if self.place else None,
            inclusive=self.inclusive,
        )

    def around(self, keys: list[Key]) -> tuple["Cursor", "Cursor"]:
        """Return the cursors to the next and the previous page, given this page's keys in order.

        An empty page has both at the place where it was looked for.
        """
        if keys:
            first, last = keys[0], keys[-1]
            return self._at((last.at, last.id)), self._at((first.at, first.id), back=True)
        here, turned = self.inclusive, not self.inclusive
        return (
            self._at(self.place, inclusive=turned if self.back else here),
            self._at(self.place, back=True, inclusive=here if self.back else turned),
        )

    def _at(
        self, place: tuple[int, str] | None, *, back: bool = False, inclusive: bool = False
    ) -> "Cursor":
        return Cursor(self.listing, back, place, inclusive and place is not None)


_decoder = msgspec.msgpack.Decoder(Cursor)


def sealed(cursor: Cursor) -> str:
    """Write a cursor as one segment of a path."""
    return base64_encode(msgspec.msgpack.encode(cursor)).decode()


def opened(text: str) -> Cursor:
    """Read a cursor. Raises Refused."""
    try:
        cursor = _decoder.decode(base64_decode(text))
    except (BadData, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("there is no such page: use the links of `paging` as they are") from error
    _check(cursor)
    return cursor


def _check(cursor: Cursor) -> None:
    listing = cursor.listing
    times = (listing.low, listing.high, cursor.place[0] if cursor.place else 0)
    sound = (
        1 <= listing.limit <= MOST
        and all(0 <= time <= LATEST for time in times)
        and (cursor.place is None or len(cursor.place[1]) <= ID_CHARACTERS)
        and (cursor.place is None or NUL not in cursor.place[1])
    )
    if not sound:
        raise Refused("there is no such page: use the links of `paging` as they are")
