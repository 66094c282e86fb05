"""The MIME structure of a message, as offsets (RFC 2045, RFC 2046).

A message's bytes go in; its leaf parts come out, each with the offsets of its headers and body,
and a notice for each branch that must be left alone. Nothing is copied.

Promise: where two readers could disagree about what belongs to what, the branch is left alone.
Every pass over the bytes is linear, and nesting is bounded.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rewriter.mime.headers import (
    BLANK,
    Headers,
    MediaType,
    after_mbox_line,
    media_type,
    read_headers,
)
from rewriter.notices import Code, Notice

MAX_DEPTH = 32
MAX_PARTS = 10_000

# RFC 2045 §6.4: these encodings are forbidden on a multipart, and readers differ in obeying them.
OPAQUE = (b"base64", b"quoted-printable")
# RFC 2045 §5.2 and RFC 2046 §5.1.5: what a part without a Content-Type is.
PLAIN = MediaType(b"text/plain", {})
MESSAGE = MediaType(b"message/rfc822", {})

# Types whose content is someone else's statement, or would break by the smallest change.
SEALED: dict[bytes, Code] = {
    b"multipart/signed": "signed",
    b"multipart/encrypted": "encrypted",
    b"application/pkcs7-mime": "encrypted",
    b"application/x-pkcs7-mime": "encrypted",
    b"application/pgp-encrypted": "encrypted",
    b"text/calendar": "calendar",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf, whose headers are data[start:body] and content data[body:end]; `path` as in IMAP."""

    path: str
    headers: Headers
    start: int
    end: int
    media: MediaType

    @property
    def body(self) -> int:
        """Where the content begins."""
        return self.headers.body

    @property
    def encoding(self) -> bytes:
        """The transfer encoding in lower case; 7bit where none is named (RFC 2045 §6.1)."""
        value = self.headers.get(b"content-transfer-encoding")
        return media_type(value).name if value else b"7bit"

    @property
    def attached(self) -> bool:
        """Whether the part has a file name, or a disposition other than inline (RFC 2183)."""
        disposition = media_type(self.headers.get(b"content-disposition") or b"inline")
        names = (disposition.parameters.get(b"filename"), self.media.parameters.get(b"name"))
        return disposition.name not in (b"inline", b"") or any(names)


@dataclass(frozen=True, slots=True)
class Structure:
    """A message: its own headers (behind an mbox line), its leaf parts and what is left alone."""

    headers: Headers
    start: int
    parts: tuple[Part, ...]
    notices: tuple[Notice, ...]

    @property
    def left_alone(self) -> str | None:
        """Why the message as a whole is left alone, if it is."""
        return next((notice.code for notice in self.notices if not notice.part), None)


def read_structure(data: bytes) -> Structure:
    """Find the parts of a message."""
    start = after_mbox_line(data)
    headers = read_headers(data, start, len(data))
    found = _walk(headers, start, len(data), PLAIN, ())
    parts: list[Part] = []
    notices: list[Notice] = []
    for item in found:
        if isinstance(item, Part):
            parts.append(item)
        else:
            notices.append(item)
        if len(parts) + len(notices) > MAX_PARTS:
            return Structure(headers, start, (), (Notice("ambiguous", "", "too many parts"),))
    return Structure(headers, start, tuple(parts), tuple(notices))


def _walk(
    headers: Headers, start: int, end: int, default: MediaType, path: tuple[int, ...]
) -> Iterator[Part | Notice]:
    name = ".".join(map(str, path))
    if not headers.separated and headers.body == end:
        return  # headers and nothing else
    if (doubt := _doubt(headers)) is not None:
        yield Notice("ambiguous", name, doubt)
        return
    value = headers.get(b"content-type")
    media = media_type(value) if value else default
    if media.name in SEALED:
        yield Notice(SEALED[media.name], name, media.name.decode("latin-1"))
    elif media.name.startswith(b"message/"):
        yield Notice("embedded", name, media.name.decode("latin-1"))
    elif media.name.startswith(b"multipart/"):
        yield from _branches(headers, media, end, path)
    else:
        yield Part(name or "1", headers, start, end, media)


def _branches(
    headers: Headers, media: MediaType, end: int, path: tuple[int, ...]
) -> Iterator[Part | Notice]:
    name = ".".join(map(str, path))
    boundary = media.parameters.get(b"boundary", b"").rstrip()
    encoding = media_type(headers.get(b"content-transfer-encoding") or b"").name
    spans = _spans(headers.data, headers.body, end, boundary) if boundary else []
    for doubt, holds in (
        ("its boundary is given twice", b"boundary" in media.repeated),
        ("it has no boundary", not boundary),
        (f"a multipart can't be {encoding.decode('latin-1')}", encoding in OPAQUE),
        ("its boundary stands nowhere", not spans),
        (f"nested deeper than {MAX_DEPTH}", len(path) >= MAX_DEPTH),
    ):
        if holds:
            yield Notice("ambiguous", name, doubt)
            return
    default = MESSAGE if media.name == b"multipart/digest" else PLAIN
    for number, (start, stop) in enumerate(spans, 1):
        child = read_headers(headers.data, start, stop)
        yield from _walk(child, start, stop, default, (*path, number))


def _doubt(headers: Headers) -> str | None:
    """Say why readers could disagree about this block, if they could."""
    if not headers.separated:
        return "no blank line between its headers and its body"
    for name in (b"content-type", b"content-transfer-encoding", b"content-disposition"):
        if len(headers.all(name)) > 1:
            return f"its {name.decode().title()} stands there twice"
    return None


def _spans(data: bytes, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
    """Give the span of each body part between delimiter lines (RFC 2046 §5.1.1)."""
    spans: list[tuple[int, int]] = []
    opened = -1
    for line, after, closing in _delimiters(data, start, end, b"--" + boundary):
        if opened >= 0:
            spans.append((opened, max(opened, _before_line_end(data, line))))
        opened = after
        if closing:
            return spans
    # A message that was cut off: its last part goes to the end, as all readers have it.
    if opened >= 0:
        spans.append((opened, end))
    return spans


def _delimiters(
    data: bytes, start: int, end: int, delimiter: bytes
) -> Iterator[tuple[int, int, bool]]:
    """Give each delimiter line: where it begins, where what follows begins, whether it closes."""
    at = data.find(delimiter, start, end)
    while at >= 0:
        after = at + len(delimiter)
        if at == start or data[at - 1 : at] == b"\n":
            closing = data[after : min(after + 2, end)] == b"--"
            rest = after + 2 * closing
            while data[rest : rest + 1] in (b" ", b"\t") and rest < end:
                rest += 1
            blank = BLANK.match(data, rest, end)
            if blank or rest == end:
                after = blank.end() if blank else end
                yield at, after, closing
        at = data.find(delimiter, after, end)


def _before_line_end(data: bytes, at: int) -> int:
    """Step back over the line end that belongs to the delimiter after it."""
    if data[at - 2 : at] == b"\r\n":
        return at - 2
    return at - 1
