"""The zone line that leads a name to the edge, as each DNS provider wants it typed.

In: a name, the zone that it stands in, the edge's host. Out: text to paste. Which zone that is,
DNS itself tells (RFC 2308 §3), so that no list of public suffixes is needed: `example.co.uk` may
hold `mail.example.co.uk` as a zone of its own or not, and the record belongs where the cut is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from certs.lookup import Resolver, ask, text

TTL: Final = 300


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider: its names, how its name servers are called, and the form that it takes.

    `{host}` has no final dot, `{relative}` is the name without its zone. `note` says where to
    paste, and what else to mind.
    """

    key: str
    title: str
    form: str
    note: str = ""
    servers: tuple[str, ...] = ()


PROVIDERS: Final = (
    Provider(
        "bind", "BIND, Knot, NSD, PowerDNS: the zone's file", "{name}. {ttl} IN CNAME {host}."
    ),
    Provider(
        "cloudflare",
        "Cloudflare: DNS, Records, Add record",
        "Type CNAME   Name {relative}   Target {host}   Proxy status DNS only   TTL Auto",
        "'DNS only' is the grey cloud: the orange one puts Cloudflare's proxy in front.",
        (".ns.cloudflare.com",),
    ),
    Provider(
        "route53",
        "Amazon Route 53: aws route53 change-resource-record-sets --hosted-zone-id ID"
        " --change-batch file://change.json",
        '{{"Changes": [{{"Action": "UPSERT", "ResourceRecordSet": {{"Name": "{name}.",'
        ' "Type": "CNAME", "TTL": {ttl}, "ResourceRecords": [{{"Value": "{host}."}}]}}}}]}}',
        "ID is the hosted zone's, of {zone}; the line is change.json.",
        (".awsdns-",),
    ),
    Provider(
        "google",
        "Google Cloud DNS",
        "gcloud dns record-sets create {name}. --zone=ZONE --type=CNAME --ttl={ttl}"
        " --rrdatas={host}.",
        "ZONE is the managed zone's name in Google Cloud, of {zone}.",
        (".googledomains.com",),
    ),
    Provider(
        "azure",
        "Azure DNS",
        "az network dns record-set cname set-record --resource-group GROUP --zone-name {zone}"
        " --record-set-name {relative} --cname {host} --ttl {ttl}",
        "GROUP is the resource group of the zone.",
        (".azure-dns.",),
    ),
    Provider(
        "ovh",
        "OVHcloud: DNS zone, Change in text format",
        "{relative} {ttl} IN CNAME {host}.",
        servers=(".ovh.net", ".ovh.ca", ".anycast.me"),
    ),
    Provider(
        "hetzner",
        "Hetzner: DNS, Add record",
        "Type CNAME   Name {relative}   Value {host}.   TTL {ttl}",
        "Without the final dot the zone's name is added to the value.",
        (".ns.hetzner.com", ".ns.hetzner.de", ".second-ns.com", ".second-ns.de"),
    ),
    Provider(
        "digitalocean",
        "DigitalOcean",
        "doctl compute domain records create {zone} --record-type CNAME --record-name {relative}"
        " --record-data {host}. --record-ttl {ttl}",
        servers=(".digitalocean.com",),
    ),
    Provider(
        "gandi",
        "Gandi: DNS Records, Edit as text",
        "{relative} {ttl} IN CNAME {host}.",
        servers=(".gandi.net",),
    ),
    Provider(
        "namecheap",
        "Namecheap: Advanced DNS, Add new record",
        "Type CNAME Record   Host {relative}   Value {host}.   TTL 5 min",
        servers=(".registrar-servers.com",),
    ),
    Provider(
        "godaddy",
        "GoDaddy: DNS, Add new record",
        "Type CNAME   Name {relative}   Value {host}   TTL 1/2 Hour",
        servers=(".domaincontrol.com",),
    ),
    Provider(
        "other",
        "Any other provider's form",
        "Type CNAME   Name {relative}   Value {host}   TTL {ttl}",
        "Where the form wants whole names, the name is {name}.",
    ),
)


@dataclass(frozen=True, slots=True)
class Line:
    """What to paste at one provider."""

    provider: str
    title: str
    paste: str
    note: str = ""


def lines(name: str, zone: str, host: str) -> list[Line]:
    """Write the record for every provider; the name must lie within the zone, not be it."""
    fields = {
        "name": name,
        "zone": zone,
        "host": host,
        "relative": name.removesuffix(f".{zone}"),
        "ttl": str(TTL),
    }
    return [
        Line(each.key, each.title, each.form.format_map(fields), each.note.format_map(fields))
        for each in PROVIDERS
    ]


def hosted(servers: Sequence[str]) -> str:
    """Tell which provider's name servers these are; "" if none that is known."""
    for provider in PROVIDERS:
        if any(suffix in f".{server}" for suffix in provider.servers for server in servers):
            return provider.key
    return ""


@dataclass(frozen=True, slots=True)
class Found:
    """The zone that a name stands in, and its name servers."""

    zone: str
    servers: tuple[str, ...] = ()


async def find(name: str, among: Sequence[Resolver]) -> Found | None:
    """Find the zone of a name by asking for its start upward; None where DNS doesn't tell.

    A name alone at the top, such as `com`, counts as none: its registration is missing.
    """
    climbing = name
    while "." in climbing:
        reply = await ask(climbing, "SOA", among)
        start = reply.owner if reply.status == "found" else reply.zone
        # Behind a CNAME, it is the start of another zone that is found.
        if "." in start and f".{name}".endswith(f".{start}"):
            servers = await ask(start, "NS", among)
            return Found(start, tuple(text(record.target) for record in servers.records))
        climbing = climbing.partition(".")[2]
    return None
