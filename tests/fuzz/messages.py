"""Fuzzed messages: real ones with lines left out, doubled, swapped, changed and cut off.

Each must come through with nothing changed but bodies and headers, unchanged the second time, and
with the same parts for Python's mail reader.
"""

import re
from collections.abc import Callable, Iterator
from random import Random

from tests.corpus.messages import message_faults
from tests.corpus.sources import sources
from tests.rewriter.html.sender import rewriter
from tests.rewriter.mime.sender import PAGE, page

SENDER = rewriter(opens=True, text_links=True)
_LONGEST = 20_000  # bytes
_PARTS = b"--b\r\n\r\nhttps://example.com/\r\n--b\r\nContent-Type: text/html\r\n\r\n" + PAGE
SEEDS = (
    page(),
    page(kind=b"multipart/alternative; boundary=b", body=_PARTS + b"\r\n--b--\r\n"),
    *(
        data
        for source in sources("messages")
        for path in source.files[:60]
        if len(data := path.read_bytes()) < _LONGEST
    ),
)
BITS = (
    b"\r\n", b"\n", b"", b" ", b"\t", b"=", b"=\r\n", b"=3D", b"=3", b"--", b"--b\n",
    b"--b--\n", b"From a@b Thu\n", b"From: a\n", b"\x1b$B<a", b"\x1b(B", b"\xff\xfe", b"\0",
    b"\xe9", b"PGh0bWw+", b"<a href=https://example.com/?a=3D>", b"<a href=3D\"https://exam=\nple.com\">",
    b" %unsubscribe_url% ", b"{{ses:openTracker}}", b"x" * 1000, b"X-Mailgun-Track: yes\n",
    b"Content-Type: text/html\n", b"Content-Type: text/html; charset=utf-16\n",
    b"Content-Type: text/html; charset=iso-2022-jp\n", b"Content-Type: message/rfc822\n",
    b"Content-Type: multipart/mixed; boundary=b\n", b"Content-Disposition: attachment\n",
    b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: 8bit\n",
    b"Content-Transfer-Encoding: quoted-printable\n",
)  # fmt: skip


def make(chance: Random) -> bytes:
    """Give a message with a few of its lines changed."""
    lines = chance.choice(SEEDS).splitlines(keepends=True) or [b""]
    for _ in range(chance.randrange(1, 9)):
        at = chance.randrange(len(lines))
        lines[at : at + 1] = chance.choice(CHANGES)(chance, lines[at])
        lines = lines or [b""]
    if not chance.randrange(6):
        lines = lines[: chance.randrange(len(lines)) + 1]
    # Python's reader alone takes a carriage return for the end of a line.
    return re.sub(rb"\r(?!\n)", b"", b"".join(lines))


def _changed(chance: Random, line: bytes) -> list[bytes]:
    at = chance.randrange(len(line) + 1)
    return [line[:at] + chance.choice(BITS) + line[at + chance.randrange(4) :]]


def _followed(chance: Random, line: bytes) -> list[bytes]:
    return [line, chance.choice((*BITS, *chance.choice(SEEDS).splitlines(keepends=True)))]


def _doubled(_: Random, line: bytes) -> list[bytes]:
    return [line, line]


def _left_out(_: Random, _line: bytes) -> list[bytes]:
    return []


CHANGES: tuple[Callable[[Random, bytes], list[bytes]], ...] = (
    _changed,
    _changed,
    _followed,
    _doubled,
    _left_out,
)


def faults(message: bytes) -> Iterator[str]:
    """Say what is wrong with how a message is rewritten."""
    yield from message_faults(SENDER, message)
