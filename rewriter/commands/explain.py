"""What became of a message, for people and for programs.

In: notices and links. Out: lines of text, or JSON. Nothing here decides.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from rewriter.notices import Notice
from rewriter.report import REASONS, LinkReport

PlacedLink = tuple[str, LinkReport]


def explanation(links: Iterable[PlacedLink], notices: Iterable[Notice]) -> Iterator[str]:
    """Give a line for each link, with what became of it and why, then one for each notice."""
    for part, link in links:
        called = f" ({link.name})" if link.name else ""
        yield f"{part:>5} {link.position:>4}  {link.reason:<12} {link.reference}{called}"
        yield f"{'':12} {REASONS[link.reason]}"
    yield from map(str, notices)


def as_json(links: Sequence[PlacedLink], notices: Sequence[Notice]) -> bytes:
    """Give the same as one JSON object: `links` and `notices`."""
    return msgspec.json.encode(
        {
            "links": [_link(part, link) for part, link in links],
            "notices": [
                {"code": notice.code, "part": notice.part, "text": str(notice)}
                for notice in notices
            ],
        }
    )


def _link(part: str, link: LinkReport) -> dict[str, object]:
    return {
        "part": part,
        "position": link.position,
        "reference": link.reference,
        "tracked": link.tracked,
        "reason": link.reason,
        "why": REASONS[link.reason],
        "destination": link.destination,
        "name": link.name,
        "category": link.category,
        "tags": dict(link.tags),
    }
