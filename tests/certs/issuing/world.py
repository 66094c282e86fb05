"""A world for an issuer: a CA, DNS, and an edge on loopback that serves what the cache holds."""

import asyncio
import contextlib
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from certs.cache import Cache
from certs.doctor import Expected
from certs.issuing.authority import Authority, Terms
from certs.issuing.desk import Desk
from certs.issuing.issuer import Issuer
from certs.issuing.standing import Standing, standing_of
from certs.issuing.visit import visit
from certs.vault.accounts import Accounts
from certs.vault.database import Vault
from certs.vault.leases import Leases
from certs.vault.master import MasterKey
from certs.vault.progress import Progress
from tests.servers.answers import Answers
from tests.servers.authority import Pair
from tests.servers.dns import Resolver, Zone
from tests.servers.pebble import Pebble
from tracker.shared.vault import place


@dataclass(frozen=True, slots=True)
class Shared:
    zone: Zone
    resolver: Resolver
    answers: Answers
    ca: Pebble

    def facts(self) -> "Facts":
        """Say where everything is."""
        ca = self.ca
        return Facts(
            ca.directory,
            ca.ca_file,
            ca.root_pem(),
            self.resolver.address,
            self.answers.http_port,
        )

    def issued(self) -> int:
        """Count the certificates that the CA has issued, by its own account."""
        return self.ca.log.read_text().count("Issued certificate serial")

    def ordered(self) -> int:
        """Count the orders that the CA has taken, by its own account."""
        return self.ca.log.read_text().count("Added order")


@dataclass(frozen=True, slots=True)
class Facts:
    """Where everything is, as another process can be told."""

    directory: str
    ca_file: Path
    roots: bytes
    resolver: str
    http_port: int


@dataclass(slots=True)
class World:
    """One office's part of it: its folder, its clock, and the name that it wants."""

    shared: Shared | None
    facts: Facts
    folder: Path
    name: str
    https_port: int = 0
    vault: str = ""  # the URL of the database of a vault that machines share
    ahead: float = 0  # seconds that this machine's clock is ahead of the CA's
    patience: float = 30  # seconds that it waits while another writes to the vault
    proven: list[str] = field(default_factory=list)

    def clock(self) -> float:
        return time.time() + self.ahead

    @property
    def master(self) -> MasterKey:
        return MasterKey.make(self.folder / "master.key", environment={})

    @property
    def cache(self) -> Cache:
        return Cache(self.folder / "certs", self.master)

    def terms(self, **changed: Any) -> Terms:
        facts = self.facts
        usual = Terms(directory=facts.directory, ca_file=facts.ca_file, terms_agreed=True)
        return replace(usual, **changed)

    def expected(self) -> Expected:
        roots = self.folder / "roots.pem"
        roots.write_bytes(self.facts.roots)
        return Expected(
            edge_host="edge.test",
            addresses=("127.0.0.1",),
            resolvers=(self.facts.resolver,),
            roots=roots,
            http_port=self.facts.http_port,
            https_port=self.https_port,
            allow_private=True,
        )

    @asynccontextmanager
    async def desk(self, **terms: Any) -> AsyncIterator[Desk]:
        """Open the vault and what a visit needs; the name is wanted and due."""
        at = place(self.vault or str(self.folder / "certs.db"))
        vault = await Vault.open(at, self.master, patience=self.patience)
        authority = Authority(self.terms(**terms), Accounts(vault), self.cache, self.clock)
        try:
            await authority.prepare()
            if self.shared:  # what edge workers do, who read the same file
                self.shared.answers.thumbprint = authority.thumbprint
            await Progress(vault).want([self.name], self.clock())
            yield Desk(
                vault=vault,
                cache=self.cache,
                authority=authority,
                edge=self.expected(),
                proven=self._proven,
                clock=self.clock,
            )
        finally:
            await authority.close()
            await vault.close()

    async def _proven(self, name: str, _at: float) -> None:
        self.proven.append(name)

    async def visited(self, desk: Desk, times: int = 1, holder: str = "office") -> Standing:
        """Visit the name, and return how it is then."""
        for _ in range(times):
            await visit(desk, Leases(desk.vault, holder), self.name)
        found = await standing_of(desk.vault, self.name, self.clock())
        assert found is not None
        return found


@asynccontextmanager
async def looking_after(
    world: World, desk: Desk, *others: str, holder: str = "office"
) -> AsyncIterator[Issuer]:
    """Run an issuer for the world's name, and for others."""

    async def wanted() -> list[str]:
        return [world.name, *others]

    issuer = Issuer(desk, Leases(desk.vault, holder), wanted, deliver=False)
    stopping = asyncio.Event()
    running = asyncio.create_task(issuer.run(stopping))
    try:
        yield issuer
    finally:
        stopping.set()
        await running


@asynccontextmanager
async def serving_https(world: World, shared: Shared) -> AsyncIterator[None]:
    """Serve HTTPS on a free port with what the cache holds at each handshake."""

    def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        bundle = world.cache.get(name or "")
        if bundle is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        with tempfile.TemporaryDirectory() as folder:
            tls.context = Pair(bundle.chain_pem, bundle.key_pem).server_context(Path(folder))
        return None

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever looks at the certificate alone may hang up at once.
        with contextlib.suppress(ConnectionError, IndexError):
            path = (await reader.readline()).split(b" ")[1].decode()
            body = (shared.answers.to(path) or "").encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = choose
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    world.https_port = server.sockets[0].getsockname()[1]
    async with server:
        yield
