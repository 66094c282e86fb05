"""`tracker serve` with HTTPS: settings in, a TLS port with the groups that Mozilla names out."""

import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from certs.cache import Cache
from certs.vault.master import MasterKey
from tests.certs.front.shop import bundle
from tests.patience import PATIENCE
from tests.tracker.edge.test_worker import head, request
from tests.tracker.edge.tls.secure import CA
from tests.tracker.edge.wire import CLICK, DOMAIN, KEYRING
from tests.tracker.operation.running import running
from tracker.mistake import Exit

GROUPS = {"X25519": True, "prime256v1": True, "secp384r1": True, "secp521r1": False}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    KEYRING.save(tmp_path / "keyring.json")
    cache = Cache(tmp_path / "certs", MasterKey.make(tmp_path / "master.key"))
    cache.put(bundle(DOMAIN, CA.issue(DOMAIN)))
    return tmp_path


def test_the_edge_answers_by_https_where_it_is_told_to(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    listen = {"TRACKER_DATA": str(data), "TRACKER_EDGE_TLS_LISTEN": "127.0.0.1:0"}
    with running("edge", **listen) as edge:
        host, _, port = edge.addresses[1].rpartition(":")
        with (
            socket.create_connection((host, int(port)), timeout=PATIENCE) as below,
            CA.trusting().wrap_socket(below, server_hostname=DOMAIN) as client,
        ):
            client.sendall(request("c", CLICK))
            assert head(client).startswith("HTTP/1.1 302")
        assert {group: _agrees(host, int(port), group) for group in GROUPS} == GROUPS


def _agrees(host: str, port: int, group: str) -> bool:
    asking = CA.trusting()
    asking.set_ecdh_curve(group)
    with socket.create_connection((host, port), timeout=PATIENCE) as below:
        try:
            asking.wrap_socket(below, server_hostname=DOMAIN).close()
        except ssl.SSLError:
            return False
        return True


def test_a_tls_port_without_certificates_of_our_own_is_refused(data: Path) -> None:
    settings = {
        "TRACKER_DATA": str(data),
        "TRACKER_EDGE_TLS_LISTEN": "127.0.0.1:0",
        "TRACKER_EDGE_TLS": "external",
    }
    left = subprocess.run(
        [sys.executable, "-m", "tracker", "edge"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert left.returncode == Exit.CONFIG
    assert left.stderr.startswith('tracker: edge.tls is "external", so the edge has no certif')
