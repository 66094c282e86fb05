"""A whole message: planned once, rendered for each recipient, byte-preserving.

In: the bytes of a message (RFC 5322, MIME) and the sender's settings. Out: a `PlannedMessage`,
which `render` turns into the message for one recipient.

Promise: every byte that is not part of a rewritten URL, the pixel, or something the sender asked
for comes out as it went in. What can't be edited so is left alone, and a notice says why; a message
comes out whole or not at all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from rewriter.html.page import is_rewritten
from rewriter.links import Policy
from rewriter.merge import Values, merged, without_overlaps
from rewriter.mime import listheaders
from rewriter.mime.controls import Controls, read_controls
from rewriter.mime.letterhead import Letterhead, read_letterhead
from rewriter.mime.parts import PlannedPart, Replacement, line_end, plan_part
from rewriter.mime.structure import Structure, read_structure
from rewriter.notices import FAILURES, LeftAlone, Notice
from rewriter.plan import Mint
from rewriter.report import LinkReport
from rewriter.splice import Edit
from rewriter.tokens import Context, FrameTooLarge, Tokens
from rewriter.unsubscribe import Scopes, scopes_of

UNKNOWN: Final = Letterhead()
NO_VALUES: Final[Values] = {}


class Refused(Exception):
    """The message can't be rewritten as asked; `notices` say why."""

    def __init__(self, notices: Sequence[Notice]) -> None:
        super().__init__("; ".join(map(str, notices)))
        self.notices = tuple(notices)


@dataclass(frozen=True, slots=True)
class RewrittenMessage:
    """A message for one recipient: what came in, and what takes the place of some of its bytes.

    `links` gives for each link the path of its part, as in IMAP, and what became of it.
    """

    data: bytes
    notices: tuple[Notice, ...] = ()
    links: tuple[tuple[str, LinkReport], ...] = ()
    replacements: tuple[Replacement, ...] = ()

    @property
    def pieces(self) -> Iterator[bytes | memoryview]:
        """The message piece by piece, so that a large one is never held twice."""
        memory = memoryview(self.data)
        done = 0
        for replacement in self.replacements:
            yield memory[done : replacement.start]
            yield from replacement.pieces
            done = replacement.end
        yield memory[done:]

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """A message whose edits are known but for the recipient's tokens."""

    data: bytes
    structure: Structure
    controls: Controls
    policy: Policy
    parts: tuple[PlannedPart, ...]
    notices: tuple[Notice, ...]

    def render(
        self, letterhead: Letterhead = UNKNOWN, values: Values = NO_VALUES
    ) -> RewrittenMessage:
        """Give the message for one recipient; `letterhead` goes before the message's headers.

        `values` fill the placeholders that name them, in headers, texts and pages.

        Raises Refused where `strict` is set and something is in the way, or where the message
        is signed and the DKIM policy is to refuse. Never changes less than all that was planned.
        """
        known = read_letterhead(self.structure.headers)
        known = replace(known, message_id=merged(known.message_id, values))
        context = self._context(letterhead.over(known))
        if any(is_rewritten(part.view.text, self.policy, context) for part in self.parts):
            return self._unchanged(Notice("already-rewritten", "", context.message_id))
        try:
            replacements, notices = self._replacements(context, values)
        except FrameTooLarge as error:
            return self._unchanged(Notice("too-long", "", str(error)))
        if replacements:
            signatures, signed = self._signatures()
            replacements += signatures
            notices += signed
        notices = [*self.notices, *notices]
        self._refuse(notices)
        links = tuple((part.part.path, link) for part in self.parts for link in part.plan.links)
        replacements.sort(key=lambda replacement: (replacement.start, replacement.end))
        return RewrittenMessage(self.data, tuple(notices), links, tuple(replacements))

    @property
    def _eol(self) -> bytes:
        return line_end(self.data, self.structure.start) or b"\n"

    def _context(self, letterhead: Letterhead) -> Context:
        return Context(
            message_id=letterhead.message_id,
            recipient=letterhead.recipient,
            sending_domain=letterhead.sending_domain,
            sent_at=letterhead.sent_at,
            tags=self.controls.tags,
            variables=self.controls.variables,
            configuration_set=self.controls.configuration_set,
            privacy=self.policy.config.privacy,
        )

    def _replacements(
        self, context: Context, values: Values
    ) -> tuple[list[Replacement], list[Notice]]:
        tokens = self.policy.tokens
        mint = partial(_mint, tokens, tokens.seal_context(context))
        replacements = list(self._header_replacements(mint, context, values))
        notices = []
        for part in self.parts:
            changed, said = part.render(mint, values)
            replacements += changed
            notices += said
        if any(part.plan.changes for part in self.parts):
            if not context.recipient:
                notices.append(Notice("no-recipient"))
            if not context.sending_domain:
                notices.append(Notice("no-sender"))
        return replacements, notices

    def _header_replacements(
        self, mint: Mint, context: Context, values: Values
    ) -> Iterator[Replacement]:
        headers = self.structure.headers
        changes: list[listheaders.Change] = list(listheaders.removed(self.controls.fields))
        if headers.separated and not self.structure.left_alone:
            scopes = _scopes(self.structure, self.controls)
            changes += listheaders.placeholders(headers, self.policy, self.controls.fields, scopes)
            # Without a recipient, a one-click POST could end nobody's subscription.
            if self.policy.config.list_unsubscribe and context.recipient:
                changes += listheaders.list_unsubscribe(headers, self.policy, self._eol)
        edits = [change if isinstance(change, Edit) else change.fill(mint) for change in changes]
        if values:
            edits = without_overlaps([*edits, *listheaders.merged_fields(headers, values)])
        for edit in edits:
            yield Replacement(edit.start, edit.end, (edit.new,))

    def _signatures(self) -> tuple[list[Replacement], list[Notice]]:
        """Do with DKIM signatures what the policy says, now that something changes."""
        headers = self.structure.headers
        fields = [field for name in listheaders.SIGNATURES for field in headers.all(name)]
        if not fields:
            return [], []
        policy = self.policy.config.dkim
        if policy == "refuse":
            raise Refused([Notice("dkim-refused")])
        if policy == "strip":
            return [Replacement(field.start, field.end, ()) for field in fields], []
        return [], [Notice("dkim")]

    def _unchanged(self, notice: Notice) -> RewrittenMessage:
        notices = (*self.notices, notice)
        self._refuse(notices)
        return RewrittenMessage(self.data, notices)

    def _refuse(self, notices: Sequence[Notice]) -> None:
        failures = [notice for notice in notices if notice.code in FAILURES]
        if self.policy.config.strict and failures:
            raise Refused(failures)


def plan_message(data: bytes, policy: Policy) -> PlannedMessage:
    """Read a message and plan what changes in it, for whomever it goes to.

    `policy` is the sender's; what the message says itself goes before it.
    """
    structure = read_structure(data)
    controls = read_controls(structure.headers, policy.config)
    if structure.left_alone == "ambiguous":
        controls = Controls(policy.config)
    # A policy remembers what it decided, so it is kept where the message says nothing else.
    if controls.config != policy.config:
        policy = Policy(controls.config, policy.tokens)
    parts: list[PlannedPart] = []
    notices = [*structure.notices, *controls.notices]
    seen: set[bytes] = set()
    eol = line_end(data, structure.start) or b"\n"
    scopes = _scopes(structure, controls)
    for part in structure.parts:
        try:
            planned = plan_part(part, policy, eol, first=part.media.name not in seen, scopes=scopes)
        except LeftAlone as reason:
            notices.append(Notice(reason.code, part.path, reason.detail))
            continue
        if planned:
            seen.add(part.media.name)
            parts.append(planned)
            notices += planned.notices
    return PlannedMessage(data, structure, controls, policy, tuple(parts), tuple(notices))


def rewrite_message(
    data: bytes, policy: Policy, letterhead: Letterhead = UNKNOWN
) -> RewrittenMessage:
    """Rewrite one message for one recipient.

    Gives the message back as it came where privacy is off or the DKIM policy refuses. Raises
    Refused only if `strict` is set.
    """
    if policy.config.privacy == "off":
        return RewrittenMessage(data)
    try:
        return plan_message(data, policy).render(letterhead)
    except Refused as refusal:
        if policy.config.strict:
            raise
        return RewrittenMessage(data, refusal.notices)


def _scopes(structure: Structure, controls: Controls) -> Scopes:
    name = listheaders.list_name(structure.headers)
    return scopes_of(list_name=name, tagged=bool(controls.tags))


def _mint(tokens: Tokens, context_frame: bytes, kind: bytes, link_frame: bytes) -> bytes:
    return tokens.mint(kind, link_frame, context_frame)
