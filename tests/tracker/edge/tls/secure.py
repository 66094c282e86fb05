"""A worker as a process that answers on a plain port and on one for TLS."""

import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certs.cache import Cache
from certs.vault.master import MasterKey
from tests.certs.front.pki import Authority, Pair
from tests.certs.front.shop import bundle
from tests.patience import PATIENCE
from tests.tracker.edge.test_worker import Running, head, start
from tests.tracker.edge.wire import DOMAIN, KEYRING
from tracker.counters import Counter, read
from tracker.domains import Snapshot, TrackingDomain
from tracker.published import publish
from tracker.reader import SpoolReader

CA = Authority()


@dataclass(kw_only=True)
class Secure(Running):
    """The worker and its second socket."""

    tls: socket.socket

    @classmethod
    def begin(cls, folder: Path, **settings: Any) -> "Secure":
        KEYRING.save(folder / "keyring.json")
        MasterKey.make(folder / "master.key")
        plain, tls = (socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(2))
        return cls(folder, plain, _worker(folder, plain, tls, settings), tls=tls)

    @property
    def cache(self) -> Cache:
        return Cache(self.folder / "certs", MasterKey.load(self.folder / "master.key"))

    def again(self) -> None:
        """Start a worker on the same sockets."""
        self.process = _worker(self.folder, self.listener, self.tls, {})

    def certify(self, name: str = DOMAIN) -> Pair:
        """Give a name a new certificate."""
        pair = CA.issue(name)
        self.cache.put(bundle(name, pair))
        return pair

    def register(self, **settings: str) -> None:
        domain = TrackingDomain(DOMAIN, **settings)  # type: ignore[arg-type]  # whichever it takes
        publish(self.folder / "domains.json", Snapshot(tracking={DOMAIN: domain}))

    def secured(self, client: ssl.SSLContext | None = None, name: str = DOMAIN) -> ssl.SSLSocket:
        below = socket.create_connection(self.tls.getsockname(), timeout=PATIENCE)
        try:
            made = (client or CA.trusting()).wrap_socket(below, server_hostname=name)
        except OSError:
            below.close()
            raise
        self.clients.append(made)
        return made

    def count(self, counter: Counter) -> int:
        return sum(read(s.folder)[counter] for s in SpoolReader(self.folder / "spool").streams())

    def up(self) -> None:
        """Return once the worker answers: who stands before it gives up sooner than a test."""
        client = self.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n")
        assert head(client).startswith("HTTP/1.1 200")

    def end(self) -> None:
        for client in self.clients:
            client.close()
        self.process.kill()
        self.process.communicate()
        self.listener.close()
        self.tls.close()


def _worker(
    folder: Path, plain: socket.socket, tls: socket.socket, settings: dict[str, Any]
) -> "subprocess.Popen[bytes]":
    return start(
        folder,
        plain,
        tls,
        certificates=str(folder / "certs"),
        master_key=str(folder / "master.key"),
        published=str(folder / "domains.json"),
        **settings,
    )
