"""The grade of the TLS port: sslyze scans it as it would any server on the Internet."""

import socket
import subprocess
from pathlib import Path

import pytest

from certs.cache import Cache
from certs.vault.master import MasterKey
from tests.certs.front.shop import bundle
from tests.patience import PATIENCE
from tests.servers import sslyze
from tests.tracker.edge.tls.secure import CA
from tests.tracker.edge.wire import DOMAIN, KEYRING
from tests.tracker.operation.running import running


@pytest.fixture(scope="module")
def program() -> Path:
    """Return the command, installing it where it is new."""
    try:
        return sslyze.install()
    except sslyze.Missing as error:
        pytest.skip(f"THE TLS GRADE IS UNTESTED: {error}")


def test_the_tls_port_is_what_mozilla_calls_intermediate(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    KEYRING.save(tmp_path / "keyring.json")
    cache = Cache(tmp_path / "certs", MasterKey.make(tmp_path / "master.key"))
    cache.put(bundle(DOMAIN, CA.issue(DOMAIN)))
    authority = tmp_path / "authority.pem"
    authority.write_bytes(CA.certificate)
    listen = {"TRACKER_DATA": str(tmp_path), "TRACKER_EDGE_TLS_LISTEN": "127.0.0.1:0"}
    with running("edge", **listen) as edge:
        host, _, port = edge.addresses[1].rpartition(":")
        # sslyze waits five seconds for an answer, and the worker may have yet to begin.
        with (
            socket.create_connection((host, int(port)), timeout=PATIENCE) as below,
            CA.trusting().wrap_socket(below, server_hostname=DOMAIN),
        ):
            pass
        scanned = subprocess.run(
            [
                *(program, "--slow_connection", "--mozilla_config=intermediate"),
                f"--certinfo_ca_file={authority}",
                f"{DOMAIN}:{port}{{{host}}}",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert scanned.returncode == 0, scanned.stdout
    assert "OK - Compliant" in scanned.stdout
