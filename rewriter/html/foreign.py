"""SVG and MathML inside a page: where they end, and the links in them.

In: the page and the offset after `<svg>` or `<math>`. Out: the offset where HTML goes on. Inside,
no element switches to raw text and CDATA sections exist, except where HTML is embedded again
(HTML Standard §13.2.6.5). It keeps the open foreign elements only: HTML embedded in them is over
when the element that embeds it ends, which is exact for all but misnested markup.
"""

import re
from collections import Counter
from typing import Final, NamedTuple

from rewriter.html.grammar import (
    ATTRIBUTES,
    TAG_NAME,
    attributes,
    comment_end,
    is_self_closing,
)
from rewriter.html.rawtext import RAW_TEXT, raw_text_end

# HTML start tags that end all open foreign elements (§13.2.6.5).
BREAKS_OUT: Final = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img"
    b" li listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul"
    b" var".split()
)
_FONT_BREAKS_OUT = (b"color", b"face", b"size")
_EMBEDS_HTML = frozenset(
    (b"foreignobject", b"desc", b"title", b"mi", b"mo", b"mn", b"ms", b"mtext")
)
_HTML_ENCODINGS = (b"text/html", b"application/xhtml+xml")
_ROOTS = (b"svg", b"math")

_TOKEN = re.compile(
    rb"[^<]*+(?:"
    rb"<(" + TAG_NAME + rb")(" + ATTRIBUTES + rb")>"
    rb"|</(" + TAG_NAME + rb")" + ATTRIBUTES + rb">"
    rb"|(<!--)"
    rb"|(<!\[CDATA\[)"
    rb"|<(?:[!?]|/(?![a-zA-Z]))[^>]*+>"
    rb"|<(?![a-zA-Z/!?])"
    rb"|(\Z)"
    rb")"
)  # fmt: skip
_START, _ATTRIBUTES, _END, _COMMENT, _CDATA, _EOF = range(1, 7)


class Foreign(NamedTuple):
    """Where foreign content ends and what was in it; offsets are in the page.

    `links` are the tags `a`: where the tag, its attributes and they end. `closed` is false where
    the page ends inside something that has no end; `end` is then where that begins.
    """

    end: int
    closed: bool
    links: list[tuple[int, int, int]]
    body_end: int | None


def scan_foreign(html: bytes, root: bytes, start: int, end: int) -> Foreign:
    """Walk from `start`, just after the start tag `root`, to where HTML goes on."""
    walk = _Walk(html, root, end)
    at, closed = start, True
    while walk.elements:
        token = _TOKEN.match(html, at, end)
        if token is None or token.lastindex == _EOF:
            closed = token is not None
            break
        after = walk.take(token)
        if after is None:
            closed = False
            break
        at = after
    return Foreign(at, closed, walk.links, walk.body_end)


class _Walk:
    """The open foreign elements, innermost last, each with whether it embeds HTML."""

    def __init__(self, html: bytes, root: bytes, end: int) -> None:
        self.html = html
        self.end = end
        self.elements: list[tuple[bytes, bool]] = [(root, False)]
        self.counts = Counter([root])
        self.links: list[tuple[int, int, int]] = []
        self.body_end: int | None = None

    def take(self, token: re.Match[bytes]) -> int | None:
        """Take in one token; give where the next begins, None where this one has no end."""
        kind = token.lastindex
        if kind == _ATTRIBUTES:
            return self._start_tag(token)
        if kind in (_COMMENT, _CDATA):
            return self._until_end(token)
        if kind == _END:
            self._end_tag(token[_END].lower(), token.start(_END) - 2)
        return token.end()

    def _start_tag(self, token: re.Match[bytes]) -> int | None:
        name, tag = token[_START].lower(), token.start(_START) - 1
        start, end = token.span(_ATTRIBUTES)
        if self._embeds_html_now():
            if name in RAW_TEXT:
                return raw_text_end(self.html, name, token.end(), self.end)
            if name in _ROOTS and not is_self_closing(self.html, start, end):
                self._push(name, embeds_html=False)
        elif self._breaks_out(name, start, end):
            self._break_out()
            return tag
        elif not is_self_closing(self.html, start, end):
            self._push(name, embeds_html=self._embeds_html(name, start, end))
        if name == b"a":
            self.links.append((tag, start, end))
        return token.end()

    def _end_tag(self, name: bytes, tag: int) -> None:
        if name == b"body":
            self.body_end = tag
        elif name in (b"p", b"br") and not self._embeds_html_now():
            self._break_out()
        elif self.counts[name]:  # without the count, stray end tags would search the pile each time
            while self._pop() != name:
                pass

    def _until_end(self, token: re.Match[bytes]) -> int | None:
        if token.lastindex == _COMMENT:
            return comment_end(self.html, token.start(_COMMENT), self.end)
        if self._embeds_html_now():  # there, CDATA is a bogus comment
            over = self.html.find(b">", token.start(_CDATA), self.end)
            return None if over < 0 else over + 1
        over = self.html.find(b"]]>", token.end(), self.end)
        return None if over < 0 else over + 3

    def _embeds_html_now(self) -> bool:
        return self.elements[-1][1]

    def _embeds_html(self, name: bytes, start: int, end: int) -> bool:
        if name != b"annotation-xml":
            return name in _EMBEDS_HTML
        encoding = attributes(self.html, start, end).get(b"encoding")
        return encoding is not None and (
            self.html[encoding.value_start : encoding.value_end].lower() in _HTML_ENCODINGS
        )

    def _breaks_out(self, name: bytes, start: int, end: int) -> bool:
        if name == b"font":
            return not attributes(self.html, start, end).keys().isdisjoint(_FONT_BREAKS_OUT)
        return name in BREAKS_OUT

    def _break_out(self) -> None:
        while self.elements and not self._embeds_html_now():
            self._pop()

    def _push(self, name: bytes, *, embeds_html: bool) -> None:
        self.elements.append((name, embeds_html))
        self.counts[name] += 1

    def _pop(self) -> bytes:
        name, _ = self.elements.pop()
        self.counts[name] -= 1
        return name
