"""A page: the plan of its links, its unsubscribe links, its footer and its pixel.

In: the bytes of one HTML part, in any encoding that is a superset of ASCII, and the sender's
policy. Out: a `Plan`. Promise: only the values of links, the switches on them, the placeholders
that stand for something of ours, and what is put in on request change.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Final

from msgspec.structs import replace

from rewriter import switches
from rewriter.html import pixel
from rewriter.html.grammar import find_href
from rewriter.html.labels import codec, page_codec
from rewriter.html.markup import Markup, scan
from rewriter.html.visible import visible_text
from rewriter.links import APP, Decision, Policy, Reference
from rewriter.plan import Plan, Slot
from rewriter.report import Caution, CautionCode, LinkReport, Reason
from rewriter.splice import Edit
from rewriter.switches import NO_CHOICE
from rewriter.tokens import CLICK, OPEN, UNSUBSCRIBE, BadToken, Context, Link, Tokens
from rewriter.unsubscribe import OF_A_PAGE, Scopes, find_unsubscribes
from rewriter.urls import NotFollowed, Url, resolve

Change = Edit | Slot

HIDDEN: Final = "hidden"
"""The category of the link that no person sees; whoever follows it is a machine."""

_HIDDEN_AFTER: Final = b'" aria-hidden="true" tabindex="-1" style="display:none"></a>'
_CAUTIONED: Final[Mapping[Reason, CautionCode]] = {
    "placeholder": "placeholder",
    "invalid": "invalid-link",
    "too-long": "too-long",
}
_CONTEXTS_LOOKED_AT: Final = 32
_OWN_LINKS: Final = 64


def plan_page(
    html: bytes,
    policy: Policy,
    *,
    charset: str = "",
    first: bool = True,
    scopes: Scopes = OF_A_PAGE,
) -> Plan:
    """Plan the edits of one page.

    `charset` is the label in the message's header, if there is one. Only the first page of a
    message gets pixel, footer and hidden link; AMP never does. `scopes` are those of the message's
    unsubscribe links.
    """
    if policy.config.privacy == "off":
        return Plan()
    page = _Page(html, policy, scan(html), page_codec(html, charset), scopes)
    links, changes = page.links()
    unsubscribes = [
        page.slot(start, end, UNSUBSCRIBE, scopes[scope])
        for start, end, scope in find_unsubscribes(html)
    ]
    changes += unsubscribes
    cautions = list(_link_cautions(links))
    if charset and codec(charset) is None:
        cautions.append(Caution("unknown-charset", charset))
    if first:
        if not unsubscribes:
            changes += page.footer()
        changes += page.hidden_link()
        pixels = list(page.pixels())
        changes += pixels
        if policy.config.opens and not pixels:
            cautions.append(Caution("no-pixel", f"{policy.config.pixel_token} is not in the page"))
    return Plan(tuple(_apart(changes)), tuple(links), tuple(cautions))


def is_rewritten(html: bytes, policy: Policy, context: Context) -> bool:
    """Tell whether the page was rewritten before, for the same message and recipient.

    A reply that quotes an older message is not: its own links want their own tokens.
    """
    frames = dict.fromkeys(found[1] for found in policy.own_tokens(html))
    for frame in islice(frames, _CONTEXTS_LOOKED_AT):
        try:
            earlier = policy.tokens.open_context(frame)
        except BadToken:
            continue
        if (earlier.message_id, earlier.recipient) == (context.message_id, context.recipient):
            return True
    return False


class _Page:
    """One page and what was found in it."""

    def __init__(
        self, html: bytes, policy: Policy, markup: Markup, encoding: str, scopes: Scopes
    ) -> None:
        self.html = html
        self.scopes = scopes
        self.policy = policy
        self.config = policy.config
        self.markup = markup
        self.encoding = encoding
        self.click = policy.url(CLICK)
        self.app = policy.url(APP)
        self.base = self._base()

    def links(self) -> tuple[list[LinkReport], list[Change]]:
        """Give the report of each link, and what changes in their tags."""
        reports: list[LinkReport] = []
        changes: list[Change] = []
        html, encoding = self.html, self.encoding
        for place, (_, _, start, end) in enumerate(self.markup.links):
            choice = NO_CHOICE
            if spoken := switches.are_there(html, start, end):
                choice = switches.read_choice(html, start, end, encoding)
            if href := find_href(html, start, end):
                reference = Reference(
                    switches.meaning(html[href[0] : href[1]], encoding),
                    len(reports) + 1,
                    choice,
                    self.base,
                    encoding,
                    self._visible(place) if self.config.skip_visible_urls else "",
                )
                decision = self.policy.decide(reference)
                reports.append(_report(*href, reference, decision))
                if decision.tracked:
                    changes.append(self._link(*href, reference, decision))
            if spoken:
                changes += switches.strip(html, start, end)
        return reports, changes

    def _link(self, start: int, end: int, reference: Reference, decision: Decision) -> Slot:
        personal = None
        if decision.reason == "personalised":
            personal = _named(reference, decision.link)
        before = self.app if reference.choice.app else self.click
        return Slot(start, end, before, CLICK, decision.link_frame, b"", personal)

    def slot(
        self,
        start: int,
        end: int,
        kind: bytes,
        link: Link,
        *,
        before: bytes = b"",
        after: bytes = b"",
    ) -> Slot:
        """Give the slot of a URL that is all ours."""
        frame = _sealed(self.policy.tokens, link)
        return Slot(start, end, before + self.policy.url(kind), kind, frame, after)

    def footer(self) -> Iterator[Change]:
        """Put in the unsubscribe footer, unless the page has an unsubscribe link of ours."""
        footer = self.config.unsubscribe_html.encode(self.encoding, "xmlcharrefreplace")
        if not footer or self.policy.url(UNSUBSCRIBE) in self.html:
            return
        at = pixel.body_end(self.markup)
        done = 0
        for start, end, scope in find_unsubscribes(footer):
            link = self.scopes[scope]
            yield self.slot(at, at, UNSUBSCRIBE, link, before=footer[done:start])
            done = end
        yield Edit(at, at, footer[done:])

    def hidden_link(self) -> Iterator[Slot]:
        """Put in a link that only machines follow; it leads to the tracking domain itself."""
        if self.config.hidden_link and self.config.clicks:
            at = pixel.body_end(self.markup)
            link = Link(destination=self.config.origin + "/", category=HIDDEN)
            yield self.slot(at, at, CLICK, link, before=b'<a href="', after=_HIDDEN_AFTER)

    def pixels(self) -> Iterator[Change]:
        """Put in the pixel where its token stands, or else at its place.

        Without open tracking, only the token goes.
        """
        token = self.config.pixel_token.encode()
        at = pixel.find_token(self.html, token)
        around = {"before": pixel.BEFORE, "after": pixel.AFTER}
        if not self.config.opens:
            if at is not None:
                yield Edit(at, at + len(token), b"")
            return
        if at is not None:
            yield self.slot(at, at + len(token), OPEN, Link(), **around)
            return
        for place, name in pixel.pixel_places(self.html, self.markup, self.config.pixel):
            yield self.slot(place, place, OPEN, Link(name=name), **around)

    def _visible(self, place: int) -> str:
        following = self.markup.links[place + 1 : place + 2]
        end = following[0].start if following else len(self.html)
        return visible_text(self.html, self.markup.links[place].end + 1, end, self.encoding)

    def _base(self) -> Url | None:
        for tag in self.markup.bases:
            if href := find_href(self.html, tag.attributes, tag.end):
                text = switches.meaning(self.html[slice(*href)], self.encoding)
                return _base_url(text, self.encoding)
        return None


@lru_cache(_OWN_LINKS)
def _sealed(tokens: Tokens, link: Link) -> bytes:
    """Seal a link that is all ours: there are few of them, the same in each message."""
    return tokens.seal_link(link)


def _base_url(text: str, encoding: str) -> Url | None:
    try:
        return resolve(text, None, encoding)
    except NotFollowed:
        return None


def _report(start: int, end: int, reference: Reference, decision: Decision) -> LinkReport:
    link = decision.link
    return LinkReport(
        reference.position,
        reference.text,
        decision.reason,
        link.destination,
        link.name,
        link.category,
        link.tags,
        start,
        end,
    )


def _named(reference: Reference, link: Link) -> Reference:
    return replace(reference, choice=replace(reference.choice, name=link.name))


def _link_cautions(reports: Iterable[LinkReport]) -> Iterator[Caution]:
    for report in reports:
        if code := _CAUTIONED.get(report.reason):
            yield Caution(code, report.reference)


def _apart(changes: list[Change]) -> Iterator[Change]:
    """Sort changes, and drop one that lies in another: a placeholder in a switch that goes."""
    done = 0
    for change in sorted(changes, key=attrgetter("start", "end")):
        if change.start >= done:
            yield change
            done = change.end
