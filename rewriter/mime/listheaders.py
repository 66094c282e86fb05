"""Header fields that change: unsubscribe links, control headers, signatures (RFC 2369, RFC 8058).

In: a message's headers and what is to become of them. Out: edits and slots at offsets of the
message. Promise: a List-Unsubscribe of the sender's own stays, and none of ours is ever a click
redirect, since a one-click POST follows none.
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from rewriter.links import Policy
from rewriter.merge import Values, in_header, merges
from rewriter.mime.headers import Field, Headers
from rewriter.mime.text import unsubscribes
from rewriter.plan import Slot
from rewriter.splice import Edit
from rewriter.tokens import UNSUBSCRIBE
from rewriter.unsubscribe import ALL_MAIL, Scopes

LIST_ID: Final = b"list-id"
# RFC 2919 §2, §3: labels between dots, in angle brackets behind what describes the list. Without
# the characters that placeholders are made of: what is personalised names no list.
LIST_NAME: Final = re.compile(rb".*<([\w!#$&'*+/=?^`|~-]+(?:\.[\w!#$&'*+/=?^`|~-]+)+)>")
MOST_LIST_NAME: Final = 255
LIST_UNSUBSCRIBE: Final = b"list-unsubscribe"
LIST_UNSUBSCRIBE_POST: Final = b"list-unsubscribe-post"
# RFC 8058 §3.1.
ONE_CLICK: Final = b"List-Unsubscribe-Post: List-Unsubscribe=One-Click"
SIGNATURES: Final = (b"dkim-signature", b"domainkey-signature", b"x-google-dkim-signature")

# Fields that say whose mail it is: a link in one of them would change the answer.
LETTERHEAD: Final = frozenset({b"from", b"to", b"cc", b"date", b"message-id", b"x-original-to"})

# Fields that say how a message is built and where it has been: what stands there is no link.
STRUCTURE: Final = (b"arc-", b"authentication-", b"content-", b"dkim-", b"mime-", b"received")

Change = Edit | Slot


def list_name(headers: Headers) -> str:
    """Return the name of the list that a message goes to, nothing where it says none or two."""
    fields = headers.all(LIST_ID)
    if len(fields) != 1 or not (match := LIST_NAME.fullmatch(headers.text(fields[0]))):
        return ""
    # RFC 2919 §6: upper and lower case are the same list.
    return match[1].decode().lower() if len(match[1]) <= MOST_LIST_NAME else ""


def placeholders(
    headers: Headers, policy: Policy, removed: Container[Field], scopes: Scopes
) -> Iterator[Slot]:
    """Give a slot for each unsubscribe placeholder in the fields that stay."""
    for field in headers.fields:
        if field in removed or field.name in LETTERHEAD or field.name.startswith(STRUCTURE):
            continue
        for slot in unsubscribes(headers.data[field.value : field.end], policy, scopes):
            yield replace(slot, start=slot.start + field.value, end=slot.end + field.value)


def merged_fields(headers: Headers, values: Values) -> Iterator[Edit]:
    """Give an edit for each placeholder in the fields that names a value."""
    for field in headers.fields:
        for edit in merges(headers.data[field.start : field.end], values, in_header):
            yield Edit(edit.start + field.start, edit.end + field.start, edit.new)


def removed(fields: Iterable[Field]) -> Iterator[Edit]:
    """Give the edits that take fields out."""
    for field in fields:
        yield Edit(field.start, field.end, b"")


def list_unsubscribe(headers: Headers, policy: Policy, eol: bytes) -> list[Change]:
    """Add the two fields of one-click unsubscribing where the sender set none."""
    at = headers.fields[-1].end if headers.fields else headers.body
    own = headers.all(LIST_UNSUBSCRIBE)
    if own:
        ours = any(
            any(unsubscribes(headers.data[field.start : field.end], policy)) for field in own
        )
        if not ours or headers.all(LIST_UNSUBSCRIBE_POST):
            return []
        return [Edit(at, at, ONE_CLICK + eol)]
    frame = policy.tokens.seal_link(ALL_MAIL)
    before = b"List-Unsubscribe: <" + policy.url(UNSUBSCRIBE)
    after = b">" + eol
    if not headers.all(LIST_UNSUBSCRIBE_POST):
        after += ONE_CLICK + eol
    return [Slot(at, at, before, UNSUBSCRIBE, frame, after)]
