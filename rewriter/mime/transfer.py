"""Transfer encodings: a part's raw body, its decoded text, and edits carried into the raw form.

In: raw bytes and the name of their encoding (RFC 2045 §6). Out: a `Body`. Promise: an edited body
keeps its encoding, its line ends and its line width, and no edit makes a line longer than mail
may have; where it would, `holds` says so and the caller encodes the part anew.
"""

import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from rewriter.mime.quoted_printable import QuotedPrintable
from rewriter.notices import LeftAlone
from rewriter.splice import Edit, splice

# RFC 5322 §2.1.1, without the line end.
MAX_LINE = 998
LONG_LINE = re.compile(rb"(?m)^[^\n]{998}(?!\r?$)[^\n]")

UNENCODED = (b"7bit", b"8bit", b"binary", b"", b"7-bit", b"8-bit")
# Leading blanks, the first line, whether there are more, what stands behind it all.
BASE64 = re.compile(
    rb"(\s*+)([A-Za-z0-9+/]*+)([ \t]*+\r?\n[A-Za-z0-9+/\s]*[A-Za-z0-9+/])?+={0,2}(\s*+)"
)


class Body(Protocol):
    """The decoded `text` of a part; `splice` gives the raw body with edits of that text in it."""

    text: bytes

    def splice(self, edits: Sequence[Edit]) -> Iterator[bytes | memoryview]:
        """Give the pieces of the edited raw body, the same ones each time."""

    def holds(self, edits: Sequence[Edit]) -> bool:
        """Tell whether the encoding may hold the edited body."""


def decode(data: bytes, start: int, end: int, encoding: bytes, eol: bytes) -> Body:
    """Open the raw body data[start:end]. Raises LeftAlone."""
    if encoding in UNENCODED:
        return Unencoded(data[start:end], encoding)
    if encoding == b"quoted-printable":
        return QuotedPrintable(data, eol, start, end)
    if encoding == b"base64":
        return Base64(data, eol, start, end)
    raise LeftAlone("encoding", encoding.decode("latin-1"))


class Unencoded:
    """7bit, 8bit or binary: what stands there is the text."""

    def __init__(self, text: bytes, encoding: bytes) -> None:
        self.text = text
        self._encoding = encoding

    def splice(self, edits: Sequence[Edit]) -> Iterator[bytes | memoryview]:
        """Give the text with the edits in it."""
        return _pieces(self.text, edits)

    def holds(self, edits: Sequence[Edit]) -> bool:
        """Tell whether lines stay as short as mail has them, and 7bit stays 7-bit."""
        if self._encoding == b"binary":
            return True
        if self._encoding.startswith(b"7") and self.text.isascii():
            return all(edit.new.isascii() for edit in edits) and not _too_long(self.text, edits)
        return not _too_long(self.text, edits)


class Base64:
    """Base64 in lines of one width."""

    def __init__(self, data: bytes, eol: bytes, start: int, end: int) -> None:
        shape = BASE64.fullmatch(data, start, end)
        if shape is None:
            raise LeftAlone("damaged", "other characters stand among the base64")
        try:
            self.text = binascii.a2b_base64(memoryview(data)[start:end])
        except binascii.Error as error:
            raise LeftAlone("damaged", str(error)) from error
        self._lead, self._trail = shape[1], shape[4]
        width = len(shape[2]) if shape.start(3) >= 0 else max(len(shape[2]), 76)
        self._width = width if 0 < width <= MAX_LINE and width % 4 == 0 else 76
        self._eol = eol

    def splice(self, edits: Sequence[Edit]) -> Iterator[bytes | memoryview]:
        """Encode the edited text again, as wide as it was."""
        yield self._lead
        separator = b""
        for line in _in_steps(_pieces(self.text, edits), self._width // 4 * 3):
            yield separator
            yield binascii.b2a_base64(line, newline=False)
            separator = self._eol
        yield self._trail

    def holds(self, edits: Sequence[Edit]) -> bool:  # noqa: ARG002 - part of what a Body is
        """Tell whether the encoding may hold the edited body: it holds anything."""
        return True


def _pieces(text: bytes, edits: Sequence[Edit]) -> Iterator[bytes | memoryview]:
    """Give the edited text in pieces, so that a large one isn't held twice."""
    memory = memoryview(text)
    at = 0
    for edit in edits:
        yield memory[at : edit.start]
        yield edit.new
        at = edit.end
    yield memory[at:]


def _in_steps(pieces: Iterable[bytes | memoryview], step: int) -> Iterator[bytes | memoryview]:
    """Cut the pieces anew, into steps of one size; the last may be shorter."""
    begun = b""
    for piece in pieces:
        missing = step - len(begun) if begun else 0
        begun += bytes(piece[:missing])
        if begun and len(begun) == step:
            yield begun
            begun = b""
        if begun:
            continue
        whole = missing + (len(piece) - missing) // step * step
        for at in range(missing, whole, step):
            yield piece[at : at + step]
        begun = bytes(piece[whole:])
    if begun:
        yield begun


def _too_long(text: bytes, edits: Sequence[Edit]) -> bool:
    """Say whether an edit makes a line longer than mail may have, or one was so before."""
    if LONG_LINE.search(text):
        return True
    return any(LONG_LINE.search(lines) for lines in _edited_lines(text, edits))


def _edited_lines(text: bytes, edits: Sequence[Edit]) -> Iterator[bytes]:
    """Give the lines that edits touch, with the edits in them."""
    start = end = 0
    together: list[Edit] = []
    for edit in edits:
        if together and edit.start > end:
            yield splice(text[start:end], together)
            together = []
        if not together:
            start = text.rfind(b"\n", end, edit.start) + 1 or end
        newline = text.find(b"\n", edit.end)
        end = newline if newline >= 0 else len(text)
        together.append(Edit(edit.start - start, edit.end - start, edit.new))
    yield splice(text[start:end], together)
