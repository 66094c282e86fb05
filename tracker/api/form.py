"""Forms: the fields of a request's body, as browsers and Mailgun's clients send them.

In: `application/x-www-form-urlencoded` or `multipart/form-data`. Out: names and texts in the order
in which they came, or Refused.
"""

from email.parser import BytesParser
from email.policy import HTTP
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from tracker.api.answer import Refused
from tracker.nul import NUL

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
MOST_FIELDS: Final = 1_000
KEPT: Final = "surrogateescape"  # what isn't UTF-8, until it can be told in which field it stands


async def fields(request: Request) -> list[tuple[str, str]]:
    """Read a request's form. Raises Refused."""
    declared = request.headers.get("content-type", "")
    media = declared.partition(";")[0].strip().lower()
    if media not in {URLENCODED, MULTIPART}:
        raise Refused(f"the body should be a form: {URLENCODED} or {MULTIPART}", 415)
    body = await request.body()
    try:
        found = _pairs(body) if media == URLENCODED else _parts(declared, body)
        return [(_text(name, "a field's name"), _text(value, f"`{name}`")) for name, value in found]
    except ValueError as error:
        raise Refused(f"the form can't be read: {error}") from error


async def once(request: Request) -> dict[str, str]:
    """Read a request's form of fields that are each given once. Raises Refused."""
    found: dict[str, str] = {}
    for name, value in await fields(request):
        if name in found:
            raise Refused(f"`{name}` is given more than once, and taken once")
        found[name] = value
    return found


def _text(found: str, what: str) -> str:
    """Return a text that any database takes. Raises ValueError."""
    if NUL in found:
        raise ValueError(f"{what} holds a NUL character, which no text can")
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} should be text in UTF-8") from error
    return found


def _pairs(body: bytes) -> list[tuple[str, str]]:
    text = body.decode(errors=KEPT)
    return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors=KEPT)


def _parts(declared: str, body: bytes) -> list[tuple[str, str]]:
    # RFC 7578: the parts are a MIME message's, whose header the request's own field stands for.
    head = b"Content-Type: " + declared.encode("latin-1") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if message.defects or not message.is_multipart():
        raise ValueError("its boundary doesn't fit the body")
    found: list[tuple[str, str]] = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            raise ValueError("a part of it has no name")
        if len(found) == MOST_FIELDS:
            raise ValueError(f"it has more than {MOST_FIELDS} fields")
        found.append((name, content.decode(errors=KEPT)))
    return found
