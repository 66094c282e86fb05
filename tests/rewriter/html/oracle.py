"""html5lib as the judge of what a page is."""

import warnings
from collections.abc import Iterator
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # html5lib 1.1 still asks for a deprecated module
    import html5lib
    from html5lib._tokenizer import HTMLTokenizer
    from html5lib.constants import tokenTypes

STATES = {
    **dict.fromkeys(("title", "textarea"), "rcdataState"),
    **dict.fromkeys(("style", "xmp", "iframe", "noembed", "noframes"), "rawtextState"),
    "script": "scriptDataState",
    "plaintext": "plaintextState",
}
HTML = "{http://www.w3.org/1999/xhtml}"


def start_tags(page: str) -> list[tuple[str, dict[str, str]]]:
    """Give name and attributes of the start tags that html5lib's tokenizer finds."""
    tokenizer = HTMLTokenizer(page)
    tags = []
    for token in tokenizer:
        if token["type"] == tokenTypes["StartTag"]:
            tags.append((token["name"], dict(token["data"])))
            if state := STATES.get(token["name"]):
                tokenizer.state = getattr(tokenizer, state)
    return tags


def parse(page: str) -> Any:
    """Build the tree of a page."""
    return html5lib.parse(page, treebuilder="etree")


def parse_fragment(markup: str) -> Any:
    """Build the tree of markup that stands in a body."""
    return html5lib.parseFragment(markup, treebuilder="etree")


def tree(page: str, ignored: frozenset[str], ours: str) -> list[Any]:
    """Give the tree as a list, without links, `ignored` attributes and images of `ours`."""
    pieces: list[Any] = []
    for piece in _walk(parse(page), ignored, ours):
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        elif piece:
            pieces.append(piece)
    return pieces


def _walk(element: Any, ignored: frozenset[str], ours: str) -> Iterator[Any]:
    if not isinstance(element.tag, str):
        # Outlook's comments hold links, so their text may differ.
        yield ("comment", "[if" if element.text.startswith("[if") else element.text)
    elif element.tag != f"{HTML}img" or not element.get("src", "").startswith(ours):
        kept = {name: value for name, value in element.attrib.items() if name not in ignored}
        yield (element.tag, tuple(sorted(kept.items())))
        yield element.text or ""
        for child in element:
            yield from _walk(child, ignored, ours)
        yield ("end", element.tag)
    yield element.tail or ""
