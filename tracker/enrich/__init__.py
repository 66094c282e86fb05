"""Enrich and judge: from a hit and the context of its token to the event that the world sees.

In: a `Hit`, its `Context` and `Link`, and the company it was in. Out: an `Event`, or None where
nothing may be recorded. Pure, but for what `Knowledge` looks up in files that were opened before.
"""

import dataclasses
import logging
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import UNSET

from rewriter.tokens import Context, Link
from tracker.enrich.client import Client, Clients
from tracker.enrich.company import Company
from tracker.enrich.networks import Network, Networks, parse_address
from tracker.enrich.place import UNKNOWN, PlaceError, Places
from tracker.enrich.privacy import kept, network_of, pseudonym
from tracker.enrich.tables import Address, RulesError, load_agents, load_crawlers, load_networks
from tracker.enrich.verdict import Judgement
from tracker.enrich.verdict import verdict as judge
from tracker.event import (
    ClientInfo,
    Domain,
    Event,
    Geolocation,
    Kind,
    LinkInfo,
    Message,
    Verdict,
)
from tracker.hit import Hit

__all__ = [
    "Knowledge",
    "PlaceError",
    "RulesError",
    "enrich",
    "pseudonym",
]

logger = logging.getLogger(__name__)

EVENTS: Final[dict[str, Kind]] = {"o": "opened", "c": "clicked", "u": "unsubscribed"}
RESUBSCRIBE: Final = "resubscribe"  # how a hit says that an unsubscription is taken back

# Mail Privacy Protection says only "Mozilla/5.0"; its network tells that it is Apple's mail app.
APPLE_MAIL: Final = Client("email client", name="Apple Mail")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known beforehand: agents, networks, places, and the key that makes pseudonyms."""

    clients: Clients
    networks: Networks
    places: Places
    pseudonym_key: bytes

    @classmethod
    def load(
        cls,
        *,
        pseudonym_key: bytes,
        databases: Sequence[Path] = (),
        fetched: Path | None = None,
        rules: Path | None = None,
    ) -> "Knowledge":
        """Open the databases and the rule tables; a table in the `rules` folder replaces ours.

        `fetched` is a database that may be there or come later. Raises PlaceError and RulesError.
        Warns once if there is no database to find places in.
        """
        places = Places(databases, fetched)
        if not places.databases:
            logger.warning("places_unknown", extra={"reason": "no City database is configured"})
        return cls(
            Clients(load_agents(rules), load_crawlers(rules)),
            Networks(load_networks(rules)),
            places,
            pseudonym_key,
        )

    def with_rules(self, rules: Path | None) -> "Knowledge":
        """Return the same with the rules of now. Raises RulesError."""
        clients = Clients(load_agents(rules), load_crawlers(rules))
        return dataclasses.replace(self, clients=clients, networks=Networks(load_networks(rules)))


def enrich(
    hit: Hit,
    context: Context,
    link: Link,
    knowledge: Knowledge,
    company: Company = Company.ALONE,
) -> Event | None:
    """Return the event that a hit is, as the message's privacy mode allows it to be told.

    Its revision is above 0 where its company decided what it is. None is returned where privacy is
    "off", and for an unsubscription that was not posted: a scanner's HEAD must not unsubscribe
    anybody. Raises PlaceError if a database is damaged.
    """
    if hit.kind == "u" and hit.method != "POST":
        return None
    address = parse_address(hit.address)
    network = knowledge.networks.find(address, knowledge.places.asn(address))
    client = knowledge.clients.of(hit.user_agent)
    judgement = judge(
        hit, company, client=client, network=network, link=link, sent_at=context.sent_at
    )
    # In every mode but full, the place too is that of the network.
    ip = hit.address
    if context.privacy != "full":
        ip = network_of(hit.address)
        address = parse_address(ip)
    event = Event(
        event="resubscribed" if hit.via == RESUBSCRIBE else EVENTS[hit.kind],
        id=urlsafe_b64encode(hit.id).rstrip(b"=").decode(),
        timestamp=hit.at / 1_000_000,
        domain=Domain(name=context.sending_domain),
        recipient=context.recipient,
        recipient_domain=context.recipient.rpartition("@")[2].lower(),
        tags=list(context.tags),
        user_variables=dict(context.variables),
        ip=ip,
        geolocation=_place(knowledge.places, address, network, judgement),
        client_info=_client_info(hit, client, judgement),
        message=Message(headers={"message-id": context.message_id.strip("<>")}),
        url=link.destination if hit.kind == "c" else UNSET,
        link=UNSET if hit.kind == "o" else _link_info(link),
        verdict=Verdict(kind=judgement.kind, reasons=list(judgement.reasons)),
        revision=judgement.revision,
    )
    return kept(event, context.privacy, knowledge.pseudonym_key)


def _place(
    places: Places, address: Address | None, network: Network | None, judgement: Judgement
) -> Geolocation:
    """Return where the reader is; a proxy stands elsewhere, Apple's in the same country."""
    if network is not None and network.means == "apple-egress":
        return Geolocation(country=places.place(address).country)
    if judgement.kind == "proxy":
        return UNKNOWN
    return places.place(address)


def _client_info(hit: Hit, client: Client, judgement: Judgement) -> ClientInfo:
    shown = APPLE_MAIL if judgement.bot == "apple" else client
    return ClientInfo(
        client_type=shown.type,
        client_os=shown.os,
        device_type=shown.device,
        client_name=shown.name,
        user_agent=hit.user_agent,
        bot=judgement.bot,
        accept_language=hit.headers.get("accept-language", ""),
    )


def _link_info(link: Link) -> LinkInfo:
    return LinkInfo(
        position=link.position, name=link.name, category=link.category, tags=dict(link.tags)
    )
