"""A listing: which events a request asks for, in which order, how many a page.

In: the query of `GET /v3/{domain}/events` and the time it was asked. Out: a Listing, or Refused
with what is wrong. The rules are those of Mailgun's "Time Range" and "Query Options".
"""

from collections.abc import Iterable
from datetime import UTC
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from tracker.api.answer import Refused
from tracker.api.filters import BadFilter, parse
from tracker.store.row import LATEST, SECOND
from tracker.store.tree import Tree

DEFAULT_LIMIT: Final = 100
MOST: Final = 300
ANSWERS: Final = {"yes": True, "true": True, "no": False, "false": False}
OWN: Final = ("begin", "end", "ascending", "limit")
IGNORED: Final = ("pretty",)  # Mailgun's examples send it; it asks for JSON with line breaks


class Listing(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Events between two times, in microseconds, both included."""

    low: int
    high: int
    ascending: bool
    limit: int
    filters: tuple[tuple[str, str], ...]

    def tree(self) -> Tree:
        """Return the conditions its filters set. Raises Refused."""
        try:
            return parse(self.filters)
        except BadFilter as error:
            raise Refused(str(error)) from error


def requested(pairs: Iterable[tuple[str, str]], now: int) -> Listing:
    """Read a request's parameters; `now` is in microseconds. Raises Refused."""
    pairs = list(pairs)
    own: dict[str, str] = {}
    for name, value in pairs:
        if name in own:
            raise Refused(f"`{name}` is given more than once, and taken once")
        if name in OWN:
            own[name] = value
    low, high, ascending = _range(own, now)
    filters = tuple((name, value) for name, value in pairs if name not in OWN + IGNORED)
    listing = Listing(low, high, ascending, _limit(own.get("limit")), filters)
    listing.tree()
    return listing


def _range(own: dict[str, str], now: int) -> tuple[int, int, bool]:
    begin, end = _time("begin", own), _time("end", own)
    ascending = _direction(own.get("ascending"))
    if begin is not None and end is not None and begin != end:
        implied = begin < end
        if ascending not in {None, implied}:
            raise Refused(
                f"`ascending` contradicts the range, which runs {'up' if implied else 'down'}"
            )
        ascending = implied
    elif begin is not None and end is None and ascending is None:
        raise Refused("`begin` needs an `end`, or a direction: `ascending` is yes or no")
    if ascending:
        # Without an end it stays open, so that its last page's `next` can be asked again later.
        return begin or 0, LATEST if end is None else end, True
    return end or 0, now if begin is None else begin, False


def _time(name: str, own: dict[str, str]) -> int | None:
    return moment(name, own[name]) if name in own else None


def moment(name: str, text: str) -> int:
    """Read a parameter that is a time; return microseconds. Raises Refused."""
    time = _seconds(text)
    if time is None:
        time = _date(text)
    if time is None or not 0 <= time <= LATEST:
        raise Refused(
            f"`{name}` is a time like `Fri, 3 May 2013 09:00:00 -0000` (RFC 2822)"
            " or in seconds since 1970"
        )
    return time


def _seconds(text: str) -> int | None:
    try:
        seconds = Decimal(text)
        return round(seconds * SECOND) if 0 <= seconds <= LATEST // SECOND else None
    except InvalidOperation:  # no number, or NaN
        return None


def _date(text: str) -> int | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # RFC 5322 §3.3: -0000 is UTC, without saying where the sender was.
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return round(aware.timestamp()) * SECOND


def _direction(text: str | None) -> bool | None:
    if text is None:
        return None
    if text.lower() not in ANSWERS:
        raise Refused("`ascending` is yes or no")
    return ANSWERS[text.lower()]


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise Refused(f"`limit` is a number from 1 to {MOST}")
    return int(text)
