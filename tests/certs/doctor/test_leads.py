"""Where a name leads: each way in which its records can be wrong has a code of its own."""

import asyncio
from itertools import pairwise

import pytest

from certs.doctor import Finding, check, cname
from tests.certs.doctor.world import EDGE, NAME, ONE, THREE, TWO, World, codes
from tests.servers import dns

Records = tuple[tuple[str, str, str], ...]
EDGES: Records = ((EDGE, "A", ONE), (EDGE, "A", TWO))
CLOUDFLARE = "104.16.0.7"


def looked(world: World, name: str = NAME, **changes: object) -> list[Finding]:
    return asyncio.run(cname(name, world.expected(**changes)))


CASES: dict[str, tuple[Records, list[str]]] = {
    "a CNAME to the edge": (((NAME, "CNAME", f"{EDGE}."), *EDGES), ["cname.ok"]),
    "a CNAME through another": (
        ((NAME, "CNAME", "mail.example.com."), ("mail.example.com", "CNAME", f"{EDGE}."), *EDGES),
        ["cname.ok"],
    ),
    "a CNAME in other case": (((NAME, "CNAME", f"{EDGE.upper()}."), *EDGES), ["cname.ok"]),
    "nothing": (EDGES, ["cname.missing"]),
    "a name with a TXT record only": (((NAME, "TXT", '"hello"'), *EDGES), ["cname.missing"]),
    "addresses of its own": (((NAME, "A", THREE), *EDGES), ["cname.missing"]),
    "a CNAME elsewhere": (
        ((NAME, "CNAME", "shop.example.org."), ("shop.example.org", "A", THREE), *EDGES),
        ["cname.elsewhere"],
    ),
    "a CNAME to nothing": (
        ((NAME, "CNAME", "gone.example.org."), *EDGES),
        ["cname.dangling"],
    ),
    "CNAMEs in a circle": (
        ((NAME, "CNAME", "b.example.com."), ("b.example.com", "CNAME", f"{NAME}."), *EDGES),
        ["cname.loop"],
    ),
    "the edge's addresses without a CNAME": (
        ((NAME, "A", ONE), (NAME, "A", TWO), *EDGES),
        ["cname.flattened"],
    ),
    "a CNAME to another name of the edge": (
        ((NAME, "CNAME", "alias.example.org."), ("alias.example.org", "A", ONE), *EDGES),
        ["cname.flattened"],
    ),
    "one address that isn't ours": (
        ((NAME, "A", ONE), (NAME, "A", THREE), *EDGES),
        ["cname.flattened", "address.elsewhere"],
    ),
    "an IPv6 address that isn't ours": (
        ((NAME, "A", ONE), (NAME, "AAAA", "2606:4000::7"), *EDGES),
        ["cname.flattened", "address.ipv6-elsewhere"],
    ),
    "a CDN's proxy": (((NAME, "A", CLOUDFLARE), *EDGES), ["cdn.proxied"]),
    "an edge without an address": (((NAME, "CNAME", f"{EDGE}."),), ["edge.unresolved"]),
}


@pytest.mark.parametrize("case", CASES)
def test_each_way_to_lead_to_the_edge_or_not_has_its_code(world: World, case: str) -> None:
    records, expected = CASES[case]
    for record in records:
        world.zone.add(*record)
    assert codes(looked(world)) == expected


def test_a_chain_is_told_hop_by_hop_with_its_time_to_live(world: World) -> None:
    world.zone.add(NAME, "CNAME", "mail.example.com.", ttl=3600)
    world.zone.add("mail.example.com", "CNAME", f"{EDGE}.")
    world.zone.add(EDGE, "A", ONE)
    (found,) = looked(world)
    assert found.says == f"{NAME} -> mail.example.com -> {EDGE} (TTL 3600 s)"


def test_a_long_chain_works_and_is_advised_against(world: World) -> None:
    hops = [NAME, *(f"hop{count}.example.com" for count in range(5)), EDGE]
    for owner, target in pairwise(hops):
        world.zone.add(owner, "CNAME", f"{target}.")
    world.zone.add(EDGE, "A", ONE)
    assert codes(looked(world)) == ["cname.ok", "cname.long"]


def test_a_chain_without_end_is_not_followed_to_its_end(world: World) -> None:
    for count in range(40):
        world.zone.add(f"hop{count}.example.com", "CNAME", f"hop{count + 1}.example.com.")
    world.zone.add(EDGE, "A", ONE)
    assert codes(looked(world, "hop0.example.com")) == ["cname.loop"]
    assert world.zone.asked("hop20.example.com") == 0


def test_a_missing_record_comes_with_the_line_to_paste_and_the_time_to_wait(world: World) -> None:
    world.zone.add(EDGE, "A", ONE)
    (found,) = looked(world)
    assert found.paste == f"{NAME}. 300 IN CNAME {EDGE}."
    assert "60 s" in found.fix


def test_at_the_apex_of_a_zone_no_cname_is_advised(world: World) -> None:
    world.zone.add(EDGE, "A", ONE)
    world.zone.add("example.com", "SOA", "ns.example.com. host.example.com. 1 2 3 4 5")
    world.zone.add("example.com", "A", THREE)
    (found,) = looked(world, "example.com")
    assert (found.code, found.paste) == ("cname.missing", "")
    assert "ALIAS" in found.fix


def test_the_edges_own_host_needs_no_cname(world: World) -> None:
    world.zone.add(EDGE, "A", ONE)
    assert codes(looked(world, EDGE)) == ["cname.itself"]


def test_addresses_that_are_set_count_and_not_those_that_the_edges_host_has(world: World) -> None:
    world.point(ONE, THREE)
    found = looked(world, addresses=(ONE,))
    assert codes(found) == ["cname.ok", "address.elsewhere"]
    assert "dns.edge_addresses" in found[1].fix


def test_an_edge_with_other_addresses_each_time_is_known_by_its_name(world: World) -> None:
    class Geographic(dns.Zone):
        """Gives another address to each question."""

        def answer(self, query: bytes, room: int) -> bytes | None:
            self.set(EDGE, "A", f"127.0.2.{1 + self.asked(EDGE) + self.asked(NAME)}")
            return super().answer(query, room)

    everywhere = Geographic()
    everywhere.add(NAME, "CNAME", f"{EDGE}.")
    with dns.serving(everywhere) as resolver:
        assert codes(looked(world, resolvers=(resolver.address,))) == ["cname.ok"]


def test_without_a_host_or_an_address_of_the_edge_nothing_can_be_told(world: World) -> None:
    (found,) = looked(world, edge_host="")
    assert found.code == "edge.unset"
    assert "dns.edge_host" in found.fix


def test_where_tls_ends_elsewhere_other_addresses_are_as_they_should_be(world: World) -> None:
    world.zone.add(EDGE, "A", ONE)
    world.zone.add(NAME, "A", CLOUDFLARE)
    assert codes(looked(world, external=True)) == ["cdn.expected"]


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "127.0.0.1"])
def test_a_name_that_leads_into_a_private_network_is_told(world: World, address: str) -> None:
    world.point(address)
    found = looked(world, allow_private=False)
    assert codes(found) == ["cname.ok", "address.private"]


@pytest.mark.parametrize(
    ("failure", "code"), [("SERVFAIL", "dns.failed"), ("REFUSED", "dns.failed")]
)
@pytest.mark.parametrize("kind", ["A", "AAAA", ""])
def test_name_servers_that_fail_are_told_from_a_name_that_is_missing(
    world: World, failure: dns.Failure, code: str, kind: str
) -> None:
    world.point(ONE)
    world.zone.fail(NAME, failure, kind)
    assert codes(looked(world)) == [code]


def test_a_wildcard_that_leads_where_the_name_does_hides_a_missing_record(world: World) -> None:
    world.zone.add(EDGE, "A", ONE)
    world.zone.add("*.example.com", "CNAME", f"{EDGE}.")
    assert "wildcard.answers" in codes(asyncio.run(check(NAME, world.expected())))


def test_a_wildcard_that_leads_elsewhere_hides_nothing(world: World) -> None:
    world.point(ONE)
    world.zone.add("*.example.com", "A", THREE)
    assert "wildcard.answers" not in codes(asyncio.run(check(NAME, world.expected())))


def test_resolvers_that_see_different_addresses_are_named_with_the_time_to_wait(
    world: World,
) -> None:
    world.point(ONE)
    yesterday = dns.Zone()
    yesterday.add(NAME, "A", THREE, ttl=1234)
    with dns.serving(yesterday) as slow:
        both = (world.resolver.address, slow.address)
        found = asyncio.run(check(NAME, world.expected(resolvers=both)))
    (told,) = [each for each in found if each.code == "dns.disagree"]
    assert slow.address in told.says
    assert THREE in told.says
    assert "1234 s" in told.fix


def test_resolvers_that_see_one_or_the_other_of_our_addresses_agree(world: World) -> None:
    world.point(ONE)
    elsewhere = dns.Zone()
    elsewhere.add(NAME, "A", TWO)
    with dns.serving(elsewhere) as other:
        both = (world.resolver.address, other.address)
        found = asyncio.run(check(NAME, world.expected(resolvers=both, addresses=(ONE, TWO))))
    assert "dns.disagree" not in codes(found)
