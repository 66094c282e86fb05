"""What a sender can say about one link, in the attributes of every vendor.

In: the page and a tag's attributes. Out: a `Choice`, and the attributes that a recipient need not
see, since they spoke to the rewriter. One table holds them all.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from rewriter.html.charrefs import unescape
from rewriter.html.grammar import ATTRIBUTE, any_case, attributes
from rewriter.splice import Edit

Pairs = tuple[tuple[str, str], ...]


class Choice(msgspec.Struct, frozen=True):
    """What the attributes of one link say. `app` is a link that an app should open if it can."""

    tracked: bool = True
    app: bool = False
    name: str = ""
    category: str = ""
    tags: Pairs = ()


# Values that turn tracking off; any other leaves it on. Where the attribute itself is the switch,
# `None`: every value turns it off but those that say no.
_NO: Final = frozenset({"false", "no", "0", "off"})
_OPT_OUTS: Final[Mapping[bytes, frozenset[str] | None]] = {
    b"disable-tracking": None,  # Mailgun
    b"ses:no-track": None,  # Amazon SES
    b"clicktracking": _NO,  # SendGrid
    b"data-msys-clicktrack": _NO,  # SparkPost
    b"data-no-track": None,
}
_OPT_OUT_CLASS: Final = b"untracked"

_NAMES: Final = (b"data-track-name", b"data-msys-linkname")
_APPS: Final = frozenset({b"universal", b"data-msys-sublink"})  # SendGrid, SparkPost
_CATEGORY: Final = b"data-track-category"
_TAGS: Final = b"ses:tags"

STRIPPED: Final = frozenset((*_OPT_OUTS, *_APPS, *_NAMES, _CATEGORY, _TAGS))
_SPOKEN: Final = STRIPPED | {b"class"}

_CLASS_MARK = re.compile(
    rb"[\t\n\f\r ]?(?<![^\t\n\f\r ])" + any_case(_OPT_OUT_CLASS) + rb"(?![^\t\n\f\r ])"
)
_CONTROLS = dict.fromkeys((*range(0x20), 0x7F))
NO_CHOICE: Final = Choice()


def are_there(html: bytes, start: int, end: int) -> bool:
    """Tell whether any of the attributes at `start:end` might be a switch."""
    said = html[start:end].lower()
    # Every switch has one of these in its name; a look for each is cheaper than all the attributes.
    return b"track" in said or b"data-msys-" in said or b"ses:tags" in said or b"universal" in said


def read_choice(html: bytes, start: int, end: int, encoding: str) -> Choice:
    """Read what the attributes at `start:end` say about their link."""
    found = attributes(html, start, end)
    values = {
        name: meaning(html[found[name].value_start : found[name].value_end], encoding)
        for name in found.keys() & _SPOKEN
    }
    return Choice(
        tracked=not any(_opts_out(name, value) for name, value in values.items()),
        app=any(values[name].strip().lower() not in _NO for name in values.keys() & _APPS),
        name=next((_label(values[name]) for name in _NAMES if values.get(name)), ""),
        category=_label(values.get(_CATEGORY, "")),
        tags=tuple(_tags(values.get(_TAGS, ""))),
    )


def meaning(value: bytes, encoding: str) -> str:
    """Give the text that an attribute's value means."""
    text = value.decode("ascii" if value.isascii() else encoding, "replace")
    return unescape(text.replace("\0", "\ufffd"))


def strip(html: bytes, start: int, end: int) -> Iterator[Edit]:
    """Give the edits that take the switches out of the attributes at `start:end`."""
    for match in ATTRIBUTE.finditer(html, start, end):
        name = match[1].lower()
        if name in STRIPPED:
            yield Edit(_from(html, match, end), match.end(), b"")
        elif name == b"class" and _OPT_OUT_CLASS in match[0].lower():
            yield from _strip_class(html, match, end)


def _from(html: bytes, match: re.Match[bytes], end: int) -> int:
    """Find where an attribute begins with the white space before it.

    That stays where a solidus follows: `<a href=x switch/>` must not become `<a href=x/>`.
    """
    at = match.start()
    if match.end() < end and html[match.end()] not in b"\t\n\f\r ":
        return at
    while html[at - 1] in b"\t\n\f\r ":
        at -= 1
    return at


def _strip_class(html: bytes, match: re.Match[bytes], end: int) -> Iterator[Edit]:
    start, stop = match.span(match.lastindex or 1)
    left = _CLASS_MARK.sub(b"", html[start:stop])
    if not left:
        yield Edit(_from(html, match, end), match.end(), b"")
    elif len(left) < stop - start:
        yield Edit(start, stop, left)


def _opts_out(name: bytes, value: str) -> bool:
    value = value.strip().lower()
    if name == b"class":
        return _OPT_OUT_CLASS.decode() in value.split()
    if name not in _OPT_OUTS:
        return False
    off = _OPT_OUTS[name]
    return value not in _NO if off is None else value in off


def _label(text: str) -> str:
    return text.translate(_CONTROLS).strip()


def _tags(text: str) -> Iterator[tuple[str, str]]:
    """Read `name:value;name:value;` (Amazon SES)."""
    for pair in text.split(";"):
        name, colon, value = pair.partition(":")
        if colon and _label(name):
            yield _label(name), _label(value)
