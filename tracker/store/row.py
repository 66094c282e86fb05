"""A row: an event's JSON document beside the columns that it is found by.

In: the document of an event of any kind, Mailgun's or our own. Out: a Row, or NotAnEvent.
Promise: a column is a function of the document alone, and `exact` and `words` fold a stored value
and a filter's term alike, so that what a person types finds what a machine wrote.
"""

import math
import re
import unicodedata
from typing import Annotated, Final

import msgspec

from tracker.nul import NUL

SECOND: Final = 1_000_000  # an event's time is kept in microseconds, exact in a float until 2255
LATEST: Final = (1 << 33) * SECOND  # the year 2242
ID_CHARACTERS: Final = 128
KIND_CHARACTERS: Final = 64
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]  # what JSON's readers agree on, RFC 8259 §6
BREAK = re.compile(r"[\s<>()\[\]{}\",;:!?]+")


class NotAnEvent(ValueError):
    """The document can't be stored; the message names the field and what it may be."""


# Holds no other object that could hold it: the garbage collector, which took a tenth of storing
# events, needn't walk them.
class Row(msgspec.Struct, frozen=True, gc=False):
    """One event as it is stored. An empty text or None means that the event has no such field."""

    domain: str
    at: int  # microseconds since the epoch
    id: str
    kind: str
    document: bytes
    revision: int = 0
    recipient: str = ""
    message_id: str = ""
    severity: str = ""
    mailing_list: str = ""
    from_header: str = ""
    to_header: str = ""
    subject: str = ""
    attachments: str = ""
    recipients: str = ""
    size: int | None = None
    tags: tuple[str, ...] = ()


class _Headers(msgspec.Struct, frozen=True, rename="kebab"):
    message_id: str | None = None
    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    subject: str | None = None


class _Attachment(msgspec.Struct, frozen=True):
    filename: str | None = None
    name: str | None = None


class _Message(msgspec.Struct, frozen=True):
    headers: _Headers | None = None
    attachments: list[_Attachment] | None = None
    recipients: list[str] | None = None
    size: Count | None = None


class _Address(msgspec.Struct, frozen=True):
    address: str | None = None


class _Domain(msgspec.Struct, frozen=True):
    name: str = ""


class _Facts(msgspec.Struct, frozen=True, rename="kebab"):
    """The fields of a document that a row is made of; all others are let through unread."""

    event: str
    id: str
    timestamp: float
    domain: _Domain = _Domain()
    revision: Count = 0
    recipient: str | None = None
    severity: str | None = None
    tags: list[str] | None = None
    mailing_list: _Address | None = None
    message: _Message | None = None


_facts = msgspec.json.Decoder(_Facts)


def row(document: bytes, domain: str = "") -> Row:
    """Derive the row of a JSON document; `domain` overrides the sending domain it names.

    Raises NotAnEvent.
    """
    try:
        facts = _facts.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotAnEvent(f"not an event: {error}") from error
    domain = exact(domain or facts.domain.name)
    _check(facts, domain)
    message = facts.message or _Message()
    headers = message.headers or _Headers()
    attachments = (part.filename or part.name or "" for part in message.attachments or ())
    return Row(
        domain=domain,
        at=round(facts.timestamp * SECOND),
        id=facts.id,
        kind=exact(facts.event),
        document=document,
        revision=facts.revision,
        recipient=exact(facts.recipient or ""),
        message_id=message_id(headers.message_id or ""),
        severity=exact(facts.severity or ""),
        mailing_list=exact((facts.mailing_list or _Address()).address or ""),
        from_header=words(headers.from_ or ""),
        to_header=words(headers.to or ""),
        subject=words(headers.subject or ""),
        attachments=words(" ".join(attachments)),
        recipients=words(" ".join(message.recipients or ())),
        size=message.size,
        tags=tuple(dict.fromkeys(exact(tag) for tag in facts.tags or ())),
    )


def exact(text: str) -> str:
    """Fold a value that is matched as a whole: an address, a tag, a kind. No column holds a NUL."""
    return text.replace(NUL, "").strip().lower() if text.isascii() else _fold(text).strip()


def message_id(text: str) -> str:
    """Fold a message id, with or without the angle brackets of its header (RFC 5322 §3.6.4)."""
    return exact(text.strip().removeprefix("<").removesuffix(">"))


def words(text: str) -> str:
    """Fold a text into its words, each between two spaces, so that a word is found as one.

    The words of `Ann <ann@example.com>` are ann and ann@example.com. A text without any gives "".
    """
    if not text:  # as are most: our own events tell no subject and no file
        return ""
    found = [word for part in BREAK.split(_fold(text)) if (word := part.strip(".'"))]
    return f" {' '.join(found)} " if found else ""


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text.replace(NUL, "")).casefold()


def _check(facts: _Facts, domain: str) -> None:
    if not domain:
        raise NotAnEvent("not an event: its sending domain is missing")
    if not 0 < len(facts.id) <= ID_CHARACTERS or NUL in facts.id:
        raise NotAnEvent(f"not an event: `id` takes 1 to {ID_CHARACTERS} characters but NUL")
    if not 0 < len(facts.event) <= KIND_CHARACTERS:
        raise NotAnEvent(f"not an event: `event` takes 1 to {KIND_CHARACTERS} characters")
    if not math.isfinite(facts.timestamp) or not 0 <= facts.timestamp * SECOND <= LATEST:
        raise NotAnEvent("not an event: `timestamp` is given in seconds since 1970")
