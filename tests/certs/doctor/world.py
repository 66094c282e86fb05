"""Edges, proxies and strangers on 127.0.0.x, behind names that a real resolver answers for."""

import contextlib
import dataclasses
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, cast

from certs.doctor import Expected, Finding
from tests.patience import PATIENCE
from tests.servers.authority import Authority, Pair
from tests.servers.dns import Resolver
from tests.servers.ports import free_port

NAME = "click.example.com"
EDGE = "edge.tracking.net"
ONE, TWO, THREE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
OURS = "thumbprint-of-ours"

# From the path that is asked for to the bytes that come back; None hangs up.
Site = Callable[[str], bytes | None]


def answer(status: int = 200, body: str = "", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def edge(thumbprint: str = OURS) -> Site:
    return lambda path: answer(body=f"{path.rpartition('/')[2]}.{thumbprint}")


def says(reply: bytes | None) -> Site:
    return lambda _: reply


def codes(findings: Sequence[Finding]) -> list[str]:
    return [each.code for each in findings]


class World(contextlib.ExitStack):
    """The servers of one test; each listens at the same two ports of its address."""

    def __init__(self, folder: Path, resolver: Resolver) -> None:
        super().__init__()
        self.folder, self.resolver, self.zone = folder, resolver, resolver.zone
        self.authority = Authority("Example Trust CA")
        self.http_port, self.https_port = _free(), _free()
        self.roots = folder / "roots.pem"
        self.roots.write_bytes(self.authority.root_pem)

    def __enter__(self) -> Self:
        return self

    def point(self, *addresses: str) -> None:
        """Let the name lead to the edge's host, and that to these addresses."""
        self.zone.set(NAME, "CNAME", f"{EDGE}.")
        self.zone.set(EDGE, "A", *(each for each in addresses if ":" not in each))
        self.zone.set(EDGE, "AAAA", *(each for each in addresses if ":" in each))

    def expected(self, **changes: Any) -> Expected:
        plain = Expected(
            edge_host=EDGE,
            thumbprints=(OURS,),
            issuers=("letsencrypt.org",),
            resolvers=(self.resolver.address,),
            roots=self.roots,
            http_port=self.http_port,
            https_port=self.https_port,
            allow_private=True,
        )
        return dataclasses.replace(plain, **changes)

    def http(self, site: Site, address: str = ONE) -> "Server":
        return self.enter_context(_serving(Server(address, self.http_port, site)))

    def https(
        self, site: Site, address: str = ONE, pair: Pair | None = None, **limits: ssl.TLSVersion
    ) -> "Server":
        context = (pair or self.authority.issue(NAME)).server_context(self.folder)
        for limit, version in limits.items():
            setattr(context, limit, version)
        return self.tls(site, context, address)

    def tls(self, site: Site, context: ssl.SSLContext, address: str = ONE) -> "Server":
        return self.enter_context(_serving(Server(address, self.https_port, site, context)))

    def working(self, *addresses: str) -> None:
        """Have an edge that does everything right at each address."""
        self.point(*addresses)
        for address in addresses:
            self.http(edge(), address)
            self.https(edge(), address)


class Server(socketserver.ThreadingTCPServer):
    """Answers as its site says, and counts who came."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self, address: str, port: int, site: Site, context: ssl.SSLContext | None = None
    ) -> None:
        self.site, self.context, self.paths = site, context, list[str]()
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), _Visit)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that refuses a certificate hangs up."""


class _Visit(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = cast(Server, self.server)
        plain: socket.socket = self.request
        plain.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            if not server.context:
                self._answer(plain)
                return
            with server.context.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            ) as secured:
                secured.do_handshake()
                self._answer(secured)

    def _answer(self, talking: socket.socket) -> None:
        server = cast(Server, self.server)
        asked = talking.recv(65536).decode("latin-1").split(" ")
        server.paths.append(asked[1] if len(asked) > 1 else "")
        if reply := server.site(server.paths[-1]):
            talking.sendall(reply)


@contextlib.contextmanager
def _serving(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _free() -> int:
    """Find a port that is free at each of our addresses."""
    for _ in range(50):
        port = free_port(ONE)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for address in (TWO, THREE):
                stack.enter_context(socket.create_server((address, port)))
            return port
    raise OSError("found no port that is free on 127.0.0.1 to 127.0.0.3")
