"""The grade of the TLS port: sslyze scans it as it would any server on the Internet.

sslyze wants other versions of packages than ours, so it has an environment of its own in `build/`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from certs.cache import Cache
from certs.vault.master import MasterKey
from tests.certs.front.shop import bundle
from tests.tracker.edge.tls.secure import CA
from tests.tracker.edge.wire import DOMAIN, KEYRING
from tests.tracker.operation.running import running

NEEDS = Path(__file__).with_name("sslyze.txt")
ENVIRONMENT = Path(__file__).parents[4] / "build" / "sslyze"


@pytest.fixture(scope="module")
def sslyze() -> Path:
    """Return the command, installing it where it is new."""
    command, complete = ENVIRONMENT / "bin" / "sslyze", ENVIRONMENT / "complete"
    if complete.exists() and complete.read_bytes() == NEEDS.read_bytes():
        return command
    pip = [str(ENVIRONMENT / "bin" / "pip"), "install", "--disable-pip-version-check"]
    try:
        for step in (
            [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)],
            [*pip, "--require-hashes", "-r", str(NEEDS)],
        ):
            subprocess.run(step, check=True, capture_output=True, text=True, timeout=100)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
        pytest.skip(f"THE TLS GRADE IS UNTESTED: sslyze can't be installed here: {said}")
    complete.write_bytes(NEEDS.read_bytes())
    return command


def test_the_tls_port_is_what_mozilla_calls_intermediate(
    sslyze: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        scanned = subprocess.run(
            [
                *(sslyze, "--mozilla_config=intermediate", f"--certinfo_ca_file={authority}"),
                f"{DOMAIN}:{port}{{{host}}}",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
    assert scanned.returncode == 0, scanned.stdout
    assert "OK - Compliant" in scanned.stdout
