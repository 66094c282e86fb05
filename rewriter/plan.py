"""The plan: every edit that one part of a message needs, before any recipient is known.

In: a part's bytes. Out: a `Plan`, whose slots wait for a recipient's tokens. Promise: planning is
the slow half and is done once a template; filling is one MAC a link.
"""

from collections.abc import Callable

import msgspec

from rewriter.links import Reference
from rewriter.report import Caution, LinkReport
from rewriter.splice import Edit

Mint = Callable[[bytes, bytes], bytes]
"""Kind (`b"c"`, `b"o"`, `b"u"`) and link frame in, the whole token out: one recipient's stamp."""


class Slot(msgspec.Struct, frozen=True):
    """An edit that holds one token: `before`, the token, `after`."""

    start: int
    end: int
    before: bytes
    kind: bytes
    link_frame: bytes
    after: bytes = b""
    personal: Reference | None = None
    """What a personalised link is made of anew once a recipient's values are known."""

    def fill(self, mint: Mint) -> Edit:
        """Turn into an edit for the recipient that `mint` stands for."""
        token = mint(self.kind, self.link_frame)
        return Edit(self.start, self.end, self.before + token + self.after)


class Plan(msgspec.Struct, frozen=True):
    """Edits and slots, ascending and apart, with a report of each link and what to warn of."""

    changes: tuple[Edit | Slot, ...] = ()
    links: tuple[LinkReport, ...] = ()
    cautions: tuple[Caution, ...] = ()

    def edits(self, mint: Mint) -> list[Edit]:
        """Give the edits for one recipient."""
        return [
            change if isinstance(change, Edit) else change.fill(mint) for change in self.changes
        ]
