"""What the tests of this folder are made of: agents, hits, contexts, databases."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from rewriter.tokens import Context, Link, Privacy
from tracker.enrich import Knowledge
from tracker.enrich.client import Clients
from tracker.enrich.company import company_of
from tracker.enrich.networks import Network, Networks, parse_address
from tracker.enrich.place import Places
from tracker.enrich.tables import load_agents, load_crawlers, load_networks
from tracker.enrich.verdict import Judgement, verdict
from tracker.hit import Hit, Kind

SENT = 1_790_000_000  # seconds
SECOND = 1_000_000  # microseconds

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Safari/605.1.15"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
APPLE_MAIL = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
)
GMAIL_PROXY = (
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
)
OUTLOOK = (
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; .NET4.0C; "
    ".NET4.0E; Microsoft Outlook 16.0.17932; ms-office; MSOffice 16)"
)

HOME = "198.51.100.77"
CLIENTS = Clients(load_agents(), load_crawlers())
NETWORKS = Networks(load_networks())


def a_hit(
    kind: Kind = "c",
    *,
    after: float = 3600.0,
    agent: str = CHROME,
    address: str = HOME,
    method: str = "GET",
    link: str = "link",
    headers: dict[str, str] | None = None,
) -> Hit:
    """Return a hit `after` seconds from sending."""
    at = SENT * SECOND + round(after * SECOND)
    return Hit(
        id=at.to_bytes(16, "big"),
        kind=kind,
        at=at,
        domain="t.sender.example",
        token=f"{link}.context.mac",
        method=method,
        address=address,
        user_agent=agent,
        headers=headers or {},
    )


def judged(hit: Hit, *others: Hit, asn: int | None = None, link: Link = Link()) -> Judgement:  # noqa: B008 - frozen
    """Judge a hit as `enrich` does."""
    network: Network | None = NETWORKS.find(parse_address(hit.address), asn)
    return verdict(
        hit,
        company_of(hit, others),
        client=CLIENTS.of(hit.user_agent),
        network=network,
        link=link,
        sent_at=SENT,
    )


def a_context(privacy: Privacy = "full") -> Context:
    """Return the context of a message to Ann."""
    return Context(
        message_id="<m1@sender.example>",
        recipient="Ann@reader.example",
        sending_domain="sender.example",
        sent_at=SENT,
        tags=("spring", "ann@reader.example"),
        variables=(("customer", "4711"),),
        privacy=privacy,
    )


def knowledge(*databases: Path) -> Knowledge:
    """Return what is known beforehand."""
    return Knowledge(CLIENTS, NETWORKS, Places(databases), pseudonym_key=b"k" * 32)


def write_database(
    path: Path, rows: dict[str, Any], *, kind: str = "GeoLite2-City", version: int = 6
) -> Path:
    """Write a MaxMind DB of these networks at the path, as an update would: by renaming."""
    writer = MMDBWriter(version, database_type=kind, ipv4_compatible=version == 6)
    for block, record in rows.items():
        writer.insert_network(IPSet([str(ip_network(block))]), record)
    fresh = path.with_suffix(".new")
    writer.to_db_file(str(fresh))
    return fresh.replace(path)


def city(country: str, region: str | None, name: str, code: str | None = None) -> dict[str, Any]:
    """Return a record as MaxMind and DB-IP write it; the second subdivision is a smaller one."""
    first = {"names": {"en": region}} | ({"iso_code": code} if code else {})
    return {
        "country": {"iso_code": country, "names": {"en": country}},
        "subdivisions": [first, {"iso_code": "XX"}] if region else [],
        "city": {"names": {"en": name}},
        "location": {"time_zone": "America/Chicago"},
    }
