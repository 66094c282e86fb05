"""The verdict: a person, a proxy or a machine, and why.

In: one hit with what was found out about it, and in what company it was. Out: a judgement with its
reason and evidence. Pure: the same facts give the same judgement, so an event is judged again by
asking again once its company is known better.

Promise: no rule takes for a machine what a person who reads mail is known to send. Where a doubt is
left, it is a person.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from rewriter.tokens import Link
from tracker.enrich.client import Client
from tracker.enrich.company import BURST_LINKS, BURST_WITHIN, SECOND, Company, hides
from tracker.enrich.networks import Network
from tracker.hit import Hit

# Gateways scan at delivery, 31 % later than a minute after it; people browse through them for ever.
NEAR_DELIVERY: Final = 600 * SECOND
# How far a sender's clock may be ahead of ours before what looks impossible is called a machine's.
# A token is made when its message is, so that an earlier hit mostly tells of a clock. A minute is
# what readers of signed tokens commonly allow; machines that are so quick mostly give themselves
# away otherwise, and a person must not be called one.
CLOCK_AHEAD: Final = 60 * SECOND

# Fetch Metadata (W3C) and the headers that browsers sent before it.
PREFETCH_HEADERS: Final = {
    "sec-purpose": ("prefetch", "prerender", "preview"),
    "purpose": ("prefetch", "prerender", "preview"),
    "x-moz": ("prefetch",),
    "x-purpose": ("prefetch", "preview"),
}


# Structs, as hits are: to make a frozen dataclass takes longer than to ask a rule.
class Judgement(msgspec.Struct, frozen=True, gc=False):
    """Who was there. `bot` is Mailgun's word; a reason is "name: evidence".

    `revision` is above 0 where company decided: then it overrules what was said without it.
    """

    kind: Literal["person", "proxy", "machine"]
    bot: Literal["", "apple", "gmail", "generic"]
    reasons: tuple[str, ...]
    revision: int = 0


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What a judge looks at. `sent_at` is in seconds since the epoch, 0 where it isn't known."""

    hit: Hit
    client: Client
    network: Network | None
    link: Link
    sent_at: int
    company: Company

    @property
    def is_open(self) -> bool:
        """Opens are fetched by whatever shows the mail; clicks by whatever follows a link."""
        return self.hit.kind == "o"

    @property
    def after_sending(self) -> int | None:
        """Microseconds from sending to the hit."""
        return self.hit.at - self.sent_at * SECOND if self.sent_at else None

    def from_network(self, means: str) -> Network | None:
        """Return the network if that is what it means."""
        return self.network if self.network and self.network.means == means else None


Rule = Callable[[Facts], Judgement | None]


def verdict(
    hit: Hit,
    company: Company = Company.ALONE,
    *,
    client: Client,
    network: Network | None = None,
    link: Link = Link(),  # noqa: B008 - frozen
    sent_at: int = 0,
) -> Judgement:
    """Judge a hit by itself and the company it was in (`company_of`)."""
    facts = Facts(hit, client, network, link, sent_at, company)
    for rule in RULES:
        if (judgement := rule(facts)) is not None:
            return judgement
    return NOTHING_TELLS


def _person(reason: str) -> Judgement:
    return Judgement("person", "", (reason,))


def _proxy(reason: str, bot: Literal["", "apple"] = "") -> Judgement:
    return Judgement("proxy", bot, (reason,))


def _machine(reason: str, bot: Literal["gmail", "generic"] = "generic") -> Judgement:
    return Judgement("machine", bot, (reason,))


def _posted(facts: Facts) -> Judgement | None:
    # RFC 8058 §1: unsubscribing takes a POST just because scanners follow links and don't post. The
    # mailbox provider's server sends it, with any agent or none, when the reader asks it to.
    if facts.hit.kind == "u" and facts.hit.method == "POST":
        return _person("posted: an unsubscription takes a POST")
    return None


def _nameless(facts: Facts) -> Judgement | None:
    return (
        None if facts.hit.user_agent.strip() else _machine("no-user-agent: the header is missing")
    )


def _prefetch(facts: Facts) -> Judgement | None:
    for header in PREFETCH_HEADERS.keys() & facts.hit.headers.keys():
        value = facts.hit.headers[header].lower()
        for word in PREFETCH_HEADERS[header]:
            if word in value:
                return _machine(f"prefetch-header: {header} says {word}")
    return None


def _role(facts: Facts) -> Judgement | None:
    client = facts.client
    if client.role == "probe":
        return _machine(f"probe: {client.name}")
    if client.role == "prefetch":
        return _machine(f"prefetch: {client.name}", "gmail" if client.bot == "gmail" else "generic")
    if client.role == "proxy":
        return _proxy(f"image-proxy: {client.name}")
    return None


def _method(facts: Facts) -> Judgement | None:
    return None if facts.hit.method == "GET" else _machine(f"method: {facts.hit.method}")


def _bare(facts: Facts) -> Judgement | None:
    if facts.hit.user_agent.strip() != "Mozilla/5.0":
        return None
    if facts.is_open and (apple := facts.from_network("apple-egress")):
        return _proxy(f"apple-mail-privacy: {apple.evidence}", "apple")
    return _machine("bare-user-agent: Mozilla/5.0")


def _robot(facts: Facts) -> Judgement | None:
    client = facts.client
    if client.role in ("robot", "library") or (client.role == "embedded" and not facts.is_open):
        return _machine(f"{client.role}: {client.name}")
    return None


def _hidden(facts: Facts) -> Judgement | None:
    if facts.hit.kind == "c" and hides(facts.link, facts.hit.domain):
        return _machine("hidden-link: no person sees it")
    return None


def _early(facts: Facts) -> Judgement | None:
    if facts.after_sending is None or facts.after_sending >= -CLOCK_AHEAD:
        return None
    return _machine(f"before-sending: {-facts.after_sending / SECOND:.1f} s")


def _gateway(facts: Facts) -> Judgement | None:
    network = facts.from_network("certain")
    return _machine(f"network: {network.name} {network.evidence}") if network else None


def _gateway_near_delivery(facts: Facts) -> Judgement | None:
    network = facts.from_network("near-delivery")
    if network is None or facts.after_sending is None or facts.after_sending > NEAR_DELIVERY:
        return None
    after = facts.after_sending // SECOND
    return _machine(f"network: {network.name} {network.evidence}, {after} s after sending")


def _in_company(facts: Facts) -> Judgement | None:
    # Evidence that doesn't grow with further clicks: a revision says the same whenever it is made.
    seconds = BURST_WITHIN / SECOND
    match facts.company:
        case Company.HIDDEN:
            reason = f"beside-hidden-link: within {seconds} s of the link that no person sees"
        case Company.BURST:
            reason = f"burst: {BURST_LINKS} links or more within {seconds} s"
        case _:
            return None
    return Judgement("machine", "generic", (reason,), revision=int(facts.company))


def _behind_apple(facts: Facts) -> Judgement | None:
    network = facts.from_network("apple-egress")
    # Apple Mail shows itself as the bare engine; a browser's page adds its own name.
    bare = "AppleWebKit" in facts.hit.user_agent and "Safari/" not in facts.hit.user_agent
    return (
        _proxy(f"apple-relay: {network.evidence}") if network and facts.is_open and bare else None
    )


def _rendered(facts: Facts) -> Judgement | None:
    network = facts.from_network("renders")
    if network is None or not facts.is_open:
        return None
    return _proxy(f"image-proxy: {network.name} {network.evidence}")


NOTHING_TELLS: Final = _person("no-sign: nothing tells of a machine")

# The first that answers decides. The order was found on labelled traffic: what a request says of
# itself goes before where it comes from, and that before when it came.
RULES: Final[tuple[Rule, ...]] = (
    _posted,
    _nameless,
    _prefetch,
    _role,
    _method,
    _bare,
    _robot,
    _hidden,
    _early,
    _gateway,
    _gateway_near_delivery,
    _in_company,
    _behind_apple,
    _rendered,
)
