"""Raw text: elements whose content is no markup, and where each of them ends.

In: the page and the offset after the start tag. Out: the offset of the end tag, or None where the
element goes on to the end of the file.
"""

import re
from typing import Final

from rewriter.html.grammar import ATTRIBUTES, any_of

# HTML Standard §13.2.6: those for which the tree builder switches the tokenizer. noscript isn't one
# of them where scripts don't run, and in mail they never do.
RAW_TEXT: Final = (
    b"style",
    b"script",
    b"title",
    b"textarea",
    b"xmp",
    b"iframe",
    b"noembed",
    b"noframes",
    b"plaintext",
)

_END = {name: re.compile(rb"</" + any_of([name])) for name in RAW_TEXT}
_REST = re.compile(ATTRIBUTES + rb">")
_SCRIPT_TURN = re.compile(rb"<!--|-->|</?+" + any_of([b"script"]))


def raw_text_end(html: bytes, name: bytes, start: int, end: int) -> int | None:
    """Find where the element `name` ends, whose content begins at `start`."""
    if name == b"plaintext":  # §13.2.5.5: nothing ends it
        return None
    if name == b"script":
        return _script_end(html, start, end)
    match = _END[name].search(html, start, end)
    return _unless_cut_off(html, match, end) if match else None


def _script_end(html: bytes, start: int, end: int) -> int | None:
    """Follow the script data states, escaped and double escaped (§13.2.5.15 to 13.2.5.31)."""
    escaped = doubly = False
    for match in _SCRIPT_TURN.finditer(html, start, end):
        turn = match[0].lower()
        if turn == b"<!--":
            # "<!-->" and "<!--->" escape nothing: their dashes also end what they begin.
            escaped = escaped or not html.startswith((b">", b"->"), match.end(), end)
        elif turn == b"-->":
            escaped = doubly = False
        elif turn == b"<script":
            doubly = doubly or escaped
        elif doubly:
            doubly = False
        else:
            return _unless_cut_off(html, match, end)
    return None


def _unless_cut_off(html: bytes, tag: re.Match[bytes], end: int) -> int | None:
    """Return where an end tag begins, or None if the page ends inside it: then it is dropped."""
    return tag.start() if _REST.match(html, tag.end(), end) else None
