"""What must hold for every message, judged by Python's own mail reader.

In: the bytes of a message. Out: what is wrong with the way it is rewritten, in sentences, or
nothing.
"""

import re
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from typing import Final

from rewriter.mime.letterhead import Letterhead
from rewriter.mime.message import RewrittenMessage
from rewriter.mime.structure import read_structure
from rewriter.notices import FAILURES
from rewriter.rewriter import Rewriter
from rewriter.unsubscribe import SCOPES
from tests.rewriter.html.sender import ANN
from tests.rewriter.mime.sender import UNSUBSCRIBE, payload, restored

TO_ANN: Final = Letterhead(ANN.message_id, ANN.recipient, ANN.sending_domain)
HTML: Final = "text/html"
EDITED: Final = (HTML, "text/plain", "text/x-amp-html")

_LONG = re.compile(rb"[^\r\n]{999,}")
_BARE = re.compile(rb"(?<!\r)\n")
# What the rewriter reads and removes, what it adds, and the encoding that a part gets instead.
_OURS = re.compile(r"x-mailgun-.*|x-ses-.*|list-unsubscribe(-post)?|content-transfer-encoding")
_UNSUBSCRIBE = re.compile("|".join((*map(re.escape, SCOPES), UNSUBSCRIBE.pattern.decode())))
# In these, Python's reader gives bytes that no scanner for ASCII can read.
_NO_ASCII = re.compile(r"utf-?(7|16|32)|ucs|unicode|iso-?2022|hz", re.IGNORECASE)
_KNOWN_ENCODINGS: Final = ("", "7bit", "8bit", "binary", "quoted-printable", "base64")


def message_faults(rewriter: Rewriter, message: bytes) -> Iterator[str]:
    """Say what is wrong with how a message is rewritten for Ann."""
    result = rewriter.message(message, TO_ANN)
    data = bytes(result)
    yield from _span_faults(result, message)
    yield from _line_faults(message, data)
    if bytes(rewriter.message(data, TO_ANN)) != data:
        yield "rewriting twice is not once"
    before, after = parts(message), parts(data)
    if [part.get_content_type() for part in before] != [part.get_content_type() for part in after]:
        yield "Python's reader finds other parts"
        return
    for old, new in zip(before, after, strict=True):
        yield from _part_faults(rewriter, old, new)
    if not any(notice.part or notice.code in FAILURES for notice in result.notices):
        yield from _omissions(rewriter, list(zip(before, after, strict=True)))


def _span_faults(result: RewrittenMessage, message: bytes) -> Iterator[str]:
    """Look at what is replaced: it is a body, or lies among headers."""
    structure = read_structure(message)
    bodies = {(part.body, part.end) for part in structure.parts}
    heads = [(structure.start, structure.headers.body)]
    heads += [(part.start, part.body) for part in structure.parts]
    for change in result.replacements:
        span = (change.start, change.end)
        if span not in bodies and not any(a <= span[0] and span[1] <= z for a, z in heads):
            yield f"bytes {change.start} to {change.end} are neither a body nor among headers"


def _line_faults(message: bytes, data: bytes) -> Iterator[str]:
    if b"\r\n" in message and not _BARE.search(message) and _BARE.search(data):
        yield "a line end without a carriage return came in"
    if b"\r" not in message and b"\r" in data:
        yield "a carriage return came in"
    if message.isascii() and not data.isascii():
        yield "what was 7-bit is so no more"
    if _LONG.search(data) and not _LONG.search(message):
        yield "a line that is longer than mail may have came in"


def _part_faults(rewriter: Rewriter, old: Message, new: Message) -> Iterator[str]:
    gone, came = (Counter(_fields(part)) for part in (old, new))
    if gone != came:
        yield f"headers changed: {gone - came} became {came - gone}"
    if (old.preamble, old.epilogue) != (new.preamble, new.epilogue):
        yield "a preamble or epilogue changed"
    was, became = payload(old), payload(new)
    if was == became:
        return
    kind = old.get_content_type()
    if kind == HTML and _is_read_alike(old):
        charset = str(old.get_content_charset(""))
        if _encoding(old) == "quoted-printable":
            was = was.rstrip(b" \t")  # padding (RFC 2045 §6.7, rule 3), which Python's reader keeps
        if _plain(rewriter.html(was, ANN, charset=charset).data) != _plain(became):
            yield "a page came out other than it does alone"
    elif kind not in EDITED and not kind.startswith("multipart/"):  # which Python couldn't read
        yield f"a part of type {kind} changed"


def _omissions(rewriter: Rewriter, both: list[tuple[Message, Message]]) -> Iterator[str]:
    """Nothing is left out without a word."""
    pages = [(payload(old), payload(new)) for old, new in both if old.get_content_type() == HTML]
    for old, new in pages:
        if old == new and any(link.tracked for link in rewriter.html(old, ANN).links):
            yield "the links of a page were left alone, and no notice says why"
    if any(old for old, _ in pages) and all(old == new for old, new in pages):
        yield "no page got a pixel, and no notice says why"


def parts(message: bytes) -> list[Message]:
    """Give the parts of a message, branches and leaves."""
    return list(message_from_bytes(message).walk())


def pages(message: bytes) -> Iterator[tuple[bytes, str]]:
    """Give the pages of a message, decoded, each with the label of its charset."""
    for part in parts(message):
        if part.get_content_type() == HTML and _is_read_alike(part):
            yield payload(part), str(part.get_content_charset(""))


def _is_read_alike(part: Message) -> bool:
    """Tell whether Python's reader decodes the part, and to what is ASCII where it looks so."""
    known = _encoding(part) in _KNOWN_ENCODINGS
    return known and not _NO_ASCII.search(str(part.get_param("charset", "")))


def _encoding(part: Message) -> str:
    return str(part.get("content-transfer-encoding", "")).strip().lower()


def _fields(part: Message) -> list[tuple[str, str]]:
    return [
        (name, _UNSUBSCRIBE.sub("", str(value)))
        for name, value in part.items()
        if not _OURS.fullmatch(name.lower())
    ]


def _plain(page: bytes) -> bytes:
    """Take out what differs from token to token."""
    return UNSUBSCRIBE.sub(b"", restored(page)).strip()
