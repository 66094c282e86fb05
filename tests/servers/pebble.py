"""Pebble, Let's Encrypt's test CA, as a process of its own with free ports.

    with running(folder, zone_address, http_port=…, tls_port=…) as pebble:
        async with Acme.open(pebble.directory, key, ca_file=pebble.ca_file) as acme: …

Its modes are environment variables (`PEBBLE_…`), which `running` takes as keywords in the case
that they have; it neither sleeps before it validates, nor refuses nonces, nor reuses
authorisations, unless told. `fetch.py` brings the program; without it, `Missing` says so.
"""

import json
import os
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.patience import PATIENCE, wait_for
from tests.servers.authority import Authority
from tests.servers.fetch import PEBBLE, PEBBLE_UNSTABLE, Server
from tests.servers.ports import free_port, listening

_QUIET: Final = {
    "PEBBLE_VA_NOSLEEP": "1",
    "PEBBLE_WFE_NONCEREJECT": "0",
    "PEBBLE_AUTHZREUSE": "0",
}


class Missing(Exception):
    """The program isn't here; says how to bring it."""


@dataclass(frozen=True, slots=True)
class Pebble:
    """A CA that runs. `ca_file` holds the root of its API, not of what it issues.

    `api_chain` and `api_key` are what its API shows to its clients.
    """

    directory: str
    management: str
    ca_file: Path
    api_chain: Path
    api_key: Path
    http_port: int
    tls_port: int
    log: Path

    def root_pem(self, number: int = 0) -> bytes:
        """Return the root that certificates lead to, or an alternate one."""
        return self._management(f"roots/{number}").content

    def status(self, serial_number: int) -> str:
        """Say of an issued certificate what the CA thinks of it: Valid or Revoked."""
        answer = self._management(f"cert-status-by-serial/{serial_number:x}")
        return str(answer.json()["Status"])

    def _management(self, path: str) -> httpx.Response:
        context = ssl.create_default_context(cafile=self.ca_file)
        with httpx.Client(verify=context, timeout=PATIENCE) as http:
            return http.get(f"{self.management}/{path}").raise_for_status()


@contextmanager
def running(
    folder: Path,
    resolver: str,
    *,
    http_port: int = 0,
    tls_port: int = 0,
    server: Server = PEBBLE,
    external_accounts: Mapping[str, str] | None = None,
    profiles: Mapping[str, int] | None = None,
    blocked: Sequence[str] = (),
    retry_after: int = 0,
    **modes: object,
) -> Iterator[Pebble]:
    """Run it until the block ends. Raises Missing.

    It looks names up at `resolver`, and challenges at the two ports. `external_accounts` are key
    ids with their HMAC keys in base64url, and then wanted; `profiles` are names with the seconds
    that certificates live, which only the unstable release's knows, as it does `retry_after`, the
    seconds that it asks clients to wait between two looks. `blocked` domains are rejected.
    """
    if not server.program.exists():
        raise Missing(f"no {server.folder.name}: run `python -m tests.servers.fetch` first")
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority()
    (ca_file := folder / "api-root.pem").write_bytes(authority.root_pem)
    chain, key = authority.issue("127.0.0.1", "localhost").write(folder, "api")
    config: dict[str, Any] = {
        "certificate": str(chain),
        "privateKey": str(key),
        "httpPort": http_port or free_port(),
        "tlsPort": tls_port or free_port(),
        "externalAccountBindingRequired": bool(external_accounts),
        "externalAccountMACKeys": dict(external_accounts or {}),
        "domainBlocklist": list(blocked),
        "keyAlgorithm": "ecdsa",
        "retryAfter": {"authz": retry_after, "order": retry_after},
    }
    if profiles:
        config["profiles"] = {
            name: {"description": f"lives {seconds} s", "validityPeriod": seconds}
            for name, seconds in profiles.items()
        }
    environment = os.environ | _QUIET | {name: str(value) for name, value in modes.items()}
    log = folder / "pebble.log"
    process, api, management = _started(server, folder, config, resolver, environment, log)
    try:
        yield Pebble(
            directory=f"https://127.0.0.1:{api}/dir",
            management=f"https://127.0.0.1:{management}",
            ca_file=ca_file,
            api_chain=chain,
            api_key=key,
            http_port=config["httpPort"],
            tls_port=config["tlsPort"],
            log=log,
        )
    finally:
        process.kill()
        process.wait()


def _started(
    server: Server,
    folder: Path,
    config: dict[str, Any],
    resolver: str,
    environment: dict[str, str],
    log: Path,
) -> "tuple[subprocess.Popen[bytes], int, int]":
    """Start it; once more where another program was quicker to take a port."""
    for _ in range(5):
        api, management = free_port(), free_port()
        listen = {
            "listenAddress": f"127.0.0.1:{api}",
            "managementListenAddress": f"127.0.0.1:{management}",
        }
        written = folder / "pebble.json"
        written.write_text(json.dumps({"pebble": config | listen}))
        with log.open("wb") as said:
            process = subprocess.Popen(
                [server.program, "-config", str(written), "-dnsserver", resolver],
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        wait_for(
            lambda: bool(process.poll() is not None or (listening(api) and listening(management))),  # noqa: B023 - called at once
            "Pebble to listen",
        )
        if process.poll() is None:
            return process, api, management
    raise OSError(f"Pebble doesn't start: {log.read_text()}")


__all__ = ["PEBBLE", "PEBBLE_UNSTABLE", "Missing", "Pebble", "running"]
