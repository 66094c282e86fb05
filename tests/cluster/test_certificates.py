"""A certificate is every machine's, whichever ordered it, and whichever is there to renew it."""

import secrets
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.cluster.part import Part
from tests.cluster.topology import share
from tests.patience import PATIENCE, wait_for
from tests.servers import dns, pebble
from tests.servers.pebble import Missing, Pebble

EDGE = "edge.example.net"
DOMAIN = "click.example.com"
# Seconds; on an idle machine it takes a few. Where a look comes to nothing on a busy one, the next
# is after a minute, and then after two.
WITHIN = 220


@dataclass(frozen=True, slots=True)
class Machines:
    """The edges and the offices of two, with an address each, and the CA that both ask."""

    edges: Sequence[Part]
    offices: Sequence[Part]
    ca: Pebble

    def both_answer_the_ca(self) -> bool:
        """Tell whether both know the account that they share, which the CA asks for."""
        return all(_asked_by_a_ca(address_of(edge)) for edge in self.edges)

    def shown(self) -> list[bytes]:
        """Return the certificate that each machine shows, verified; nothing while it has none."""
        trusting = ssl.create_default_context(cadata=self.ca.root_pem().decode())
        return [_shown(address_of(edge), trusting) for edge in self.edges]

    def both_show(self, *others: bytes) -> bool:
        """Tell whether both show one certificate, and none of these."""
        first, second = self.shown()
        return first == second not in (b"", *others)


def _asked_by_a_ca(address: str) -> bool:
    try:
        asked = httpx.get(
            f"http://{address}/.well-known/acme-challenge/{'x' * 43}", headers={"Host": DOMAIN}
        )
    except httpx.TransportError:
        return False
    return asked.status_code == 200


def _shown(address: str, trusting: ssl.SSLContext) -> bytes:
    try:
        with (
            socket.create_connection((address, 443), timeout=PATIENCE) as below,
            trusting.wrap_socket(below, server_hostname=DOMAIN) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


def address_of(machine: Part) -> str:
    return machine.settings["TRACKER_EDGE_LISTEN"].rpartition(":")[0]


@pytest.fixture
def addresses() -> list[str]:
    """Return two addresses of this machine's whose ports 80 and 443 are ours to bind."""
    network = f"127.78.{secrets.randbelow(250) + 1}"
    chosen = [f"{network}.{number}" for number in (1, 2)]
    try:
        for address in chosen:
            for port in (80, 443):
                socket.create_server((address, port)).close()
    except OSError as error:
        pytest.skip(f"CERTIFICATES OF SEVERAL MACHINES ARE UNTESTED: {error} (port 80 or 443)")
    return chosen


@pytest.fixture
def machines(addresses: list[str], postgres_url: str, tmp_path: Path) -> Iterator[Machines]:
    zone = dns.Zone()
    for address in addresses:
        zone.add(EDGE, "A", address)
    zone.add(DOMAIN, "CNAME", EDGE)
    with ExitStack() as stack:
        resolver = stack.enter_context(dns.serving(zone))
        try:
            ca = stack.enter_context(
                pebble.running(tmp_path / "ca", resolver.address, http_port=80, tls_port=443)
            )
        except Missing as error:
            pytest.skip(f"CERTIFICATES OF SEVERAL MACHINES ARE UNTESTED: {error}")
        (tmp_path / "roots.pem").write_bytes(ca.ca_file.read_bytes() + ca.root_pem())
        settings = [
            _settings(tmp_path, address, postgres_url, resolver.address, ca)
            for address in addresses
        ]
        edges, offices = (
            [Part(f"{role}-{number}", role, tmp_path, one) for number, one in enumerate(settings)]
            for role in ("edge", "office")
        )
        share(*offices)
        for part in (*edges, *offices):
            stack.callback(part.kill)
            part.start()
        yield Machines(edges, offices, ca)


def _settings(folder: Path, address: str, store: str, resolver: str, ca: Pebble) -> dict[str, str]:
    data = folder / address
    data.mkdir(mode=0o700)
    return {
        "TRACKER_DATA": str(data),
        "TRACKER_STORE_URL": store,
        "TRACKER_EDGE_LISTEN": f"{address}:80",
        "TRACKER_EDGE_TLS_LISTEN": f"{address}:443",
        "TRACKER_EDGE_WORKERS": "1",
        "TRACKER_API_LISTEN": f"{address}:0",
        "TRACKER_DNS_EDGE_HOST": EDGE,
        "TRACKER_DNS_RESOLVERS": resolver,
        "TRACKER_ACME_DIRECTORY": ca.directory,
        "TRACKER_ACME_CA_FILE": str(folder / "roots.pem"),
        "TRACKER_ACME_TERMS_AGREED": "true",
    }


@pytest.mark.timeout(900)
def test_both_machines_show_what_one_ordered_and_what_the_office_that_is_left_renews(
    machines: Machines,
) -> None:
    first, second = machines.offices
    first.tell("domains", "add", DOMAIN)
    wait_for(machines.both_answer_the_ca, "both machines to answer the CA", WITHIN)
    # Before that one didn't, and a domain is looked at again a minute later, unless one asks.
    second.tell("certificates", "renew", DOMAIN)
    wait_for(machines.both_show, "both machines to show one certificate", WITHIN)
    before, _ = machines.shown()

    # Its edge goes on, and answers the CA. Killed, it might keep the name for a minute: its lease.
    first.stop()
    second.tell("certificates", "renew", DOMAIN)
    wait_for(lambda: machines.shown()[1] not in (b"", before), "it to be renewed", WITHIN)
    assert machines.shown()[0] == before
    first.start()
    wait_for(lambda: machines.both_show(before), "both machines to show the new one", WITHIN)
