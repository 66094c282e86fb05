"""Client-info: what a User-Agent says of itself, in Mailgun's vocabulary.

In: the header as it came, which may say anything. Out: a `Client`; what is not known is "unknown".
The ordered table of agents speaks first, then the list of crawlers, then the `user-agents` library.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import ua_parser
from ua_parser.core import Matcher
from ua_parser.lazy import UserAgentMatcher

from tracker.enrich.parsed import Parsed
from tracker.enrich.tables import (
    AgentRule,
    Agents,
    ClientType,
    Crawler,
    Device,
    Role,
    RulesError,
)

CACHED: Final = 20_000  # agents; a few hundred bytes each

TYPES: Final[dict[Role, ClientType]] = {
    "mail": "email client",
    "browser": "browser",
    "proxy": "email client",
    "prefetch": "robot",
    "probe": "robot",
    "robot": "robot",
    "embedded": "library",
    "library": "library",
}

# Agents that the parser names but that show no pages; nor does what fetches through CFNetwork.
PLAYERS: Final = frozenset(
    (
        "Amarok",
        "AppleCoreMedia",
        "QuickTime",
        "Stagefright",
        "VLC",
        "WMPlayer",
        "iTunes",
    )
)


# Every browser has said Mozilla since 1994, but for Opera's old ones and a few on phones and sets.
BROWSER_WORDS: Final = re.compile(r"(?i)^Mozilla/|browser|mosaic|^opera/|^docomo/|^kddi-")
# Half of what Apple's Mail Privacy Protection is known by: it says nothing of anybody.
BARE: Final = re.compile(r"Mozilla/[\d.]+\s*")


@dataclass(frozen=True, slots=True)
class Client:
    """What an agent is. `role` says what the rules know of it; `bot` is Mailgun's word for it."""

    type: ClientType = "unknown"
    os: str = "unknown"
    device: Device = "unknown"
    name: str = "unknown"
    role: Role | None = None
    bot: str = ""


class Clients:
    """Knows agents by their User-Agent; the same agent is read once."""

    def __init__(self, table: Agents, crawlers: Sequence[Crawler]) -> None:
        """Raise RulesError for a pattern that the matcher can't take."""
        self._rules = (
            *table.agents,
            *_crawlers(crawlers, frozenset(table.crawlers_except)),
            *table.robots,
        )
        # ua-parser matches a thousand patterns in one pass and answers with the number of the row.
        # Its matchers are the lazy ones: the others compile each pattern for Python too, in 0.2 s.
        rows: list[Matcher[ua_parser.UserAgent]] = [
            UserAgentMatcher(rule.match, str(row)) for row, rule in enumerate(self._rules)
        ]
        try:
            self._find = ua_parser.BestAvailableResolver((rows, [], []))
        except ValueError as error:
            raise RulesError(f"a pattern of an agent or a crawler isn't valid: {error}") from error
        ua_parser.parse(
            ""
        )  # the library builds its own now: half a second the first hit would wait
        self._cached = lru_cache(CACHED)(self._read)

    def of(self, agent: str) -> Client:
        """Return what a User-Agent says of itself."""
        return self._cached(agent)

    def _read(self, agent: str) -> Client:
        if not agent.strip():
            return Client()
        parsed = Parsed(agent)
        found = self._find(agent, ua_parser.Domain.USER_AGENT).user_agent
        return _generic(parsed) if found is None else _named(self._rules[int(found.family)], parsed)


def _generic(parsed: Parsed) -> Client:
    """Return the client as the library alone knows it."""
    known = Client("unknown", parsed.system, parsed.kind_of_device, parsed.name)
    if parsed.is_bot:
        return replace(known, type="robot", name=parsed.product, role="robot")
    if known.name == "unknown" and known.device == "unknown":
        return _stranger(parsed, known)
    if known.name in PLAYERS or "CFNetwork/" in parsed.ua_string or not _browses(parsed):
        return replace(known, type="other", name=parsed.product)
    if parsed.is_email_client and parsed.browser.family != "Apple Mail":
        return replace(known, type="email client", role="mail")
    on_the_move = known.device in ("mobile", "tablet")
    return replace(known, type="mobile browser" if on_the_move else "browser")


def _browses(parsed: Parsed) -> bool:
    """Tell whether the parser knows the browser, or it says what they say."""
    return parsed.name != "unknown" or BROWSER_WORDS.search(parsed.ua_string) is not None


def _stranger(parsed: Parsed, known: Client) -> Client:
    """Return what nobody knows: no browser if it says none of what they say."""
    if BARE.fullmatch(parsed.ua_string):
        return known
    if BROWSER_WORDS.search(parsed.ua_string):
        return replace(known, type="browser")
    return replace(known, type="robot", name=parsed.product, role="embedded")


def _named(rule: AgentRule, parsed: Parsed) -> Client:
    """Return the client that a rule names; its system and device are for agents that tell none."""
    kind = rule.type or TYPES[rule.role]
    if rule.role in ("proxy", "prefetch"):
        # The system and device it pretends to have are no reader's.
        return Client(kind, name=rule.name, role=rule.role, bot=rule.bot)
    system, device = parsed.system, parsed.kind_of_device
    return Client(
        type=kind,
        os=rule.os if rule.os and system == "unknown" else system,
        device=rule.device if device == "unknown" else device,
        # An old phone's product is the phone.
        name=rule.name or (parsed.name if kind == "mobile browser" else parsed.product),
        role=rule.role,
        bot=rule.bot,
    )


def _crawlers(crawlers: Sequence[Crawler], excepted: frozenset[str]) -> Iterator[AgentRule]:
    """Read the crawler list as agent rules; it has no names, so the parser gives them."""
    for crawler in crawlers:
        if crawler.pattern not in excepted:
            role: Role = "library" if "http-library" in crawler.tags else "robot"
            yield AgentRule(match=crawler.pattern, name="", role=role)
