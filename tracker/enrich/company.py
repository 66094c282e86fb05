"""Company: what the other clicks on a message tell of one of them.

In: clicks of one message to one recipient. Out, for each, the `Company` it was in. Pure, and
monotonous: a further click raises what is known of another one or leaves it, so that in whatever
order clicks come, the same is known of each of them in the end.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, Self

from rewriter.tokens import BadToken, Link, open_link
from tracker.hit import Hit

SECOND: Final = 1_000_000  # microseconds, as hits count

# 836 measured gateway bursts fetched about ten links within one second; nobody reads three pages in
# two and a half.
BURST_LINKS: Final = 3
BURST_WITHIN: Final = 5 * SECOND // 2
# The category that the rewriter gives the link no person sees. A sender may use the word too, but
# this link leads to the tracking domain itself.
HIDDEN: Final = "hidden"

FRAMES_CACHED: Final = 10_000  # link frames, which all recipients of a mailing share


class Company(IntEnum):
    """What is known by other clicks; what is more certain is higher.

    It is the revision of the event that is judged by it: whoever keeps the highest revision of an
    event has the last word, even where a crash let an older one come again.
    """

    ALONE = 0
    BURST = 1
    HIDDEN = 2


@dataclass(frozen=True, slots=True)
class Click:
    """What matters of a click to others: when it was, which link, and whether nobody sees it."""

    at: int
    frame: str
    hidden: bool

    @classmethod
    def of(cls, hit: Hit) -> Self:
        """Read it off a hit."""
        frame = link_frame(hit)
        return cls(hit.at, frame, _is_hidden(frame, hit.domain))


def companies(clicks: Sequence[Click]) -> list[Company]:
    """Return in what company each click was, of clicks of one message to one recipient.

    It takes n log n, so that a link that is fetched for ever holds nobody up.
    """
    order = sorted(range(len(clicks)), key=lambda index: clicks[index].at)
    hidden = [clicks[index].at for index in order if clicks[index].hidden]
    found = [Company.ALONE] * len(clicks)
    bursting = 0  # clicks before this one, in order, are part of a burst
    for place, (index, end, links) in enumerate(_windows(clicks, order)):
        if links >= BURST_LINKS:
            bursting = max(bursting, end)
        if _any_near(hidden, clicks[index].at):
            found[index] = Company.HIDDEN
        elif place < bursting:
            found[index] = Company.BURST
    return found


def company_of(hit: Hit, others: Iterable[Hit]) -> Company:
    """Return in what company a hit was; only clicks keep any.

    `others` are hits of the same message to the same recipient, in any order, `hit` among them or
    not.
    """
    if hit.kind != "c":
        return Company.ALONE
    return companies([Click.of(one) for one in (hit, *others) if one.kind == "c"])[0]


def link_frame(hit: Hit) -> str:
    """Return the part of the token that tells one link of a message from another."""
    return hit.token.partition(".")[0]


def message_of(hit: Hit) -> tuple[str, str]:
    """Return what hits of one message to one recipient share: the same sealed context."""
    return hit.domain, hit.token.partition(".")[2].partition(".")[0]


def hides(link: Link, domain: str) -> bool:
    """Tell whether a link is the one that no person sees, for a tracking domain."""
    if link.category != HIDDEN:
        return False
    return link.destination.partition("://")[2].partition("/")[0].partition(":")[0] == domain


def _windows(clicks: Sequence[Click], order: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield each click's index, the place behind the window it opens, and the links in that."""
    end = 0
    within: Counter[str] = Counter()
    for index in order:
        opened = clicks[index]
        while end < len(order) and clicks[order[end]].at - opened.at <= BURST_WITHIN:
            within[clicks[order[end]].frame] += 1
            end += 1
        yield index, end, len(within)
        within[opened.frame] -= 1
        if not within[opened.frame]:
            del within[opened.frame]


def _any_near(times: Sequence[int], at: int) -> bool:
    place = bisect_left(times, at - BURST_WITHIN)
    return place < len(times) and times[place] <= at + BURST_WITHIN


@lru_cache(FRAMES_CACHED)
def _is_hidden(frame: str, domain: str) -> bool:
    try:
        return hides(open_link(frame.encode()), domain)
    except (BadToken, ValueError):
        return False  # a dead letter, when it is its own turn
