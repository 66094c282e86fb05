"""The grammar of HTML tags, as possessive byte patterns.

Each pattern transcribes states of the WHATWG tokenizer (HTML Standard §13.2.5). They work on bytes
of any encoding that is a superset of ASCII, because every delimiter is ASCII. Promise: possessive
throughout, so that no input makes a match go back; what is cut off by the end of the input doesn't
match at all, as the standard drops a tag that meets the end of the file.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

SPACE: Final = rb"[\t\n\f\r ]"  # \s would also take the vertical tab
NAME_END: Final = rb"(?=[\t\n\f\r />])"
TAG_NAME: Final = rb"[a-zA-Z][^\t\n\f\r />]*+"


def any_case(word: bytes) -> bytes:
    """Give a pattern that matches an ASCII word in upper and lower case alike."""
    return b"".join(
        b"[%c%c]" % (letter, letter - 32) if 97 <= letter <= 122 else re.escape(bytes((letter,)))
        for letter in word
    )


# §13.2.5.33: an attribute's name may begin with "="; §13.2.5.37: "=>" is an empty value.
_NAME = rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_VALUE = rb"(?:\"([^\"]*+)\"|'([^']*+)'|([^\t\n\f\r \"'>][^\t\n\f\r >]*+)|(?=>))"
_UNCAUGHT_VALUE = _VALUE.replace(b"(", b"(?:").replace(b"(?:?", b"(?")
_EQUALS = SPACE + rb"*+=" + SPACE + rb"*+"

ATTRIBUTES: Final = (
    rb"(?:[\t\n\f\r /]++|" + _NAME + rb"(?:" + _EQUALS + _UNCAUGHT_VALUE
    + rb"|(?!" + SPACE + rb"*+=)))*+"
)  # fmt: skip
ATTRIBUTE: Final = re.compile(rb"(" + _NAME + rb")(?:" + _EQUALS + _VALUE + rb")?+")

# What stands after the name of nearly every tag: name="value", and nothing unusual. Most tags need
# no more than this; whatever it doesn't match is left to ATTRIBUTES.
USUAL_REST: Final = rb"(?:" + SPACE + rb"++[a-zA-Z:_-]++=\"[^\"]*+\")*+[^>\"'=]*+>"

_COMMENT_END = re.compile(rb"--!?>")


# The first attribute that is called href; whatever stands before it is passed over in one go.
_HREF = re.compile(
    rb"(?:[\t\n\f\r /]++|(?!" + any_case(b"href") + rb"(?![^\t\n\f\r />=]))" + _NAME
    + rb"(?:" + _EQUALS + _UNCAUGHT_VALUE + rb")?+)*+"
    + any_case(b"href") + rb"(?:" + _EQUALS + _VALUE + rb")?+"
)  # fmt: skip


class Attribute(NamedTuple):
    """Offsets of one attribute, of its value without quotes, and what stands around it."""

    start: int
    end: int
    value_start: int
    value_end: int


def any_of(names: Iterable[bytes]) -> bytes:
    """Give a pattern that matches a whole tag name out of several, in any case."""
    return rb"(?:" + rb"|".join(map(any_case, names)) + rb")" + NAME_END


def find_href(html: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Find the value of `href` among the attributes at `start:end`; None where there is none."""
    found = _HREF.match(html, start, end)
    if not found:
        return None
    return found.span(found.lastindex) if found.lastindex else (found.end(), found.end())


def attributes(html: bytes, start: int, end: int) -> dict[bytes, Attribute]:
    """Find the attributes between a tag's name and its `>`, by lower-case name.

    Of duplicates the first counts (§13.2.5.33).
    """
    found: dict[bytes, Attribute] = {}
    for match in ATTRIBUTE.finditer(html, start, end):
        group = match.lastindex or 1
        span = match.span(group) if group > 1 else (match.end(), match.end())
        found.setdefault(match[1].lower(), Attribute(match.start(), match.end(), *span))
    return found


def comment_end(html: bytes, start: int, end: int) -> int | None:
    """Find the offset after the comment whose `<!--` begins at `start` (§13.2.5.42 to 52).

    None where it goes on to the end of the file.
    """
    at = start + 4
    for whole in (b">", b"->"):  # "<!-->" and "<!--->" are complete
        if html.startswith(whole, at, end):
            return at + len(whole)
    match = _COMMENT_END.search(html, at, end)
    return match.end() if match else None


def is_self_closing(html: bytes, start: int, end: int) -> bool:
    """Tell whether the tag with attributes at `start:end` closes itself (`<br/>`, not `<a b=c/>`).

    A solidus that belongs to an unquoted value doesn't close.
    """
    if not html.endswith(b"/", start, end):
        return False
    last = max((match.end() for match in ATTRIBUTE.finditer(html, start, end)), default=start)
    return last < end
