"""A TLS port that greets: a real door on a real socket, with a short protocol behind it."""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from certs.cache import Cache
from certs.front.alert import Outcome
from certs.front.contexts import Contexts
from certs.front.door import Door
from certs.vault.bundle import Bundle
from tests.certs.front.pki import Authority, Pair
from tests.patience import PATIENCE

CA = Authority()
NAME = "click.example.com"
OTHER = "other.example.net"
PAIR, OTHER_PAIR = CA.issue(NAME), CA.issue(OTHER)
END = b"."


def bundle(name: str, pair: Pair) -> Bundle:
    return Bundle(name, pair.chain_pem, pair.key_pem, 1, 0, 0)


class Greeter(asyncio.Protocol):
    """Gives back everything up to a full stop, and the scheme; `close.` closes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.received = b""
        self.paused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.received.endswith(END):
            received, self.received = self.received, b""
            self.transport.write(received)
            if received == b"close" + END:
                self.transport.close()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False

    def shutdown(self) -> None:
        self.transport.close()


@dataclass
class Shop:
    """The port, and what a test asks about it."""

    port: int
    cache: Cache
    contexts: Contexts
    door: Door
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    inside: list[Greeter] = field(default_factory=list)
    seconds: int = 0

    async def ended(self, outcome: Outcome, number: int = 1) -> None:
        """Return once so many handshakes have ended so."""
        async with asyncio.timeout(PATIENCE):
            while self.outcomes[outcome] < number:
                await asyncio.sleep(0.001)

    async def said(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own; return all that comes back until its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        try:
            async with asyncio.timeout(PATIENCE):
                return await reader.read()
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def shop(cache: Cache, remembered: int = 100) -> AsyncIterator[Shop]:
    listener = socket.create_server(("127.0.0.1", 0))
    contexts = Contexts(cache, remembered)

    def inside() -> Greeter:
        here.inside.append(Greeter())
        return here.inside[-1]

    def tell(outcome: Outcome) -> None:
        here.outcomes[outcome] += 1

    door = Door(contexts, inside, set(), lambda: here.seconds, tell)
    here = Shop(listener.getsockname()[1], cache, contexts, door)
    server = await asyncio.get_running_loop().create_server(door, sock=listener)
    try:
        yield here
    finally:
        server.close()


@dataclass
class Visit:
    """What a client in a thread of its own saw."""

    serial: int
    resumed: bool
    version: str | None
    protocol: str | None
    echoed: bytes
    session: ssl.SSLSession | None


def visit(
    port: int,
    name: str | None = NAME,
    client: ssl.SSLContext | None = None,
    *,
    say: bytes = b"hello.",
    session: ssl.SSLSession | None = None,
) -> Visit:
    """Shake hands, say something, hear it back; raises OSError."""
    client = client or CA.trusting()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as below,
        client.wrap_socket(below, server_hostname=name, session=session) as secured,
    ):
        secured.sendall(say)
        echoed = b""
        while len(echoed) < len(say) and (more := secured.recv(65536)):
            echoed += more
        told = secured.getpeercert()
        return Visit(
            int(str(told["serialNumber"]), 16) if told else 0,
            bool(secured.session_reused),
            secured.version(),
            secured.selected_alpn_protocol(),
            echoed,
            secured.session,
        )
