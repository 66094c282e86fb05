"""A person asks what hinders a domain, and what to paste."""

import json
import secrets
from pathlib import Path

import pytest

from tests.certs.doctor.world import EDGE, NAME, OURS, World
from tests.servers.ports import free_port
from tests.tracker.operation.conftest import Tracker, folder, own_process, tracker

__all__ = ("folder", "own_process", "tracker")

SOA = "ns.example.com. host.example.com. 1 2 3 4 5"


@pytest.fixture
def asking(world: World, tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    """Let the command ask the world's resolver, and a CA that isn't there."""
    monkeypatch.setenv("TRACKER_DNS_EDGE_HOST", EDGE)
    monkeypatch.setenv("TRACKER_DNS_RESOLVERS", world.resolver.address)
    monkeypatch.setenv("TRACKER_ACME_DIRECTORY", f"https://127.0.0.1:{free_port()}/directory")
    monkeypatch.setenv("TRACKER_ACME_CA_FILE", str(world.roots))
    return tracker


@pytest.fixture
def serving(world: World) -> World:
    """Have an edge on the ports that the command looks at, on an address of its own."""
    world.http_port, world.https_port = 80, 443
    address = "127." + ".".join(str(1 + secrets.randbelow(254)) for _ in range(3))
    try:
        world.working(address)
    except PermissionError:
        pytest.skip("THIS ACCOUNT MAY NOT LISTEN ON PORT 80: what the command sees isn't tested")
    return world


def account(folder: Path) -> None:
    (folder / "data" / "certs").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "certs" / "thumbprints").write_text(f"{OURS}\n")


def test_a_domain_behind_a_proxy_that_works_is_fine_and_exits_with_0(
    serving: World, asking: Tracker, folder: Path
) -> None:
    asking("domains", "add", NAME, "--tls", "external")
    account(folder)
    said = asking("domains", "check", NAME)
    assert said.status == 0, said.out
    assert said.out.splitlines()[-1] == f"{NAME}: all is well"


def test_a_domain_that_works_while_the_ca_is_away_exits_with_1(
    serving: World, asking: Tracker, folder: Path
) -> None:
    asking("domains", "add", NAME)
    account(folder)
    said = asking("domains", "check", NAME)
    assert said.status == 1, said.out
    assert said.out.splitlines()[-1] == f"{NAME}: 1 warning"
    assert "ca.unreachable" in said.out


def test_a_domain_without_a_record_exits_with_2_and_shows_the_line_to_paste(
    world: World, asking: Tracker
) -> None:
    world.zone.add(EDGE, "A", "127.0.0.1")
    asking("domains", "add", NAME)
    said = asking("domains", "check", NAME)
    assert said.status == 2
    lines = [line.strip() for line in said.out.splitlines()]
    assert f"paste: {NAME}. 300 IN CNAME {EDGE}." in lines
    assert "edge.unregistered" not in said.out


def test_a_domain_that_isnt_registered_is_looked_at_all_the_same(
    world: World, asking: Tracker, folder: Path
) -> None:
    world.zone.add(EDGE, "A", "127.0.0.1")
    said = asking("domains", "check", NAME)
    assert f"tracker domains add {NAME}" in said.out
    assert "cname.missing" in said.out
    assert not (folder / "data").exists()


def test_findings_come_as_json_for_programs(world: World, asking: Tracker) -> None:
    world.zone.add(EDGE, "A", "127.0.0.1")
    said = asking("domains", "check", NAME, "--json")
    report = json.loads(said.out)
    assert (report["name"], report["status"], said.status) == (NAME, "error", 2)
    (missing,) = [each for each in report["findings"] if each["code"] == "cname.missing"]
    assert set(missing) == {"code", "severity", "says", "fix", "paste"}


def test_the_record_is_printed_for_the_provider_that_has_the_zone_first(
    world: World, asking: Tracker
) -> None:
    world.zone.add("example.com", "SOA", SOA)
    world.zone.add("example.com", "NS", "ns1-05.azure-dns.com.")
    said = asking("domains", "dns", NAME)
    assert said.status == 0, said.err
    assert said.out.splitlines()[0] == "# Azure DNS  (serves this zone)"
    assert f"\n{NAME}. 300 IN CNAME {EDGE}.\n" in said.out


def test_one_providers_record_alone_is_printed_on_demand(asking: Tracker) -> None:
    said = asking("domains", "dns", NAME, "--zone", "example.com", "--provider", "ovh", "--json")
    (line,) = json.loads(said.out)
    assert line["paste"] == f"click 300 IN CNAME {EDGE}."


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("check", "a b"), 65, "is not a host name"),
        (("dns", NAME), 65, "--zone example.com"),
        (("dns", NAME, "--zone", NAME), 65, "a zone of its own"),
        (("dns", NAME, "--zone", "example.org"), 65, "doesn't lie in the zone"),
        (("dns", NAME, "--zone", "a b"), 65, "--zone: "),
        (("dns", NAME, "--zone", "example.com", "--provider", "x"), 64, "cloudflare, route53"),
    ],
)
def test_what_cannot_be_told_is_refused_in_a_sentence(
    asking: Tracker, arguments: tuple[str, ...], status: int, words: str
) -> None:
    said = asking("domains", *arguments)
    assert said.status == status
    assert words in said.err
    assert "Traceback" not in said.err


def test_without_the_edges_host_no_record_can_be_written(tracker: Tracker) -> None:
    said = tracker("domains", "dns", NAME)
    assert said.status == 78
    assert "dns.edge_host" in said.err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("TRACKER_DNS_RESOLVERS", "dns.google", "should be an IP address"),
        ("TRACKER_DNS_RESOLVERS", "9.9.9.9, dns.google:53", "should be an IP address"),
        ("TRACKER_DNS_EDGE_ADDRESSES", "edge.example.net", "should be an IP address"),
        ("TRACKER_DNS_EDGE_HOST", "https://edge.example.net", "is not a host name"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(
    asking: Tracker, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    said = asking("domains", "check", NAME)
    assert said.status == 78
    assert variable in said.err
    assert words in said.err
