"""The links in a page, by offset.

In: the bytes of a page, in any encoding that is a superset of ASCII. Out: the tags that can hold a
link, where the body ends, and where the page breaks off. Promise: the tags are those that a
browser's tokenizer finds, with Outlook's conditional comments opened as Outlook opens them; time
is linear in the size, whatever the input.
"""

import re
from typing import Final, NamedTuple

from rewriter.html.foreign import scan_foreign
from rewriter.html.grammar import (
    ATTRIBUTES,
    USUAL_REST,
    any_case,
    any_of,
    comment_end,
    is_self_closing,
)
from rewriter.html.rawtext import RAW_TEXT, raw_text_end


class Tag(NamedTuple):
    """A start tag: its lower-case name, and the offsets of `<`, its attributes and its `>`."""

    name: bytes
    start: int
    attributes: int
    end: int


class Markup(NamedTuple):
    """What a page holds.

    `links` are `a`, `area` and VML tags and `bases` the tags `base`, in the order of the page;
    `body_end` is the offset of the last `</body>`; `whole` is how far the page is complete: its
    end, or the offset of a tag, comment or raw text that has no end.
    """

    links: list[Tag]
    bases: list[Tag]
    body_end: int | None
    whole: int


_FOREIGN: Final = (b"svg", b"math")
_STOPS: Final = (b"a", b"area", b"base", *RAW_TEXT, *_FOREIGN)
_HOLD_NO_LINK: Final = frozenset(_STOPS) - {b"a", b"area"}


def _passed_over() -> bytes:
    """Build the pattern of a start tag's name that needs no look, sorted out by its first letter.

    A lookahead over all names in turn would cost more than all the rest.
    """
    words: dict[bytes, list[bytes]] = {}
    for word in _STOPS:
        words.setdefault(word[:1], []).append(word[1:])
    free = bytes(c for c in range(0x61, 0x7B) if bytes((c,)) not in words and c != 0x76)
    branches = [rb"[" + free + free.upper() + rb"]", rb"[vV](?!:)"]
    branches += [
        rb"[" + letter + letter.upper() + rb"](?!" + any_of(rests) + rb")"
        for letter, rests in words.items()
    ]
    return rb"(?:" + rb"|".join(branches) + rb")[^\t\n\f\r />]*+"


# Comments that begin so are conditional; they may hold links that only Outlook shows.
_IF = rb"\[" + any_case(b"if")
_BODY_END_NAME = any_of([b"body"])
_NEXT = re.compile(
    # What holds no link is passed over without coming back to Python: the whole speed is here. The
    # most frequent alternatives stand first, and each takes the text that follows with it.
    rb"(?:</(?!" + _BODY_END_NAME + rb")[a-zA-Z][^\t\n\f\r />]*+>[^<]*+"
    rb"|<" + _passed_over() + rb"(?:" + USUAL_REST + rb"|" + ATTRIBUTES + rb">)[^<]*+"
    rb"|[^<]++"
    rb"|</(?!" + _BODY_END_NAME + rb")[a-zA-Z][^\t\n\f\r />]*+" + ATTRIBUTES + rb">"
    rb"|<(?![a-zA-Z/!?])"
    rb"|<(?:!(?!--)|\?|/(?![a-zA-Z]))[^>]*+>"  # doctype, bogus comment (§13.2.5.41)
    rb"|<!--(?!" + _IF + rb")(?:-?>|(?:[^-]++|-(?!-!?>))*+--!?>)"
    rb")*+"
    rb"(?:"
    rb"<(" + any_of(_STOPS) + rb"|[vV]:[^\t\n\f\r />]*+)(" + ATTRIBUTES + rb")>"
    rb"|(</" + _BODY_END_NAME + rb")" + ATTRIBUTES + rb">"
    rb"|(<!--)"  # conditional, or without end
    rb"|(\Z)"
    rb")?+"
)  # fmt: skip
_NAME, _ATTRIBUTES, _BODY_END, _COMMENT, _EOF = range(1, 6)


def scan(html: bytes, start: int = 0, end: int | None = None) -> Markup:
    """Find the links of `html[start:end]`; offsets are those of `html`."""
    end = len(html) if end is None else end
    links: list[Tag] = []
    bases: list[Tag] = []
    body_end: int | None = None
    at = start
    while found := _NEXT.match(html, at, end):
        kind = found.lastindex
        after: int | None = found.end()
        if kind == _ATTRIBUTES:
            begins = found.start(_NAME) - 1
            name = found[_NAME].lower()
            tag = Tag(name, begins, *found.span(_ATTRIBUTES))
            if name not in _HOLD_NO_LINK:
                links.append(tag)
            elif name == b"base":
                bases.append(tag)
            elif name in RAW_TEXT:
                after = raw_text_end(html, name, found.end(), end)
            elif not is_self_closing(html, tag.attributes, tag.end):
                foreign = scan_foreign(html, name, found.end(), end)
                links += (Tag(b"a", *link) for link in foreign.links)
                body_end = foreign.body_end or body_end
                begins, after = foreign.end, foreign.end if foreign.closed else None
        elif kind == _COMMENT:
            begins = found.start(_COMMENT)
            after = comment_end(html, begins, end)
            links += _conditional_links(html, begins, after)
        elif kind == _BODY_END:
            begins = body_end = found.start(_BODY_END)
        else:  # the end of the page, or what has no end
            break
        if after is None:
            return Markup(links, bases, body_end, begins)
        at = after
    return Markup(links, bases, body_end, found.end() if found else at)


def _conditional_links(html: bytes, start: int, end: int | None) -> list[Tag]:
    """Find what Outlook finds in the conditional comment at `start:end`."""
    return [] if end is None else scan(html, start + len(b"<!--"), end - len(b"-->")).links
