"""Transfer encodings: a part's raw body, its decoded text, and edits carried into the raw form.

In: raw bytes and the name of their encoding (RFC 2045 §6). Out: a `Body`. Promise: an edited body
keeps its encoding, its line ends and its line width, and no edit makes a line longer than mail
may have; where it would, `splice` says so by `NeedsEncoding` and the caller encodes the part anew.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from rewriter.notices import LeftAlone
from rewriter.quoted_printable import QuotedPrintable
from rewriter.splice import Edit, splice

# RFC 5322 §2.1.1, without the line end.
MAX_LINE = 998
LONG_LINE = re.compile(rb"(?m)^[^\n]{998}(?!\r?$)[^\n]")

UNENCODED = (b"7bit", b"8bit", b"binary", b"", b"7-bit", b"8-bit")
BASE64 = re.compile(rb"[A-Za-z0-9+/\s]*+={0,2}\s*+")


class NeedsEncoding(Exception):
    """The edited body is no longer what its encoding may hold; `text` is what it decodes to."""

    def __init__(self, text: bytes) -> None:
        super().__init__("lines too long, or not 7-bit any more")
        self.text = text


class Body(Protocol):
    """The decoded `text` of a part; `splice` gives the raw body with edits of that text in it."""

    text: bytes

    def splice(self, edits: Sequence[Edit]) -> Iterator[bytes]:
        """Give the pieces of the edited raw body. Raises NeedsEncoding before the first."""


def decode(raw: bytes, encoding: bytes, eol: bytes) -> Body:
    """Open a raw body. Raises LeftAlone."""
    if encoding in UNENCODED:
        return Unencoded(raw, encoding)
    if encoding == b"quoted-printable":
        return QuotedPrintable(raw, eol)
    if encoding == b"base64":
        return Base64(raw, eol)
    raise LeftAlone("encoding", encoding.decode("latin-1"))


class Unencoded:
    """7bit, 8bit or binary: what stands there is the text."""

    def __init__(self, raw: bytes, encoding: bytes) -> None:
        self.text = raw
        self._encoding = encoding

    def splice(self, edits: Sequence[Edit]) -> Iterator[bytes]:
        """Put the edits in, if the encoding may still hold the outcome."""
        text = splice(self.text, edits)
        if self._encoding != b"binary" and LONG_LINE.search(text):
            raise NeedsEncoding(text)
        if self._encoding.startswith(b"7") and not text.isascii() and self.text.isascii():
            raise NeedsEncoding(text)
        return iter((text,))


class Base64:
    """Base64 in lines of one width."""

    def __init__(self, raw: bytes, eol: bytes) -> None:
        if not BASE64.fullmatch(raw):
            raise LeftAlone("damaged", "other characters stand among the base64")
        try:
            self.text = binascii.a2b_base64(raw)
        except binascii.Error as error:
            raise LeftAlone("damaged", str(error)) from error
        content = raw.strip()
        at = raw.find(content)
        self._lead, self._trail = raw[:at], raw[at + len(content) :]
        line, more, _ = content.partition(b"\n")
        width = len(line.rstrip()) if more else max(len(line), 76)
        self._width = width if 0 < width <= MAX_LINE and width % 4 == 0 else 76
        self._eol = eol

    def splice(self, edits: Sequence[Edit]) -> Iterator[bytes]:
        """Encode the edited text again, as wide as it was."""
        return self._lines(splice(self.text, edits))

    def _lines(self, text: bytes) -> Iterator[bytes]:
        step = self._width // 4 * 3
        yield self._lead
        for at in range(0, len(text), step):
            if at:
                yield self._eol
            yield binascii.b2a_base64(text[at : at + step], newline=False)
        yield self._trail
