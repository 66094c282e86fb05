"""One part of a message: what may change in it, and its bytes once it has.

In: a leaf of the structure and the sender's policy. Out: a `PlannedPart` or the reason why the part
is left alone; then, for each recipient, the replacements of its bytes. The way in is through the
transfer encoding, then the charset; edits go back the same way.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from rewriter.html.page import plan_page
from rewriter.links import Policy
from rewriter.merge import Values, in_html, merges, without_overlaps
from rewriter.mime.charsets import View, view
from rewriter.mime.headers import Headers
from rewriter.mime.quoted_printable import encode
from rewriter.mime.structure import Part
from rewriter.mime.text import plan_text
from rewriter.mime.transfer import Body, decode
from rewriter.notices import LeftAlone, Notice
from rewriter.plan import Mint, Plan, Slot
from rewriter.splice import Edit, splice
from rewriter.unsubscribe import OF_A_PAGE, Scopes

HTML: Final = b"text/html"
AMP: Final = b"text/x-amp-html"
TEXT: Final = b"text/plain"

# Gmail shows 102 KB of a message's HTML and hides the rest behind a link, the pixel with it.
CLIPPED_BEYOND: Final = 100 * 1024
# RFC 1864, and the mbox variants that count: both describe the body as it was.
STALE: Final = (b"content-md5", b"content-length")
# Inline PGP (RFC 9580 §7): a signature over the text itself, or nothing to read.
PGP: Final = b"-----BEGIN PGP "
ENCODED: Final = b"Content-Transfer-Encoding: quoted-printable"


@dataclass(frozen=True, slots=True)
class Replacement:
    """Bytes of the message, data[start:end], and the pieces that take their place."""

    start: int
    end: int
    pieces: Iterable[bytes | memoryview]


@dataclass(frozen=True, slots=True)
class EditedBody:
    """A body with edits in it, made piece by piece whenever it is asked for."""

    body: Body
    edits: Sequence[Edit]

    def __iter__(self) -> Iterator[bytes | memoryview]:
        return self.body.splice(self.edits)


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """A part that may change: how to read it, and what to do with it. `eol` is its line end."""

    part: Part
    body: Body
    view: View
    plan: Plan
    policy: Policy
    eol: bytes

    @property
    def html(self) -> bool:
        """Whether the part is a page."""
        return self.part.media.name == HTML

    @property
    def notices(self) -> Iterator[Notice]:
        """What the plan has to say, whoever the recipient is."""
        for caution in self.plan.cautions:
            yield Notice(caution.code, self.part.path, caution.detail)

    def render(self, mint: Mint, values: Values) -> tuple[list[Replacement], list[Notice]]:
        """Give what changes in the message's bytes for one recipient, and what to warn of.

        `values` are the recipient's, for placeholders that name them. Raises FrameTooLarge.
        """
        path = self.part.path
        edits = [_with_line_ends(edit, self.eol) for edit in self._edits(mint, values)]
        if not edits:
            return [], []
        try:
            mapped = self.view.edits(edits)
        except LeftAlone as reason:
            return [], [Notice(reason.code, path, reason.detail)]
        notices = [
            Notice("stale", path, name.decode())
            for name in STALE
            if self.part.headers.get(name) is not None
        ]
        size = len(self.view.text) + sum(len(edit.new) - edit.end + edit.start for edit in edits)
        if self.html and size > CLIPPED_BEYOND:
            notices.append(Notice("clipping", path, f"it has {size // 1024} KB"))
        return self._replacements(mapped), notices

    def _edits(self, mint: Mint, values: Values) -> list[Edit]:
        if not values:
            return self.plan.edits(mint)
        changes = [self._personal(change, values) for change in self.plan.changes]
        edits = replace(self.plan, changes=tuple(changes)).edits(mint)
        write = self.view.encoded if self.part.media.name == TEXT else in_html
        return without_overlaps([*edits, *merges(self.view.text, values, write)])

    def _personal(self, change: Edit | Slot, values: Values) -> Edit | Slot:
        """Make a personalised link anew of the recipient's values."""
        if isinstance(change, Edit) or change.personal is None:
            return change
        frame = self.policy.personalised(change.personal, values)
        return replace(change, link_frame=frame) if frame else change

    def _replacements(self, edits: Sequence[Edit]) -> list[Replacement]:
        part = self.part
        if self.body.holds(edits):
            return [Replacement(part.body, part.end, EditedBody(self.body, edits))]
        encoded = encode(splice(self.body.text, edits), self.eol)
        header = _header_of_encoding(part.headers, part.start, self.eol)
        return [header, Replacement(part.body, part.end, (encoded,))]


def plan_part(
    part: Part, policy: Policy, eol: bytes, *, first: bool, scopes: Scopes = OF_A_PAGE
) -> PlannedPart | None:
    """Plan one part; None where nothing is asked for. `first` is for the first of its type.

    `scopes` are those of the message's unsubscribe links.

    Raises LeftAlone.
    """
    config = policy.config
    name = part.media.name
    wanted = {HTML: True, AMP: config.amp, TEXT: config.text_links}.get(name, False)
    if not wanted and (name != TEXT or part.attached):
        return None
    if part.attached:
        raise LeftAlone("attachment")
    data = part.headers.data
    eol = line_end(data, part.body, part.end) or eol
    body = decode(data, part.body, part.end, part.encoding, eol)
    seen = view(body.text, part.media.charset)
    if name == TEXT:
        plan = _text_plan(part, seen, policy, first=first, scopes=scopes)
    else:
        plan = plan_page(
            seen.text,
            policy,
            charset=seen.charset,
            first=first and name == HTML,
            scopes=scopes,
        )
    return PlannedPart(part, body, seen, plan, policy, eol)


def _text_plan(part: Part, seen: View, policy: Policy, *, first: bool, scopes: Scopes) -> Plan:
    if PGP in seen.text:
        raise LeftAlone("signed", "PGP")
    return plan_text(
        seen.text,
        policy,
        charset=seen.charset,
        delsp=part.media.parameters.get(b"delsp", b"").lower() == b"yes",
        footer=seen.encoded(policy.config.unsubscribe_text) if first else b"",
        scopes=scopes,
    )


def _with_line_ends(edit: Edit, eol: bytes) -> Edit:
    if b"\n" not in edit.new:
        return edit
    return replace(edit, new=edit.new.replace(b"\r\n", b"\n").replace(b"\n", eol))


def line_end(data: bytes, start: int = 0, end: int | None = None) -> bytes:
    """Return the line end that data[start:end] has first, or nothing."""
    at = data.find(b"\n", start, end)
    if at < 0:
        return b""
    return b"\r\n" if data[at - 1 : at] == b"\r" and at else b"\n"


def _header_of_encoding(headers: Headers, start: int, eol: bytes) -> Replacement:
    """Say in the part's headers that its body is quoted-printable now."""
    for field in headers.all(b"content-transfer-encoding"):
        return Replacement(field.start, field.end, (ENCODED, eol))
    at = headers.fields[-1].end if headers.fields else start
    return Replacement(at, at, (ENCODED, eol))
