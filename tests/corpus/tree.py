"""The tree of a page as html5lib builds it, in a row, so that two of them can be compared.

In: a page. Out: its tags, attributes, texts and comments; the links apart, since they may differ;
our pixel and the attributes that spoke to the rewriter left out. Outlook's conditional comments
are opened as Outlook opens them.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from rewriter.switches import STRIPPED
from tests.rewriter.html.oracle import HTML, parse, parse_fragment

_PIXELS: Final = "https://click.example.com/o/"
_SWITCHES: Final = frozenset(name.decode() for name in STRIPPED)
_CONDITION = re.compile(r"\[if[^\]]*+\]>?", re.IGNORECASE)
# HTML Standard §13.2.4.3: these are opened again where misnested markup left them open.
_FORMATTING: Final = frozenset(
    HTML + name
    for name in (
        "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt",
        "u",
    )
)  # fmt: skip


class Link(NamedTuple):
    """The `href` of an element."""

    element: str
    href: str

    @property
    def clickable(self) -> bool:
        """Whether a reader can follow it."""
        return self.element in ("a", "area") or self.element.lower().startswith("v:")


def nodes(page: str, *, empty: bool = True) -> list[Any]:
    """Give the tree in a row; without `empty`, formatting that holds nothing is left out."""
    return _joined(_walk(parse(page), empty=empty))


def _walk(element: Any, *, empty: bool) -> Iterator[Any]:
    if not isinstance(element.tag, str):
        yield from _comment(element.text or "", empty=empty)
    elif not empty and _is_empty(element):
        yield "".join(element.itertext())
    elif not _is_pixel(element):
        yield element.tag, tuple(sorted(_attributes(element), key=str))
        if (href := element.get("href")) is not None:
            yield Link(element.tag.rpartition("}")[2], href)
        yield element.text
        for child in element:
            yield from _walk(child, empty=empty)
        yield "end", element.tag
    yield element.tail


def _attributes(element: Any) -> Iterator[tuple[Any, Any]]:
    for name, value in element.attrib.items():
        spoke = name in _SWITCHES or (name == "class" and "untracked" in value.lower())
        if name != "href" and not spoke:
            yield name, value


def _comment(text: str, *, empty: bool) -> Iterator[Any]:
    condition = _CONDITION.match(text)
    if not condition:
        yield "comment", text
        return
    yield "comment", condition[0]
    inside = parse_fragment(text[condition.end() :])
    yield from _joined(_walk(inside, empty=empty))


def _is_pixel(element: Any) -> bool:
    return element.tag == f"{HTML}img" and str(element.get("src", "")).startswith(_PIXELS)


def _is_empty(element: Any) -> bool:
    if element.tag not in _FORMATTING or (element.text or "").strip():
        return False
    return all(
        (_is_pixel(child) or _is_empty(child)) and not (child.tail or "").strip()
        for child in element
    )


def _joined(pieces: Iterable[Any]) -> list[Any]:
    """Leave out what is empty, and make neighbouring texts one."""
    joined: list[Any] = []
    for piece in filter(None, pieces):
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined
