"""From `tracker domains add` to a link by HTTPS: real processes, a real CA, a real DNS server."""

import contextlib
import os
import secrets
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE, wait_for
from tests.servers import dns, pebble
from tests.servers.pebble import PEBBLE, PEBBLE_UNSTABLE, Missing
from tests.tracker.edge.test_worker import head, request
from tests.tracker.edge.wire import CLICK, DESTINATION, DOMAIN, KEYRING
from tests.tracker.operation.running import running
from tracker.published import Published

# Seconds; on an idle machine it takes about three. Where a look comes to nothing on a busy one, the
# next is after a minute, and then after two.
WITHIN = 220
EDGE = "edge.example.net"


@pytest.fixture
def address() -> str:
    """Return an address of this machine's whose ports 80 and 443 are ours to bind."""
    chosen = f"127.77.{secrets.randbelow(250) + 1}.{secrets.randbelow(250) + 1}"
    try:
        for port in (80, 443):
            socket.create_server((chosen, port)).close()
    except OSError as error:
        pytest.skip(f"HTTPS IS UNTESTED AS A WHOLE: port 80 or 443 can't be bound: {error}")
    return chosen


@pytest.mark.timeout(900)
def test_a_domain_that_is_added_has_https_by_itself_and_new_links_use_it(
    address: str, tmp_path: Path
) -> None:
    data, zone = tmp_path / "data", dns.Zone()
    data.mkdir()
    KEYRING.save(data / "keyring.json")
    zone.add(EDGE, "A", address)
    zone.add(DOMAIN, "CNAME", EDGE)
    server = PEBBLE_UNSTABLE if PEBBLE_UNSTABLE.program.exists() else PEBBLE
    with contextlib.ExitStack() as stack:
        resolver = stack.enter_context(dns.serving(zone))
        try:
            ca = stack.enter_context(
                pebble.running(
                    tmp_path / "ca", resolver.address, http_port=80, tls_port=443, server=server
                )
            )
        except Missing as error:
            pytest.skip(f"HTTPS IS UNTESTED AS A WHOLE: {error}")
        (tmp_path / "roots.pem").write_bytes(ca.ca_file.read_bytes() + ca.root_pem())
        settings = {
            "TRACKER_DATA": str(data),
            "TRACKER_EDGE_LISTEN": f"{address}:80",
            "TRACKER_EDGE_TLS_LISTEN": f"{address}:443",
            "TRACKER_DNS_EDGE_HOST": EDGE,
            "TRACKER_DNS_RESOLVERS": resolver.address,
            "TRACKER_ACME_DIRECTORY": ca.directory,
            "TRACKER_ACME_CA_FILE": str(tmp_path / "roots.pem"),
            "TRACKER_ACME_TERMS_AGREED": "true",
        }
        stack.enter_context(running("serve", **settings))
        _tracker(settings, "domains", "add", DOMAIN)
        client = ssl.create_default_context(cadata=ca.root_pem().decode())
        wait_for(lambda: _leads_on(address, client), "HTTPS to lead on", WITHIN)
        published = Published(data / "domains.json")
        wait_for(
            lambda: published.current().tracking[DOMAIN].scheme == "https",
            "links to begin with https",
            WITHIN,
        )
        with socket.create_connection((address, 80), timeout=PATIENCE) as plain:  # old mail's links
            plain.sendall(request("c", CLICK))
            assert head(plain).startswith("HTTP/1.1 302")


def _tracker(settings: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "tracker", *arguments]
    subprocess.run(
        command, env={**os.environ, **settings}, check=True, capture_output=True, timeout=PATIENCE
    )


def _leads_on(address: str, client: ssl.SSLContext) -> bool:
    """Tell whether a click by HTTPS leads on; the client verifies who answers."""
    try:
        with (
            socket.create_connection((address, 443), timeout=PATIENCE) as below,
            client.wrap_socket(below, server_hostname=DOMAIN) as secured,
        ):
            secured.sendall(request("c", CLICK))
            return f"location: {DESTINATION}\r\n" in head(secured)
    except OSError:
        return False
