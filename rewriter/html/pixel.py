"""The pixel: where it can stand in a page, and how it is written.

In: a page and what `markup.scan` found. Out: the offsets for the pixel's places. Promise: it is
never put into a comment, an attribute, a title or a style sheet, and never before the body.
"""

import re
from typing import Final

from rewriter.config import PixelPlace
from rewriter.html.grammar import ATTRIBUTES, TAG_NAME, comment_end
from rewriter.html.markup import Markup, scan
from rewriter.html.rawtext import RAW_TEXT, raw_text_end

BEFORE: Final = b'<img src="'
# An empty alt makes it nothing to a screen reader (WAI, decorative images); the role and
# aria-hidden are for those that announce images without a name. Not display:none, which keeps
# some clients from loading it.
AFTER: Final = (
    b'" width="1" height="1" alt="" role="presentation" aria-hidden="true"'
    b' style="width:1px;height:1px;border:0;opacity:0">'
)

# What comes before the body opens (HTML Standard §13.2.6.4.1 to 6): all else opens it.
_HEAD_TAGS: Final = frozenset(
    b"html head title style script meta link base basefont bgsound noframes noscript".split()
)
_LOOKED_AT: Final = 4
_PROLOGUE = re.compile(
    rb"[\t\n\f\r ]*+(?:"
    rb"<(?P<start>" + TAG_NAME + rb")" + ATTRIBUTES + rb">"
    rb"|</(?P<end>" + TAG_NAME + rb")" + ATTRIBUTES + rb">"
    rb"|(?P<comment><!--)"
    rb"|<[!?][^>]*+>"
    rb")"
)  # fmt: skip


def pixel_places(html: bytes, markup: Markup, place: PixelPlace) -> list[tuple[int, str]]:
    """Give the offsets where pixels go, in order, each with its name: `top` or none."""
    places: list[tuple[int, str]] = []
    if place in ("top", "both"):
        places.append((body_start(html), "top"))
    if place in ("bottom", "both"):
        places.append((body_end(markup), ""))
    return places


def body_end(markup: Markup) -> int:
    """Give the offset before the last `</body>`, or where the page is complete up to."""
    return markup.whole if markup.body_end is None else markup.body_end


def body_start(html: bytes) -> int:
    """Give the offset after `<body>`, or before the first thing that opens a body without one."""
    at = 3 if html.startswith(b"\xef\xbb\xbf") else 0
    while token := _PROLOGUE.match(html, at):
        name = (token["start"] or token["end"] or b"").lower()
        if name == b"body" and token["start"]:
            return token.end()
        if name and name not in _HEAD_TAGS:
            break
        after: int | None = token.end()
        if token["comment"]:
            after = comment_end(html, token.start("comment"), len(html))
        elif token["start"] and name in RAW_TEXT:
            after = raw_text_end(html, name, token.end(), len(html))
        if after is None:
            break
        at = after
    return at


def find_token(html: bytes, token: bytes) -> int | None:
    """Give the offset of the first placement token that stands in text, where an image can.

    It looks at a few only, so that a comment full of tokens costs no more than one.
    """
    if not token:
        return None
    # To look for one character backwards is ten times faster than to look for the token.
    last = html.rfind(token[-1:]) + 1
    at = -1
    for _ in range(_LOOKED_AT):
        at = html.find(token, at + 1, last)
        if at < 0 or scan(html, 0, at).whole == at:
            break
    else:
        return None
    return at if at >= 0 else None
