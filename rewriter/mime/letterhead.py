"""Whose mail it is: message id, recipient, sending domain and date, read from the headers.

In: the headers of a message. Out: a `Letterhead`, each field empty where the headers don't say it
plainly. What the caller knows goes before what they say.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from rewriter.keyring import BadDomain, canonical_domain
from rewriter.mime.headers import Headers

COMMENT: Final = re.compile(rb"\([^()]*+\)")
# What an address field is made of. A match takes all of a word or a quoted string, address or not,
# so that the search is linear; an unclosed quote takes the rest.
WORD: Final = re.compile(
    rb'((?:"(?:[^"\\]|\\.)*+"|[^\s<>,;:"()@\\]++)@[^\s<>,;:"()@]++)'
    rb'|"(?:[^"\\]|\\.)*+(?:"|(\\?\Z))|[^\s<>,;:"()@\\]++'
)
MESSAGE_ID: Final = re.compile(rb"<([^<>\s]++)>")
# RFC 5322 §3.3 and its obsolete zones, which all count as UTC but for the American ones.
DATE: Final = re.compile(
    rb"(\d{1,2})\s+([A-Z][a-z]{2})\s+(\d{4})\s+(\d{2}):(\d{2})(?::(\d{2}))?(?:\s+([+-])(\d{2})(\d{2}))?"
)
MONTHS: Final = (b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec").split()


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Whose mail a message is. `sent_at` is in Unix seconds; what isn't known is empty or 0."""

    message_id: str = ""
    recipient: str = ""
    sending_domain: str = ""
    sent_at: int = 0

    def over(self, other: "Letterhead") -> "Letterhead":
        """Fill in from another what isn't known."""
        return Letterhead(
            self.message_id or other.message_id,
            self.recipient or other.recipient,
            self.sending_domain or other.sending_domain,
            self.sent_at or other.sent_at,
        )


def read_letterhead(headers: Headers) -> Letterhead:
    """Read whose mail it is."""
    return Letterhead(
        _message_id(headers), _recipient(headers), _sending_domain(headers), _sent_at(headers)
    )


def addresses(value: bytes) -> list[str]:
    """Find the addresses in a header such as To, without their display names."""
    found, unclosed = [], False
    for match in WORD.finditer(COMMENT.sub(b"", value)):
        if match[1]:
            found.append(match[1].decode("utf-8", "replace"))
        unclosed |= match[2] is not None
    return addresses(value.replace(b'"', b"")) if unclosed else found


def _message_id(headers: Headers) -> str:
    # Without its brackets, as Mailgun's events have it.
    value = headers.get(b"message-id") or b""
    match = MESSAGE_ID.search(value)
    return (match[1] if match else value).decode("utf-8", "replace")


def _recipient(headers: Headers) -> str:
    """Return the one recipient; nothing where there are several, since all read the same links."""
    for name in (b"x-original-to", b"to"):
        found = {
            address for field in headers.all(name) for address in addresses(headers.text(field))
        }
        if len(found) == 1 and not (name == b"to" and headers.get(b"cc")):
            return found.pop()
    return ""


def _sending_domain(headers: Headers) -> str:
    """Return the domain of the first From address in its canonical form."""
    found = addresses(headers.get(b"from") or b"")
    try:
        return canonical_domain(found[0].rpartition("@")[2]) if found else ""
    except BadDomain:
        return ""


def _sent_at(headers: Headers) -> int:
    """Return the Date in Unix seconds, 0 where there is none that can be read."""
    match = DATE.search(headers.get(b"date") or b"")
    if match is None or match[2] not in MONTHS:
        return 0
    day, year, hour, minute = (int(match[group]) for group in (1, 3, 4, 5))
    offset = timedelta(hours=int(match[8] or 0), minutes=int(match[9] or 0))
    try:
        zone = timezone(-offset if match[7] == b"-" else offset)
        month = MONTHS.index(match[2]) + 1
        date = datetime(year, month, day, hour, minute, int(match[6] or 0), tzinfo=zone)
    except ValueError:
        return 0
    # The context frame holds an unsigned 32-bit number.
    return min(max(int(date.timestamp()), 0), 0xFFFFFFFF)
