"""Figures: what an event is counted as.

In: an event's document. Out: names of figures. Promise: pure.

A figure's name is the event's kind and what tells it from others of that kind, `opened.person`.
What is counted of pairs has names of its own (`pair`).
"""

import re
from typing import Any, Final, Literal, get_args

import msgspec

from tracker.nul import NUL
from tracker.store.pair import Slot, key
from tracker.store.row import Row

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


class _Verdict(msgspec.Struct, frozen=True, gc=False):
    kind: Any = None
    reasons: Any = None


class _Flags(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    is_routed: Any = None
    is_delayed_bounce: Any = None


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    transport: Any = None


class _Geolocation(msgspec.Struct, frozen=True, gc=False):
    country: Any = None


class _ClientInfo(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    bot: Any = None
    device_type: Any = None


class _Document(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """The fields that are counted; Any, for what an event from elsewhere says may have any form."""

    event: Any = None
    severity: Any = None
    reason: Any = None
    verdict: _Verdict = _Verdict()
    flags: _Flags = _Flags()
    envelope: _Envelope = _Envelope()
    geolocation: _Geolocation = _Geolocation()
    client_info: _ClientInfo = _ClientInfo()


OBJECTS: Final = frozenset({"verdict", "flags", "envelope", "geolocation", "client-info"})
_document = msgspec.json.Decoder(_Document)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _read(document: bytes) -> _Document:
    try:
        return _document.decode(document)
    except msgspec.ValidationError:
        return _document.decode(_without_misfits(document))


def _without_misfits(document: bytes) -> bytes:
    """Return a document without what should be an object and is none."""
    fields = _fields.decode(document).items()
    fit = {name: told for name, told in fields if name not in OBJECTS or bytes(told)[:1] == b"{"}
    return msgspec.json.encode(fit)


class Told:
    """What a document tells to whoever counts it; what it tells in another form is not told."""

    __slots__ = ("_document", "kind", "who")

    def __init__(self, document: bytes) -> None:
        self._document = _read(document)
        self.kind = _text(self._document.event)
        self.who: Who = self._who() if self.kind in {"opened", "clicked"} else "unjudged"

    @property
    def reason(self) -> str:
        """The first reason of the verdict, without its evidence."""
        reasons = self._document.verdict.reasons
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
                incoming = self._document.flags.is_routed is True
                return ("accepted.incoming" if incoming else "accepted.outgoing",)
            case "delivered":
                http = _text(self._document.envelope.transport) == "http"
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
        country = _text(self._document.geolocation.country)
        device = _text(self._document.client_info.device_type)
        return ("country", _valued(country)), provider, ("device", _valued(device))

    def _who(self) -> Who:
        """Tell who it was: as the verdict says, else Mailgun's `bot`, else nobody can say."""
        bot = _text(self._document.client_info.bot)
        match _text(self._document.verdict.kind):
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
        if self._document.flags.is_delayed_bounce is True:
            reason = "delayed-bounce"
        elif reason in BOUNCES:
            reason = "bounce"
        return f"failed.permanent.{reason if reason in PERMANENT else 'other'}"


def _text(found: Any) -> str:
    """Return a text in small letters and without NUL, "" if it is none."""
    return found.replace(NUL, "").strip().lower() if isinstance(found, str) else ""


def _valued(text: str) -> str:
    return text if 0 < len(text) <= MOST_CHARACTERS else "unknown"
