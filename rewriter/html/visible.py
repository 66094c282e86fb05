"""The text of a link that a reader sees.

In: a page and the offsets between which a link's content lies. Out: its text, without tags.
"""

import html as htmllib
import re

_TAG = re.compile(rb"<[^<>]*+>")
_LINK_END = re.compile(rb"</[aA](?=[\t\n\f\r />])")


def visible_text(html: bytes, start: int, end: int, encoding: str) -> str:
    """Give the text from `start` to the link's end tag, or to `end`: where the next link begins."""
    over = _LINK_END.search(html, start, end)
    content = _TAG.sub(b"", html[start : over.start() if over else end])
    return htmllib.unescape(content.decode(encoding, "replace")).strip()
