"""What must hold for every page, judged by what isn't ours.

In: the bytes of a page. Out: what is wrong with the way it is rewritten, in sentences, or nothing.
html5lib says what the page is and which links it has; ada-url, the parser of Node.js, where they
lead.
"""

import re
from collections.abc import Iterator
from typing import Final

import ada_url

from rewriter.html.labels import page_codec
from rewriter.html.markup import scan
from rewriter.plan import Slot
from rewriter.rewriter import Rewriter
from rewriter.switches import STRIPPED
from rewriter.template import Template
from rewriter.tokens import open_link
from rewriter.unsubscribe import SCOPES
from tests.corpus.tree import Link, nodes
from tests.rewriter.html.sender import ANN

_TOKEN: Final = rb"[\w-]++\.[\w-]++\.[\w-]++"
_CLICK = re.compile(r"https://click\.example\.com/c/([\w-]+)\.[\w-]+\.[\w-]+")
_SWITCH = re.compile(
    rb"\s*+(?:class|" + b"|".join(sorted(STRIPPED)) + rb")(?:\s*+=.*)?", re.IGNORECASE | re.DOTALL
)
_PLACEHOLDERS: Final = frozenset((*(name.encode() for name in SCOPES), b"{{ses:openTracker}}"))
_TRIMMED: Final = "".join(map(chr, range(0x21)))
_NOT_SENT = str.maketrans("", "", "\t\n\r")


def page_faults(rewriter: Rewriter, page: bytes, charset: str = "") -> Iterator[str]:
    """Say what is wrong with how a page is rewritten; `charset` is its message's label."""
    result = rewriter.html(page, ANN, charset=charset)
    yield from _byte_faults(rewriter.template(page, charset=charset), page, result.data)
    if rewriter.html(result.data, ANN, charset=charset).data != result.data:
        yield "rewriting twice is not once"
    # What has no end is nothing to a browser, or runs to the end: the pixel stands before it.
    whole = scan(page).whole
    endless = len(page) - whole
    if not result.data.endswith(page[len(page) - endless :]):
        yield "what has no end changed"
        return
    codec = page_codec(page, charset)
    before, after = (
        data[: len(data) - endless].decode(codec, "replace") for data in (page, result.data)
    )
    stay = {_comparable(link.reference) for link in result.links if not link.tracked}
    yield from _tree_faults(before, after, stay, codec)


def _byte_faults(template: Template, page: bytes, data: bytes) -> Iterator[str]:
    """Compare byte by byte; what differs must be something that the documentation names."""
    values = {(link.start, link.end) for link in template.plan.links if link.tracked}
    done = at = 0
    for change in template.plan.changes:
        same, gone = page[done : change.start], page[change.start : change.end]
        named = (change.start, change.end) in values or gone in _PLACEHOLDERS
        if gone and not named and not _SWITCH.fullmatch(gone):
            yield f"{gone!r} was changed"
        new = (
            re.escape(change.before) + _TOKEN + re.escape(change.after)
            if isinstance(change, Slot)
            else re.escape(change.new)
        )
        found = re.compile(re.escape(same) + new).match(data, at)
        if not found:
            yield f"up to {gone!r} at {change.start}, more changed than was planned"
            return
        at, done = found.end(), change.end
    if data[at:] != page[done:]:
        yield "bytes at the end changed"


def _tree_faults(page: str, data: str, stay: set[str], codec: str) -> Iterator[str]:
    before, after = nodes(page), nodes(data)
    if len(before) != len(after):
        # Where misnested markup opens formatting again around the pixel, an empty element is new.
        before, after = nodes(page, empty=False), nodes(data, empty=False)
    base: str | None = None
    for old, new in zip(before, after, strict=False):
        if isinstance(old, Link) and isinstance(new, Link) and old.clickable and new.clickable:
            yield from _link_faults(old.href, new.href, base, stay, codec)
        elif old != new:
            yield f"in the tree, {old!r} became {new!r}"
            return
        elif isinstance(old, Link) and old.element == "base":
            base = base or destination(old.href, None)
    if len(before) != len(after):
        yield "the tree is longer or shorter"


def _link_faults(old: str, new: str, base: str | None, stay: set[str], codec: str) -> Iterator[str]:
    goal = destination(old, base)
    if tracked := _CLICK.fullmatch(new):
        leads: str | None = open_link(tracked[1].encode()).destination
        if codec != "utf-8" and not old.isascii():
            # ada-url knows queries in UTF-8 alone.
            goal, leads = (url and url.partition("?")[0] for url in (goal, leads))
        if leads != goal:
            yield f"{old!r} leads to {leads!r} instead of {goal!r}"
    elif old != new:
        if not any(name in old for name in SCOPES):
            yield f"{old!r} became {new!r}"
    elif goal and _comparable(old) not in stay:
        yield f"{old!r} is not tracked, and no reason is given"


def destination(href: str, base: str | None) -> str | None:
    """Give where a browser goes over http or https; as in mail, `//` is https without a base."""
    href = href.strip(_TRIMMED).translate(_NOT_SENT)
    if not href or href[0] == "#":
        return None
    if base is None and re.match(r"[/\\]{2}", href):
        href = "https:" + href
    try:
        goal = str(ada_url.URL(href, base).href)
    except ValueError:
        return None
    return goal if goal.startswith(("http://", "https://")) else None


def _comparable(reference: str) -> str:
    """Make what a browser's reader of the page changes itself alike."""
    return re.sub("\r\n?", "\n", reference)
