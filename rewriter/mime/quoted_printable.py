"""Quoted-printable, edited line by line (RFC 2045 §6.7).

An encoded body goes in; edits are given in terms of its decoded text; only the lines that an edit
touches change, and none of those grows beyond 76 characters through it.
"""

import binascii
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from io import BytesIO

from rewriter.splice import Edit

MAX_LINE = 76

LINE = re.compile(rb"[^\n]*+\n|[^\n]++")
# An escape, a soft line break, or white space that transport added at a line's end (rule 3). The
# lookbehind keeps long runs of blanks linear.
TOKEN = re.compile(rb"=(?:([0-9A-Fa-f]{2})|[ \t]*+(?:\r?\n|\Z))|(?<![ \t])[ \t]++(?=\r?\n|\Z)")
PADDING = re.compile(rb"[ \t]*+(?:\r?\n|\Z)")
# What binascii reads differently, or not at all.
IRREGULAR = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r?\n)|[ \t](?=\r?\n|\Z)")
UNSAFE = re.compile(rb"[^\t -<>-~]")
LINE_END = re.compile(rb"(\r?\n)")


class QuotedPrintable:
    """An encoded body, data[start:end], and its decoded `text`."""

    def __init__(self, data: bytes, eol: bytes, start: int = 0, end: int | None = None) -> None:
        end = len(data) if end is None else end
        decode = _decode_irregular if IRREGULAR.search(data, start, end) else binascii.a2b_qp
        text = BytesIO()
        # Where each line begins, encoded and decoded: eight bytes each rather than an object.
        self._starts = array("Q", [start])
        self._decoded_starts = array("Q", [0])
        for line in LINE.finditer(data, start, end):
            text.write(decode(line[0]))
            self._starts.append(line.end())
            self._decoded_starts.append(text.tell())
        self.text = text.getvalue()
        self._data = data
        self._eol = eol

    def splice(self, edits: Sequence[Edit]) -> Iterator[bytes | memoryview]:
        """Give the encoded body with the edits in it. Edits are sorted and don't overlap."""
        data, memory = self._data, memoryview(self._data)
        at, body_end = self._starts[0], self._starts[-1]
        spans = [self._span(edit) for edit in edits]
        next_starts = [*(start for start, _ in spans[1:]), body_end]
        column = 0
        for edit, (start, end), next_start in zip(edits, spans, next_starts, strict=False):
            yield memory[at:start]
            newline = data.rfind(b"\n", at, start)
            column = start - newline - 1 if newline >= 0 else column + start - at
            text, column = fold(edit.new, column, self._eol)
            yield text
            # A blank that a deletion leaves at a line's end would be taken for padding.
            blank = not text and data[max(at, start - 1) : start] in (b" ", b"\t")
            bare = blank and PADDING.match(data, end, body_end)
            if bare or column + self._rest_of_line(end, next_start) > MAX_LINE:
                yield b"=" + self._eol
                column = 0
            at = end
        yield memory[at:body_end]

    def holds(self, edits: Sequence[Edit]) -> bool:  # noqa: ARG002 - part of what a body is
        """Tell whether the encoding may hold the edited body: it holds anything."""
        return True

    def _span(self, edit: Edit) -> tuple[int, int]:
        """Give the encoded bytes that an edit replaces."""
        start = self._offset(edit.start)
        if edit.end <= edit.start:
            return start, start
        last = self._offset(edit.end - 1)
        # A soft break inside the span goes with it; one behind its last character stays.
        token = TOKEN.match(self._data, last, self._starts[-1])
        if token is None:
            return start, last + 1
        return start, token.end() + (not token[1])

    def _offset(self, position: int) -> int:
        """Say where the decoded character at `position` begins in the encoded body."""
        if len(self._starts) == 1:
            return self._starts[0]
        index = min(bisect_right(self._decoded_starts, position), len(self._starts) - 1) - 1
        start, end = self._starts[index : index + 2]
        line = self._data[start:end]
        return start + _offset_in_line(line, position - self._decoded_starts[index])

    def _rest_of_line(self, at: int, next_start: int) -> int:
        """Count what follows on the same line, with room for a soft break before another edit."""
        body_end = self._starts[-1]
        newline = self._data.find(b"\n", at, body_end)
        end = newline if newline >= 0 else body_end
        if next_start < end:
            return next_start - at + 1
        return end - at - (self._data[end - 1 : end] == b"\r" and end > at)


def encode(text: bytes, eol: bytes) -> bytes:
    """Encode a whole body; its line ends stay as they are."""
    return fold(text, 0, eol)[0]


def fold(text: bytes, column: int, eol: bytes) -> tuple[bytes, int]:
    """Encode text that begins at `column`; give it, and the column where it ends."""
    out: list[bytes] = []
    for line, end in _lines(text):
        encoded = UNSAFE.sub(_escaped, line)
        if encoded[-1:] in (b" ", b"\t"):
            encoded = encoded[:-1] + b"=%02X" % encoded[-1]
        column = _wrap(encoded, column, eol, out)
        if end:
            out.append(end)
            column = 0
    return b"".join(out), column


def _lines(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give each line and its own end, which a part of several kinds keeps; the last has none."""
    pieces = LINE_END.split(text)
    return zip(pieces[::2], [*pieces[1::2], b""], strict=True)


def _wrap(encoded: bytes, column: int, eol: bytes, out: list[bytes]) -> int:
    at = 0
    while len(encoded) - at > MAX_LINE - 1 - column:
        cut = _before_escape(encoded, at + max(MAX_LINE - 1 - column, 0))
        out += (encoded[at:cut], b"=", eol)
        at, column = cut, 0
        # RFC 2049 §3: a relay that forgets to double a leading dot would eat it.
        if encoded[at : at + 1] == b".":
            out.append(b"=2E")
            at, column = at + 1, 3
    out.append(encoded[at:])
    return column + len(encoded) - at


def _before_escape(encoded: bytes, cut: int) -> int:
    """Move a cut that falls inside an escape in front of it."""
    equals = encoded.rfind(b"=", max(cut - 2, 0), cut)
    return equals if equals >= 0 else cut


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"=%02X" % match[0][0]


def _decode_irregular(line: bytes) -> bytes:
    return TOKEN.sub(lambda token: bytes.fromhex((token[1] or b"").decode()), line)


def _offset_in_line(line: bytes, position: int) -> int:
    """Say where the decoded character at `position` begins in one encoded line."""
    at = 0
    for token in TOKEN.finditer(line):
        literal = token.start() - at
        if position < literal:
            break
        position -= literal
        at = token.start()
        # What goes before a line end goes before its padding too, which then stays padding.
        if position == 0 and (token[1] or not token[0].startswith(b"=")):
            break
        position -= bool(token[1])
        at = token.end()
    return at + position
