"""What the edge answers, and what it records: the failure policy of every request, free of HTTP.

Both ways into the edge, the Starlette application and the protocol in front of it, come through
here, so that they can't disagree about a token, a hit or a redirect.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple

from rewriter import tokens
from rewriter.tokens import BadToken, Tokens, open_link
from tracker.counters import Counter, Counters
from tracker.domains import TrackingDomain
from tracker.edge import pages
from tracker.edge.domains import Domains
from tracker.edge.language import LANGUAGES, Language, chosen
from tracker.edge.pages import Brand, Page, State
from tracker.hit import MAX_ADDRESS, MAX_USER_AGENT, Hit, HitIds, Kind, encode, kept_headers
from tracker.spool import Spool, SpoolUnavailable

# The smallest GIF that every mail client shows: one transparent pixel, 43 bytes.
PIXEL: Final = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
DESTINATION: Final = re.compile(r"https?://[!-~]+")  # visible ASCII: no white space, no controls
LINKS_REMEMBERED: Final = 4096
RESUBSCRIBE: Final = "resubscribe"  # how a hit says that an unsubscription is taken back
PATIENCE: Final = (
    5.0  # seconds that an unsubscription waits for the disk before it asks to try again
)

HIT_KINDS: Final[Mapping[bytes, Kind]] = {b"o": "o", b"c": "c", b"u": "u"}


class Asked(NamedTuple):
    """What one request brought: header names in lower case, the address as trusted proxies tell it.

    `host` is the Host header, empty unless there is exactly one: two are a forgery (RFC 9112 §3.2).
    `via` says how an unsubscription was posted: "one-click" (RFC 8058) or "page"; "resubscribe"
    where it is taken back.
    """

    method: str
    token: bytes
    host: bytes
    headers: Mapping[bytes, bytes]
    address: str
    via: str = ""

    @property
    def language(self) -> Language:
        """The language that the reader is told things in."""
        return chosen(self.headers.get(b"accept-language", b""))


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: `headers` without those of the connection, `head` the same as on the wire."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    status_line: bytes = field(init=False)
    head: bytes = field(init=False)

    def __post_init__(self) -> None:
        phrase = HTTPStatus(self.status).phrase
        head = b"".join(b"%b: %b\r\n" % header for header in self.headers)
        object.__setattr__(self, "status_line", f"HTTP/1.1 {self.status} {phrase}\r\n".encode())
        object.__setattr__(self, "head", head)


def answer(status: int, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """Return an answer that states its length."""
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Answer(status, (*pairs, (b"content-length", b"%d" % len(body))), body)


def page(status: int, shown: Page, **headers: str) -> Answer:
    """Return a page as an answer."""
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(status, {**shown.headers, **extra}, shown.body)


@cache
def damaged(language: str) -> Answer:
    """Say that a link is damaged, in no sender's look: whoever forged it would get that, too."""
    return page(404, pages.trouble("damaged", LANGUAGES[language]))


@cache
def unfinished(language: str) -> Answer:
    """Say that a form took too long to arrive."""
    return page(408, pages.trouble("later", LANGUAGES[language]), connection="close")


ROBOTS_TXT: Final = answer(
    200,
    {"content-type": "text/plain; charset=utf-8", "cache-control": "max-age=86400"},
    b"User-agent: *\nDisallow: /\n",
)
PIXEL_SERVED: Final = answer(
    200,
    {
        "content-type": "image/gif",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex",
    },
    PIXEL,
)
NOT_FOUND: Final = page(404, pages.NOT_FOUND)
HOME: Final = page(200, pages.TRACKING_DOMAIN_HOME)


@lru_cache(LINKS_REMEMBERED)
def redirect(link_frame: bytes) -> Answer:
    """Return the redirect that a verified link frame asks for; raise BadToken if it leads nowhere.

    A template's links are the same for all recipients, so few frames are ever opened.
    """
    destination = open_link(link_frame).destination
    if not DESTINATION.fullmatch(destination):
        raise BadToken("destination")
    return answer(
        302,
        {
            "location": destination,
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
            "x-robots-tag": "noindex",
        },
    )


class Edge:
    """Everything that one worker answers from."""

    def __init__(
        self,
        domains: Domains,
        spool: Spool,
        counters: Counters,
        clock: Callable[[], int] = time.time_ns,
        registered: Callable[[], Mapping[str, TrackingDomain]] = dict,
    ) -> None:
        """Take what tells the registered domains, too: their themes are asked for page by page."""
        self.spool = spool
        self._registered = registered
        self._domains = domains
        self._cells = counters.cells
        self._clock = clock
        self._ids = HitIds()

    def good(self, kind: bytes, asked: Asked) -> tuple[Answer, bytes] | None:
        """Answer an open or a click whose token verifies; say None, and count nothing, otherwise.

        Returns the answer and the encoded hit that must be on its way to the disk first.
        """
        try:
            domain_tokens, link_frame = self._verified(kind, asked)
            answered = redirect(link_frame) if kind == tokens.CLICK else PIXEL_SERVED
        except BadToken:
            return None
        self._cells[_CLICKED if kind == tokens.CLICK else _OPENED] += 1
        return answered, self._hit(kind, domain_tokens, asked)

    def open(self, asked: Asked) -> tuple[Answer, bytes | None]:
        """Serve the pixel, whatever the token: a reader never sees a broken picture."""
        if good := self.good(tokens.OPEN, asked):
            return good
        self._cells[_BAD_OPEN] += 1
        return (damaged(asked.language.code) if asked.method == "HEAD" else PIXEL_SERVED), None

    def click(self, asked: Asked) -> tuple[Answer, bytes | None]:
        """Redirect even when the spool is down: the reader's link matters more than our count.

        A token that doesn't verify is never redirected: its destination could be anybody's.
        """
        if good := self.good(tokens.CLICK, asked):
            return good
        self._cells[_BAD_CLICK] += 1
        return damaged(asked.language.code), None

    def ask(self, asked: Asked) -> Answer:
        """Ask whether to unsubscribe, and change nothing: scanners follow every link there is."""
        try:
            domain_tokens, link_frame = self._verified(tokens.UNSUBSCRIBE, asked)
            return self._said("ask", domain_tokens, link_frame, asked)
        except BadToken:
            self._cells[_BAD_UNSUBSCRIBE] += 1
            return damaged(asked.language.code)

    async def unsubscribe(self, asked: Asked) -> Answer:
        """Say that it is done only once it is on disk; otherwise ask to try again (RFC 8058).

        The same holds for taking it back, which `asked.via` tells apart.
        """
        back = asked.via == RESUBSCRIBE
        try:
            domain_tokens, link_frame = self._verified(tokens.UNSUBSCRIBE, asked)
            done = self._said("back" if back else "done", domain_tokens, link_frame, asked)
        except BadToken:
            self._cells[_BAD_UNSUBSCRIBE] += 1
            return damaged(asked.language.code)
        record = self._hit(tokens.UNSUBSCRIBE, domain_tokens, asked)
        try:
            await self.spool.durable(record, PATIENCE)
        except SpoolUnavailable:
            shown = pages.trouble(
                "later_back" if back else "later", asked.language, self._brand(domain_tokens.domain)
            )
            return page(503, shown, retry_after="60")
        if not back:
            self._cells[_UNSUBSCRIBED] += 1
        return done

    async def recorded(self, record: bytes) -> None:
        """Return once the hit is on disk, or the spool says that the reader has waited enough."""
        released = asyncio.get_running_loop().create_future()
        self.spool.add(record, lambda: None if released.done() else released.set_result(None))
        await released

    def _said(self, state: State, ours: Tokens, link_frame: bytes, asked: Asked) -> Answer:
        brand = self._brand(ours.domain)
        return page(200, pages.unsubscribing(state, open_link(link_frame), asked.language, brand))

    def _brand(self, domain: str) -> Brand:
        found = self._registered().get(domain)
        if found is None:
            return Brand(domain)
        return Brand(found.theme.sender or found.sending_domain or domain, found.theme)

    def _verified(self, kind: bytes, asked: Asked) -> tuple[Tokens, bytes]:
        domain_tokens = self._domains.tokens(asked.host)
        if domain_tokens is None:
            raise BadToken("domain")
        return domain_tokens, domain_tokens.verify(kind, asked.token)

    def _hit(self, kind: bytes, domain_tokens: Tokens, asked: Asked) -> bytes:
        at = self._clock() // 1000
        user_agent = asked.headers.get(b"user-agent", b"")
        return encode(
            Hit(
                self._ids.next(at),
                HIT_KINDS[kind],
                at,
                domain_tokens.domain,
                asked.token.decode("ascii"),
                asked.method,
                asked.address[:MAX_ADDRESS],
                user_agent[:MAX_USER_AGENT].decode("latin-1"),
                kept_headers(asked.headers),
                asked.via,
            )
        )


# Plain integers: an enum member costs an attribute look-up on the hot path.
_OPENED: Final = int(Counter.OPENED)
_CLICKED: Final = int(Counter.CLICKED)
_UNSUBSCRIBED: Final = int(Counter.UNSUBSCRIBED)
_BAD_OPEN: Final = int(Counter.BAD_OPEN)
_BAD_CLICK: Final = int(Counter.BAD_CLICK)
_BAD_UNSUBSCRIBE: Final = int(Counter.BAD_UNSUBSCRIBE)
