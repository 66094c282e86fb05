"""Charsets: a part's text as bytes that a scanner for ASCII can read, and the way back.

In: decoded bytes and the label of their charset. Out: a `View` whose `text` is a superset of
ASCII, and which turns edits of that text into edits of the bytes that went in.

Most charsets are supersets already and are their own view. UTF-16 and UTF-32 are viewed as UTF-8.
ISO-2022-JP hides kanji behind `<` and `"`: it is viewed as UTF-8 too, and edited only where it is
in ASCII, so that every escape sequence stays as it came. UTF-7, HZ and their like are refused.
"""

import codecs
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from rewriter.html.labels import codec
from rewriter.notices import LeftAlone
from rewriter.splice import Edit


class View(Protocol):
    """`text` is for the scanner, in `charset`; `edits` leads back to the part's own bytes."""

    @property
    def text(self) -> bytes:
        """What the scanner reads."""

    @property
    def charset(self) -> str:
        """The charset of `text`; an unknown label as it came."""

    def edits(self, edits: Sequence[Edit]) -> list[Edit]:
        """Turn sorted edits of `text` into edits of the part's bytes. Raises LeftAlone."""

    def encoded(self, text: str) -> bytes:
        """Give text as bytes of this view, `?` for what the charset hasn't got."""


# Encoding Standard §4.2 leaves these out or replaces them: `<` may be anything there.
STATEFUL = re.compile(r"utf-?7|hz(-gb-2312)?|iso-?2022-?(kr|cn(-ext)?)|csiso2022kr|imap4-utf-7")
WIDE = re.compile(r"(?:utf-?|ucs-?|iso-10646-ucs-|cs)?(?:unicode|(16|32|2|4))(-?le|-?be)?")
JAPANESE = re.compile(r"(cs)?iso-?2022-?jp.*")

ASCII = bytes(range(0x20, 0x7F))


def view(data: bytes, label: str) -> View:
    """See bytes through the charset that their part claims. Raises LeftAlone."""
    if STATEFUL.fullmatch(label):
        raise LeftAlone("charset", label)
    if wide := _wide_codec(data, label):
        return WideView(data, wide)
    if JAPANESE.fullmatch(label) or (b"\x1b$" in data and not _names_another(label)):
        return JapaneseView(data)
    if not _holds_ascii(label):
        raise LeftAlone("charset", label)
    return PlainView(data, label)


@dataclass(frozen=True, slots=True)
class PlainView:
    """A superset of ASCII, or a label that nobody knows: the bytes are their own view."""

    text: bytes
    charset: str

    def edits(self, edits: Sequence[Edit]) -> list[Edit]:
        """Give the edits as they are."""
        return list(edits)

    def encoded(self, text: str) -> bytes:
        """Give text in the charset; one that is unknown takes ASCII."""
        return text.encode(codec(self.charset) or "ascii", "replace")


class WideView:
    """UTF-16 or UTF-32, seen as UTF-8."""

    charset = "utf-8"

    def __init__(self, data: bytes, codec: str) -> None:
        try:
            text = data.decode(codec, "surrogatepass")
        except UnicodeDecodeError as error:
            raise LeftAlone("charset", f"{codec}: {error.reason}") from error
        if text.encode(codec, "surrogatepass") != data:
            raise LeftAlone("charset", f"{codec}: does not come back the same")
        self.text = text.encode("utf-8", "surrogatepass")
        self._codec = codec

    def edits(self, edits: Sequence[Edit]) -> list[Edit]:
        """Measure what lies between the edits in the wide charset."""
        mapped = []
        seen = offset = 0
        for edit in edits:
            start = offset + len(self._widened(self.text[seen : edit.start]))
            end = start + len(self._widened(self.text[edit.start : edit.end]))
            mapped.append(Edit(start, end, self._widened(edit.new)))
            seen, offset = edit.end, end
        return mapped

    def encoded(self, text: str) -> bytes:
        """Give text in UTF-8."""
        return text.encode()

    def _widened(self, text: bytes) -> bytes:
        return text.decode("utf-8", "surrogatepass").encode(self._codec, "surrogatepass")


class JapaneseView:
    """ISO-2022-JP (RFC 1468) and its kin, seen as UTF-8."""

    charset = "utf-8"

    def __init__(self, data: bytes) -> None:
        runs = list(_runs(data))
        pieces = [_run_text(data, run) for run in runs]
        self.text = b"".join(pieces)
        starts = list(accumulate(map(len, pieces), initial=0))
        plain = [index for index, run in enumerate(runs) if run.ascii]
        self._starts = [starts[index] for index in plain]
        self._ends = [starts[index + 1] for index in plain]
        self._raw = [runs[index].start for index in plain]

    def edits(self, edits: Sequence[Edit]) -> list[Edit]:
        """Map edits whose two ends are in ASCII; what lies between goes with its escapes."""
        mapped = []
        for edit in edits:
            start = (
                self._last_place(edit.start)
                if edit.start == edit.end
                else self._first_place(edit.start)
            )
            end = self._last_place(edit.end)
            new = edit.new.decode().encode("iso2022_jp", "xmlcharrefreplace")
            mapped.append(Edit(start, end, new))
        return mapped

    def encoded(self, text: str) -> bytes:
        """Give text in UTF-8, as far as ISO-2022-JP has it."""
        return text.encode("iso2022_jp", "replace").decode("iso2022_jp").encode()

    def _first_place(self, at: int) -> int:
        """Find the earliest raw offset that stands for a place in the view."""
        index = bisect_left(self._ends, at)
        if index == len(self._starts) or self._starts[index] > at:
            raise LeftAlone("unplaceable")
        return self._raw[index] + at - self._starts[index]

    def _last_place(self, at: int) -> int:
        index = bisect_right(self._starts, at) - 1
        if index < 0 or self._ends[index] < at:
            raise LeftAlone("unplaceable")
        return self._raw[index] + at - self._starts[index]


@dataclass(frozen=True, slots=True)
class _Run:
    start: int
    end: int
    ascii: bool
    escape: bytes


ESCAPE = re.compile(rb"\x1b(?:\([BIJH]|\$[@AB]|\$\([@A-D]|\.[AF]|N)|\n|\Z")
ASCII_ESCAPES = (b"\x1b(B", b"\x1b(J", b"")


def _runs(data: bytes) -> Iterator[_Run]:
    """Cut the bytes at their escape sequences; a line end falls back to ASCII (RFC 1468)."""
    at, escape = 0, b""
    for match in ESCAPE.finditer(data):
        ended = match[0] == b"\n"
        if ended and escape in ASCII_ESCAPES:
            continue
        yield _Run(at, match.start(), escape in ASCII_ESCAPES, escape)
        at = match.start() if ended else match.end()
        escape = b"" if ended else match[0]


def _run_text(data: bytes, run: _Run) -> bytes:
    content = data[run.start : run.end]
    if run.ascii:
        # JIS X 0201 differs from ASCII in two characters that no markup uses.
        return content
    try:
        return (run.escape + content).decode("iso2022_jp_ext").encode()
    except UnicodeDecodeError:
        return b"\xef\xbf\xbd" * len(content)


def _wide_codec(data: bytes, label: str) -> str | None:
    """Name the codec of wide text: by its byte order mark, its label, or where its zeros stand."""
    for mark, wide in (
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return wide
    # A part that claims UTF-16 and holds no zero byte is ASCII with a wrong label.
    match = WIDE.fullmatch(label)
    if not match or b"\0" not in data:
        return None
    width = 32 if match[1] in ("32", "4") else 16
    order = (match[2] or "").lstrip("-") or ("be" if data[:1] == b"\0" else "le")
    return f"utf-{width}-{order}"


def _names_another(label: str) -> bool:
    return label not in ("", "us-ascii", "ascii") and _known(label)


def _known(label: str) -> bool:
    try:
        codecs.lookup(label)
    except (LookupError, ValueError):
        return False
    return True


def _holds_ascii(label: str) -> bool:
    """Say whether ASCII means itself; an unknown label is taken for one where it does."""
    if WIDE.fullmatch(label) or not label.isascii() or not _known(label):
        return True
    try:
        return ASCII.decode(label, "replace") == ASCII.decode("ascii")
    except LookupError:  # a codec of Python's that is no charset, such as "hex"
        return True
