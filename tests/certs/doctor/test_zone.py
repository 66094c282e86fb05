"""The zone line, as each provider wants it."""

import asyncio

import msgspec
import pytest

from certs.doctor.zone import PROVIDERS, Found, find, hosted, lines
from certs.lookup import resolvers
from tests.certs.doctor.world import EDGE, NAME
from tests.servers import dns

SOA = "ns.example.com. host.example.com. 1 2 3 4 5"


def found(resolver: dns.Resolver, name: str) -> Found | None:
    return asyncio.run(find(name, resolvers([resolver.address])))


EXPECTED = {
    "bind": "click.mail.example.com. 300 IN CNAME edge.tracking.net.",
    "cloudflare": "Type CNAME   Name click.mail   Target edge.tracking.net   Proxy status DNS only"
    "   TTL Auto",
    "google": "gcloud dns record-sets create click.mail.example.com. --zone=ZONE --type=CNAME"
    " --ttl=300 --rrdatas=edge.tracking.net.",
    "azure": "az network dns record-set cname set-record --resource-group GROUP --zone-name"
    " example.com --record-set-name click.mail --cname edge.tracking.net --ttl 300",
    "ovh": "click.mail 300 IN CNAME edge.tracking.net.",
    "hetzner": "Type CNAME   Name click.mail   Value edge.tracking.net.   TTL 300",
}


@pytest.mark.parametrize("provider", EXPECTED)
def test_names_are_relative_to_the_zone_where_the_provider_wants_them_so(provider: str) -> None:
    written = {each.provider: each for each in lines("click.mail.example.com", "example.com", EDGE)}
    assert written[provider].paste == EXPECTED[provider]


def test_the_change_for_route_53_is_json_that_its_command_takes() -> None:
    (line,) = [each for each in lines(NAME, "example.com", EDGE) if each.provider == "route53"]
    assert msgspec.json.decode(line.paste)["Changes"][0]["ResourceRecordSet"] == {
        "Name": f"{NAME}.",
        "Type": "CNAME",
        "TTL": 300,
        "ResourceRecords": [{"Value": f"{EDGE}."}],
    }


def test_every_provider_has_a_form_that_names_the_edge() -> None:
    written = lines(NAME, "example.com", EDGE)
    assert [each.provider for each in written] == [each.key for each in PROVIDERS]
    assert all(EDGE in each.paste for each in written)


@pytest.mark.parametrize(
    ("server", "provider"),
    [
        ("bob.ns.cloudflare.com", "cloudflare"),
        ("ns-12.awsdns-34.co.uk", "route53"),
        ("ns-cloud-a1.googledomains.com", "google"),
        ("ns1-05.azure-dns.com", "azure"),
        ("dns101.ovh.net", "ovh"),
        ("hydrogen.ns.hetzner.com", "hetzner"),
        ("ns1.example.com", ""),
        ("cloudflare.com.example.org", ""),
    ],
)
def test_a_provider_is_known_by_its_name_servers(server: str, provider: str) -> None:
    assert hosted([server]) == provider


def test_the_zone_is_the_nearest_cut_in_dns(zone: dns.Zone, resolver: dns.Resolver) -> None:
    zone.add("example.com", "SOA", SOA)
    zone.add("mail.example.com", "SOA", SOA)
    zone.add("mail.example.com", "NS", "bob.ns.cloudflare.com.")
    expected = Found("mail.example.com", ("bob.ns.cloudflare.com",))
    assert found(resolver, "click.mail.example.com") == expected


def test_what_a_cname_leads_to_is_not_the_names_zone(
    zone: dns.Zone, resolver: dns.Resolver
) -> None:
    zone.add("example.com", "SOA", SOA)
    zone.add("tracking.net", "SOA", SOA)
    zone.add(NAME, "CNAME", "tracking.net.")
    assert found(resolver, NAME) == Found("example.com")


def test_a_domain_that_isnt_registered_has_no_zone(zone: dns.Zone, resolver: dns.Resolver) -> None:
    assert found(resolver, NAME) is None
