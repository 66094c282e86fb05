"""Posted events: documents of any kind from elsewhere, in Mailgun's form, made fit to be stored.

In: a JSON object, the sending domain it is posted to, and by which way. Out: a Row, or NotAnEvent.
Promise: the same document gives the same row, so that posting it again changes nothing. All that it
says is kept. Added are an `id` made from its content where it has none, its `domain`, and `origin`,
which tells what was posted from what the edge itself saw.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec

from tracker.nul import IN_JSON, place_of_nul
from tracker.store.row import NotAnEvent, Row, exact, row

MOST_BYTES: Final = 256 << 10  # of one event; Mailgun's own have a few thousand
# Mailgun's kinds, and the one that it lacks. What is misspelt would be counted nowhere.
KINDS: Final = (
    *("accepted", "rejected", "delivered", "failed", "opened", "clicked", "unsubscribed"),
    *("complained", "stored", "list_member_uploaded", "list_member_upload_error", "list_uploaded"),
    "resubscribed",
)
Origin = Literal["api", "jsonl", "postfix"]


def posted(document: bytes, origin: Origin, domain: str = "") -> Row:
    """Derive the row of a document; without a domain, it must name its own. Raises NotAnEvent."""
    if len(document) > MOST_BYTES:
        raise NotAnEvent(f"not an event: it has more than {MOST_BYTES} bytes")
    try:
        event = msgspec.json.decode(document)
        if not isinstance(event, dict):
            raise NotAnEvent("not an event: it should be a JSON object")
        if IN_JSON in document and (place := place_of_nul(event)):
            raise NotAnEvent(f"not an event: a text can't hold a NUL character - at `{place}`")
        return _known(row(msgspec.json.encode(_completed(event, origin, domain))))
    except (msgspec.MsgspecError, UnicodeError, OverflowError) as error:
        raise NotAnEvent(f"not an event: {error}") from error
    except RecursionError as error:
        raise NotAnEvent("not an event: it is nested too deeply") from error


def _known(found: Row) -> Row:
    if found.kind not in KINDS:
        kinds = ", ".join(KINDS)
        raise NotAnEvent(f"not an event: there is no kind `{found.kind}`; there are {kinds}")
    return found


def _completed(event: dict[str, Any], origin: Origin, domain: str) -> dict[str, Any]:
    its = event.get("domain")
    named = its.get("name") if isinstance(its, dict) else None
    if domain and isinstance(named, str) and exact(named) not in {"", exact(domain)}:
        raise NotAnEvent(f"not an event of {domain}: its `domain` is {named}")
    owner = {"domain": {"name": domain}} if domain and not named else {}
    return {"id": _id(event), **event, **owner, "origin": origin}


def _id(event: dict[str, Any]) -> str:
    # Sorted: whoever writes the same event again may put its fields in another order.
    digest = sha256(msgspec.json.encode(event, order="sorted")).digest()
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
