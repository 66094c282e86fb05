"""One connection without a network: a transport that a test feeds and reads, byte by byte.

Everything behind it is real: uvicorn's protocol, the Starlette application, the spool on disk.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from rewriter.keyring import Keyring, Secret
from rewriter.tokens import Context, Link, Tokens
from tracker.counters import Counter, Counters
from tracker.domains import TrackingDomain
from tracker.edge.answer import Edge
from tracker.edge.app import application
from tracker.edge.bounded import Book, BoundedProtocol
from tracker.edge.domains import Domains
from tracker.edge.front import Front
from tracker.edge.trusted import TrustedProxies
from tracker.hit import Hit
from tracker.reader import Position, SpoolReader
from tracker.segments import Segments
from tracker.spool import Spool

DOMAIN = "click.example.com"
KEYRING = Keyring((Secret(id=1, secret="A" * 43, created=""),))
TOKENS = Tokens(KEYRING.for_domain(DOMAIN))
DESTINATION = "https://www.example.com/offer?a=1&b=2#top"
CONTEXT_FRAME = TOKENS.seal_context(
    Context("1@news.example.com", "marie@example.net", "news.example.com", 1_795_000_000)
)
DATE = [(b"date", b"Sat, 21 Nov 2026 00:00:00 GMT")]
TICK = 0.000_5  # seconds between two looks at what waits for the disk: to spin costs the processor
NOBODY: Mapping[str, TrackingDomain] = {}
Protocol = type[Front] | type[BoundedProtocol]


LINK = Link(DESTINATION, 3, "Weekly digest")


def token(kind: str, link: Link = LINK) -> str:
    """Return a good token of a kind."""
    return TOKENS.mint(kind.encode(), TOKENS.seal_link(link), CONTEXT_FRAME).decode()


OPEN, CLICK = (token(kind) for kind in "oc")
UNSUBSCRIBE = token("u", Link(name="weekly.digest.example", category="list"))


class Wire(asyncio.Transport):
    """What the test's client and the protocol have between them."""

    def __init__(self, peer: str = "192.0.2.1") -> None:
        super().__init__({"peername": (peer, 50000), "sockname": ("192.0.2.2", 80)})
        self.protocol: asyncio.Protocol
        self.sent = b""
        self.before_write: Callable[[], object] = lambda: None
        self.reading = True
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing:
            self.before_write()
            self.sent += data

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol


@dataclass
class Bench:
    """An edge worker's insides, and what a test asks about them."""

    folder: Path
    spool: Spool
    counters: Counters
    config: uvicorn.Config
    state: ServerState
    app_state: dict[str, Any]

    def connect(self, protocol: Protocol, peer: str = "192.0.2.1") -> Wire:
        wire = Wire(peer)
        made = protocol(self.config, self.state, self.app_state)
        wire.protocol = made
        made.connection_made(wire)
        return wire

    async def settle(self) -> None:
        """Return once nothing is being answered and nothing waits for the disk."""
        for _ in range(3):
            await asyncio.sleep(0)
        while self.state.tasks or not self.spool.idle:
            await asyncio.sleep(TICK)

    async def exchange(
        self, protocol: Protocol, chunks: Iterable[bytes], peer: str = "192.0.2.1"
    ) -> Wire:
        wire = self.connect(protocol, peer)
        for chunk in chunks:
            if wire.is_closing():
                break
            wire.protocol.data_received(chunk)
            await self.settle()
        return wire

    async def answered(self, wire: Wire) -> None:
        """Return once something was sent."""
        while not wire.sent:
            await asyncio.sleep(TICK)

    def hits(self) -> list[Hit]:
        """Return everything that was written so far."""
        (stream,) = SpoolReader(self.folder).streams()
        hits: list[Hit] = []
        position = Position()
        while (batch := stream.read(position)).hits:
            hits += batch.hits
            position = batch.position
        return hits

    def count(self, counter: Counter) -> int:
        return self.counters.cells[counter]


@contextlib.asynccontextmanager
async def bench(
    folder: Path,
    trusted: str = "",
    registered: Mapping[str, TrackingDomain] = NOBODY,
    **spool_settings: Any,
) -> AsyncIterator[Bench]:
    """Build a worker that answers nobody late, unless told, however slow the disk may be."""
    segments = Segments(folder, 1 << 20)
    segments.begin()
    segments.prepare()
    counters = Counters.create(segments.folder)
    spool = Spool(segments, counters, **{"late_after": 60} | spool_settings)
    edge = Edge(
        Domains(KEYRING),
        spool,
        counters,
        clock=lambda: 1_795_000_100_000_000_000,
        registered=lambda: registered,
    )
    config = uvicorn.Config(
        application(_never),
        http=BoundedProtocol,
        ws="none",
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        forwarded_allow_ips=trusted,
    )
    config.load()
    state = ServerState()
    state.default_headers = DATE
    book = Book(asyncio.get_running_loop(), state.connections)
    app_state = {"edge": edge, "book": book, "trusted": TrustedProxies(trusted)}
    try:
        yield Bench(folder, spool, counters, config, state, app_state)
    finally:
        book.close()
        await spool.close(5)


def _never(_app: object) -> Any:
    raise AssertionError("these tests make the lifespan's state themselves")
