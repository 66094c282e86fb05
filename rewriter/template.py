"""A compiled page: parsed once, rendered for each recipient.

In: a page and the sender's policy; then, for each recipient, whose mail it is. Out: the bytes
of the page. Promise: `render` costs one seal a recipient and one MAC a link, and gives the same
bytes as rewriting the page for that recipient alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from rewriter.html.page import plan_page
from rewriter.links import Policy, Reference
from rewriter.plan import Plan, Slot
from rewriter.tokens import Context


@dataclass(frozen=True, slots=True)
class Template:
    """The page in pieces, with gaps where tokens go; `plan` tells what became of each link."""

    plan: Plan
    policy: Policy
    pieces: tuple[bytes, ...]
    gaps: tuple[tuple[int, bytes, bytes, Reference | None], ...]
    """For each token its place among the pieces, its kind, its link frame, what personalises it."""

    @classmethod
    def compile(cls, html: bytes, policy: Policy, charset: str = "") -> Self:
        """Parse a page once; `charset` is the label that its message's header will give."""
        plan = plan_page(html, policy, charset=charset)
        pieces: list[bytes] = [b""]
        gaps: list[tuple[int, bytes, bytes, Reference | None]] = []
        done = 0
        for change in plan.changes:
            pieces[-1] += html[done : change.start]
            done = change.end
            if isinstance(change, Slot):
                pieces[-1] += change.before
                gaps.append((len(pieces), change.kind, change.link_frame, change.personal))
                pieces += b"", change.after
            else:
                pieces[-1] += change.new
        pieces[-1] += html[done:]
        return cls(plan, policy, tuple(pieces), tuple(gaps))

    def render(self, context: Context, values: Mapping[str, str] | None = None) -> bytes:
        """Give the page for one recipient.

        `values` fill the placeholders of personalised links: `{{name}}` takes `values["name"]`.
        Raises `FrameTooLarge`.
        """
        tokens = self.policy.tokens
        frame = tokens.seal_context(self.policy.bound(context))
        pieces = list(self.pieces)
        for place, kind, link_frame, personal in self.gaps:
            filled = self.policy.personalised(personal, values) if personal and values else None
            pieces[place] = tokens.mint(kind, filled or link_frame, frame)
        return b"".join(pieces)
