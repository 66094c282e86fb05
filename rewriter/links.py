"""The policy: which links are tracked, and what they are called.

In: a reference as the sender wrote it, whether it stood in HTML or in text. Out: a `Decision`. The
order of the questions is the order of precedence.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import structs

from rewriter.config import Config
from rewriter.placeholders import fill, find_placeholder
from rewriter.report import TRACKED, Reason
from rewriter.switches import NO_CHOICE, Choice
from rewriter.tokens import Context, FrameTooLarge, Link, Tokens
from rewriter.unsubscribe import holds_unsubscribe
from rewriter.urls import NotFollowed, Url, resolve

# What a reader sees that is itself an address: "https://example.com/x", "www.example.com",
# "example.com/path", but no "Node.js" and no mail address.
_VISIBLE_URL = re.compile(
    r"(?:https?://|www\.(?=[\w-]+\.\w))\S++|(?:[\w-]++\.)++[a-z]{2,}+/\S*+", re.IGNORECASE
)
# In the place of a kind: a click on a link that an app should open, which rules about paths tell.
APP: Final = b"a"
_TRIMMED: Final = "".join(map(chr, range(0x21)))
_NOWHERE: Final = Link()
_REMEMBERED: Final = 2048  # decisions: a few megabytes
_LONG: Final = 2000  # characters: what is longer would make the memory large
_SENDERS: Final = 16


class Reference(msgspec.Struct, frozen=True):
    """A link as it stands in a message.

    `text` has its character references resolved; `position` counts the links of a part from 1;
    `encoding` is the Python codec of the page; `visible` is the text that a reader clicks on.
    """

    text: str
    position: int
    choice: Choice = NO_CHOICE
    base: Url | None = None
    encoding: str = "utf-8"
    visible: str = ""


class Decision(msgspec.Struct, frozen=True):
    """What becomes of a link: where it is tracked, its link frame and what that says."""

    reason: Reason
    link: Link = _NOWHERE
    link_frame: bytes = b""

    @property
    def tracked(self) -> bool:
        """Whether the link is to lead to the tracking domain."""
        return self.reason in TRACKED


class Policy:
    """One sender's settings, made ready to decide about many links."""

    def __init__(self, config: Config, tokens: Tokens) -> None:
        self.config = config
        self.tokens = tokens
        self.origin = config.origin.encode()
        self._decided = _decisions(config, tokens)
        self._authority = self.origin[self.origin.index(b"://") :] + b"/"
        self._own = re.compile(
            rb"https?" + re.escape(self._authority) + rb"[acou]/[\w-]+\.([\w-]+)\.[\w-]+"
        )

    def url(self, kind: bytes) -> bytes:
        """Give what stands before a token of `kind` in its URL."""
        return self.origin + b"/" + kind + b"/"

    def own_tokens(self, data: bytes) -> Iterator[re.Match[bytes]]:
        """Find the URLs that are ours already; group 1 is the context frame."""
        return self._own.finditer(data) if self._authority in data else iter(())

    def decide(self, reference: Reference) -> Decision:
        """Decide about one link.

        Decisions are remembered: the links of a campaign are the same in each of its messages, and
        what is the slowest about them, sealing, need not be done again for each recipient.
        """
        if len(reference.text) > _LONG:
            return self._decide(reference)
        decision = self._decided.get(reference)
        if decision is None:
            if len(self._decided) >= _REMEMBERED:
                self._decided.clear()
            decision = self._decided[reference] = self._decide(reference)
        return decision

    def _decide(self, reference: Reference) -> Decision:
        placeholder = find_placeholder(reference.text)
        if reason := self._stays(reference, placeholder):
            return Decision(reason)
        try:
            url = resolve(reference.text, reference.base, reference.encoding)
        except NotFollowed as error:
            return Decision(error.reason)
        if reason := self._unwanted(url, reference.visible):
            return Decision(reason)
        return self._track(url, reference, personalised=placeholder is not None)

    def personalised(self, reference: Reference, values: Mapping[str, str]) -> bytes | None:
        """Give the link frame for one recipient's values, None where they make no good link."""
        filled = structs.replace(reference, text=fill(reference.text, values))
        return self._decide(filled).link_frame or None  # no other recipient's is the same

    def bound(self, context: Context) -> Context:
        """Put the sender's privacy mode into the context: it travels in the token."""
        privacy = self.config.privacy
        return (
            context if context.privacy == privacy else dataclasses.replace(context, privacy=privacy)
        )

    def _stays(self, reference: Reference, placeholder: int | None) -> Reason | None:
        text = reference.text.strip(_TRIMMED)
        if not self.config.clicks:
            return "clicks-off"
        if not text or text[0] == "#":
            return "anchor" if text else "empty"
        if holds_unsubscribe(text):
            return "unsubscribe"
        if not reference.choice.tracked:
            return "opt-out"
        if placeholder is not None and not {"?", "#"} & set(reference.text[:placeholder]):
            return "placeholder"  # it leaves open where the link leads
        return None

    def _unwanted(self, url: Url, visible: str) -> Reason | None:
        config = self.config
        if url.host == config.tracking_domain and self._own.match(str(url).encode()):
            return "own"
        only, excluded = config.only_domains, config.exclude_domains
        if excluded and _is_among(url.host, excluded):
            return "excluded"
        if only and not _is_among(url.host, only):
            return "excluded"
        if config.skip_visible_urls and _VISIBLE_URL.fullmatch(visible.strip()):
            return "visible-url"
        return None

    def _track(self, url: Url, reference: Reference, *, personalised: bool) -> Decision:
        choice = reference.choice
        link = Link(
            str(_with_parameters(url, self.config.utm) if self.config.utm else url),
            reference.position,
            # The placeholders, not what they become, so that all recipients' clicks are counted
            # as one link's (Adobe Campaign, personalised links).
            choice.name or (str(url) if personalised else ""),
            choice.category,
            choice.tags,
        )
        try:
            frame = self.tokens.seal_link(link)
        except FrameTooLarge:
            return Decision("too-long")
        return Decision("personalised" if personalised else "tracked", link, frame)


@lru_cache(_SENDERS)
def _decisions(_config: Config, _tokens: Tokens) -> dict[Reference, Decision]:
    """Give the memory of one sender's settings, which outlives the policy of a single message."""
    return {}


def _is_among(host: str, domains: Sequence[str]) -> bool:
    host = host.removesuffix(".")
    return any(host == domain or host.endswith("." + domain) for domain in domains)


def _with_parameters(url: Url, parameters: Sequence[tuple[str, str]]) -> Url:
    """Add to the query the parameters that it doesn't name yet."""
    query = url.query or ""
    named = {part.partition("=")[0] for part in query.split("&")}
    pairs = [(quote(name, safe=""), quote(value, safe="")) for name, value in parameters]
    added = [f"{name}={value}" for name, value in pairs if name not in named]
    if not added:
        return url
    return structs.replace(url, query="&".join([query, *added] if query else added))
