"""What became of each link, and why: the reasons, as data.

Out: values that `--explain` prints and that a library's caller can look at. Nothing here decides.
"""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

Reason = Literal[
    "tracked",
    "personalised",
    "clicks-off",
    "opt-out",
    "own",
    "unsubscribe",
    "empty",
    "anchor",
    "scheme",
    "relative",
    "placeholder",
    "invalid",
    "excluded",
    "visible-url",
    "too-long",
]

REASONS: Final[dict[Reason, str]] = {
    "tracked": "leads to the tracking domain",
    "personalised": "leads to the tracking domain; its query holds a placeholder",
    "clicks-off": "stays: click tracking is off",
    "opt-out": "stays: the link is marked as not to be tracked",
    "own": "stays: it leads to the tracking domain already",
    "unsubscribe": "stays: it is an unsubscribe link",
    "empty": "stays: it is empty",
    "anchor": "stays: it leads to a place in the message itself",
    "scheme": "stays: it is neither http nor https",
    "relative": "stays: it is relative and the page has no base",
    "placeholder": "stays: a placeholder stands where the address should begin",
    "invalid": "stays: no browser would follow it",
    "excluded": "stays: its domain is not one to track",
    "visible-url": "stays: its visible text is itself a URL",
    "too-long": "stays: its destination is too long for a token",
}

TRACKED: Final[frozenset[Reason]] = frozenset({"tracked", "personalised"})

CautionCode = Literal[
    "placeholder", "invalid-link", "too-long", "no-pixel", "already-rewritten", "unknown-charset"
]


class LinkReport(msgspec.Struct, frozen=True):
    """One link: its place among all links of the part (from 1), its reference, what became of it.

    `start` and `end` are the offsets of the attribute's value in the bytes that were planned on.
    """

    position: int
    reference: str
    reason: Reason
    destination: str = ""
    name: str = ""
    category: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    start: int = 0
    end: int = 0

    @property
    def tracked(self) -> bool:
        """Whether the link now leads to the tracking domain."""
        return self.reason in TRACKED


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that the sender should look at; `code` is stable, `detail` is for people."""

    code: CautionCode
    detail: str
