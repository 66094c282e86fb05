"""Figures: what an event is counted as, and what a message's events say of its recipient.

In: an event's document; a pair, which is one message to one recipient. Out: names of figures.
Promise: pure, and a pair's shares depend on what happened alone, not on the order in which it came
to be known. So a figure can be kept by adding what is new and taking away what was said before.

A figure's name is the event's kind and what tells it from others of that kind, `opened.person`.
`unique.…` counts pairs at the hour of their first such event. `sent.…` counts pairs at the hour of
their delivery, so that readers are never more than those who got the mail; `stray.…` the pairs
whose delivery nobody told of.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec.structs import replace

from tracker.nul import NUL
from tracker.store.row import SECOND, Row

HOUR: Final = 3600 * SECOND
Who = Literal["person", "proxy", "prefetch", "machine", "unjudged"]
WHO: Final[tuple[Who, ...]] = get_args(Who)

# Mailgun's reasons for not delivering. What has another one is in the total alone.
SUPPRESSED: Final = ("suppress-bounce", "suppress-unsubscribe", "suppress-complaint")
PERMANENT: Final = (*SUPPRESSED, "bounce", "delayed-bounce", "webhook", "optimized")
BOUNCES: Final = ("bounce", "generic", "hardfail")
PLAIN: Final = (
    "unsubscribed",
    "complained",
    "stored",
)  # no other kind may pass for a figure's name
# The kinds that a tag's aggregates tell of.
COUNTED_BY: Final = frozenset(
    {"accepted", "delivered", "opened", "clicked", "unsubscribed", "complained"}
)
MOST_CHARACTERS: Final = 255  # of what a tag's events are counted by, RFC 1035's longest name
REASON = re.compile(r"[a-z][a-z0-9-]{0,31}")
NEAR_BYTES: Final = 6
HEXADECIMAL: Final = re.compile(rf"[0-9a-f]{{1,{2 * NEAR_BYTES}}}")


class Pair(msgspec.Struct, frozen=True, gc=False):
    """One message to one recipient: the hour of the first of each, in hours since 1970, 0 never.

    Read and clicked are by people, fetched and followed by machines and by what nobody can judge.
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


class Counted(msgspec.Struct, frozen=True, gc=False):
    """What an event is counted as; `values` is what its tags' aggregates tell it apart by."""

    kind: str
    names: tuple[str, ...]
    slot: Slot | None
    pair: bytes | None
    values: tuple[tuple[str, str], ...]


def counted(row: Row) -> Counted:
    """Tell what an event is counted as. It depends on the row alone, so it can be told early."""
    told, pair = Told(row.document), key(row)
    slot = None if pair is None else told.slot()
    values = told.aggregates(row) if row.tags and told.kind in COUNTED_BY else ()
    return Counted(told.kind, told.names(), slot, pair, values)


class _Document(msgspec.Struct, frozen=True, rename="kebab"):
    """The fields that are counted; Any, for what an event from elsewhere says may have any form."""

    event: Any = None
    severity: Any = None
    reason: Any = None
    verdict: Any = None
    flags: Any = None
    envelope: Any = None
    geolocation: Any = None
    client_info: Any = None


_document = msgspec.json.Decoder(_Document)


class Told:
    """What a document tells to whoever counts it; what it tells in another form is not told."""

    __slots__ = ("_document", "kind", "who")

    def __init__(self, document: bytes) -> None:
        self._document = _document.decode(document)
        self.kind = _text(self._document.event)
        self.who: Who = self._who() if self.kind in {"opened", "clicked"} else "unjudged"

    @property
    def reason(self) -> str:
        """The first reason of the verdict, without its evidence."""
        reasons = _of(self._document.verdict, "reasons")
        told = reasons[0] if isinstance(reasons, list) and reasons else ""
        name = told.partition(":")[0] if isinstance(told, str) else ""
        return name if REASON.fullmatch(name) else "other"

    def names(self) -> tuple[str, ...]:
        """Return the figures that the event is counted in."""
        match self.kind:
            case "opened" | "clicked" as kind if self.who in {"prefetch", "machine"}:
                return f"{kind}.{self.who}", f"reason.{kind}.{self.reason}"
            case "opened" | "clicked" as kind:
                return (f"{kind}.{self.who}",)
            case "accepted":
                incoming = _of(self._document.flags, "is-routed") is True
                return ("accepted.incoming" if incoming else "accepted.outgoing",)
            case "delivered":
                http = _text(_of(self._document.envelope, "transport")) == "http"
                return ("delivered.http" if http else "delivered.smtp",)
            case "failed":
                return (self._failure(),)
            case kind:
                return (kind if kind in PLAIN else f"other.{kind}",)

    def slot(self) -> Slot | None:
        """Return what of its pair the event tells of; None if nothing."""
        match self.kind:
            case "opened":
                return "read" if self.who in {"person", "proxy"} else "fetched"
            case "clicked":
                return "clicked" if self.who == "person" else "followed"
            case "delivered" | "unsubscribed" | "complained" as kind:
                return kind
        return None

    def aggregates(self, row: Row) -> tuple[tuple[str, str], ...]:
        """Return the values that a tag's events are counted by: country, provider and device."""
        provider = "provider", _valued(row.recipient.rpartition("@")[2])
        if self.kind in {"accepted", "delivered"}:
            return (provider,)  # servers did that: it says nothing of where, and how, people read
        country = _text(_of(self._document.geolocation, "country"))
        device = _text(_of(self._document.client_info, "device-type"))
        return ("country", _valued(country)), provider, ("device", _valued(device))

    def _who(self) -> Who:
        """Tell who it was: as the verdict says, else Mailgun's `bot`, else nobody can say."""
        bot = _text(_of(self._document.client_info, "bot"))
        match _text(_of(self._document.verdict, "kind")):
            case "proxy" if bot:
                return "prefetch"  # fetched whether or not the mail is read, as Apple's does
            case "person" | "proxy" | "machine" as kind:
                return kind
        if bot:
            return "prefetch" if bot == "apple" else "machine"
        return "unjudged"

    def _failure(self) -> str:
        reason = _text(self._document.reason)
        if _text(self._document.severity) == "temporary":
            return "failed.temporary.espblock" if reason == "espblock" else "failed.temporary.other"
        if _of(self._document.flags, "is-delayed-bounce") is True:
            reason = "delayed-bounce"
        elif reason in BOUNCES:
            reason = "bounce"
        return f"failed.permanent.{reason if reason in PERMANENT else 'other'}"


def _of(found: Any, name: str) -> Any:
    """Return the value of a name in an object; None if it has none, or is no object."""
    return found.get(name) if isinstance(found, dict) else None


def _text(found: Any) -> str:
    """Return a text in small letters and without NUL, "" if it is none."""
    return found.replace(NUL, "").strip().lower() if isinstance(found, str) else ""


def _valued(text: str) -> str:
    return text if 0 < len(text) <= MOST_CHARACTERS else "unknown"


def touched(pair: Pair, slot: Slot, at: int, tags: tuple[str, ...]) -> Pair:
    """Return the pair after an event at a time in microseconds."""
    known = first(getattr(pair, slot), max(1, at // HOUR))
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


def shares(pair: Pair) -> Iterator[tuple[str, int, str]]:
    """Yield the figures that a pair is counted in: tag ("" is all mail), hour and name."""
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
