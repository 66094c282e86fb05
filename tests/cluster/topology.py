"""The topology: everything that one installation beyond one machine has, in one folder.

    edge 1, edge 2  →  proxies  →  JetStream, three nodes  →  proxies  →  consumer 1, consumer 2
    both            →  proxy    →  PostgreSQL              ←  proxy    ←  both

Each edge has its workers, its office and its data folder. What stands on one side of a proxy knows
no other way to what stands on the other.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from tests.cluster import disk
from tests.cluster.books import Books, kept_at
from tests.cluster.disk import Disk
from tests.cluster.load import Load
from tests.cluster.part import Part
from tests.patience import wait_for
from tests.servers import nats, postgresql
from tests.servers.nats import Nats, Node
from tests.servers.postgresql import Postgres
from tests.servers.proxy import Proxy, between
from tests.storm.crowd import Visit

STREAM: Final = "EVENTS"
DATABASE: Final = "tracker"
KEYRING: Final = "keyring.json"
MASTER_KEY: Final = "master.key"
ARRIVES_WITHIN: Final = 120.0  # seconds from when all is mended; some wait before they try again


@dataclass(frozen=True, slots=True)
class Network:
    """The proxies of one side: to each node of the bus, and to the store."""

    bus: Sequence[Proxy]
    store: Proxy

    @property
    def hosts(self) -> str:
        """The bus, as a URL has it."""
        return ",".join(proxy.address for proxy in self.bus)


@dataclass(frozen=True, slots=True)
class Topology:
    """All parts. Edges and consumers have a network each."""

    bus: Nats
    store: Postgres
    disk: Disk | None
    networks: Sequence[Network]
    edges: Sequence[Part]
    consumers: Sequence[Part]
    books: Books
    loads: "count[int]"

    @property
    def parts(self) -> Sequence[Part]:
        """What runs of ours."""
        return (*self.edges, *self.consumers)

    @contextmanager
    def load(self) -> Iterator[Load]:
        """Have recipients come to both edges until the block ends."""
        answering = [edge.addresses[0] for edge in self.edges]
        load = Load(answering, self.edges[0].data / KEYRING, next(self.loads))
        with load.coming():
            load.goes_on()
            yield load

    def mend(self) -> None:
        """Bring back whatever a fault left broken."""
        for network in self.networks:
            for proxy in (*network.bus, network.store):
                proxy.heal()
        if self.disk:
            self.disk.free()
        broken: list[Node | Part | Postgres] = [*self.bus.nodes, *self.parts, self.store]
        for one in broken:
            if not one.running:
                one.start()

    def held(self) -> int:
        """Return how many events consumers hold that they haven't acknowledged."""
        asked = self.bus.leader(STREAM).ask("jsz?accounts=true&streams=true&consumers=true")
        return sum(
            consumer["num_ack_pending"]
            for account in asked.get("account_details", ())
            for stream in account.get("stream_detail", ())
            for consumer in stream.get("consumer_detail", ())
        )

    def stores_more(self, more: int = 60) -> None:
        """Wait until so many more events have been stored."""
        self.books.read()
        until = len(self.books.visits) + more
        self._read_until(lambda: len(self.books.visits) >= until, f"{more} more events")

    def arrived(self, visits: set[Visit]) -> None:
        """Wait until all of these have been stored."""
        self._read_until(lambda: self.books.holds(visits), "what was answered")

    def _read_until(self, enough: Callable[[], bool], what: str) -> None:
        wait_for(lambda: self.books.read() and enough(), f"{what} to be stored", ARRIVES_WITHIN)


@contextmanager
def standing(folder: Path) -> Iterator[Topology]:
    """Start everything; end it with the block. Raises Missing of either server."""
    with ExitStack() as stack:
        store = stack.enter_context(postgresql.running())
        small = stack.enter_context(disk.small(store))
        _database(store, small)
        bus = stack.enter_context(nats.running(folder / "bus", nodes=3))
        networks = [_network(stack, bus, store) for _ in range(2)]
        edges = [_edge(folder, number, networks[0], store) for number in (1, 2)]
        consumers = [_consumer(folder, number, networks[1], store) for number in (1, 2)]
        share(*edges)
        for part in (*edges, *consumers):
            stack.callback(part.kill)
            part.start()
        for edge in edges:
            edge.listens("TRACKER_EDGE_LISTEN", "TRACKER_API_LISTEN")
        for consumer in consumers:
            consumer.listens("TRACKER_CONSUME_LISTEN")
        books = stack.enter_context(kept_at(store.url(DATABASE)))
        yield Topology(bus, store, small, networks, edges, consumers, books, count())


def _database(store: Postgres, small: Disk | None) -> None:
    where = ""
    if small:
        store.sql(f"CREATE TABLESPACE small LOCATION '{small.path}'")
        where = "TABLESPACE small"
    store.sql(f"CREATE DATABASE {DATABASE} {where}")


def share(first: Part, second: Part) -> None:
    """Do what an operator does: make a key on one machine, and carry its master key to the other.

    The keyring itself comes from the store.
    """
    first.tell("keys", "new")
    shutil.copy(first.data / MASTER_KEY, second.data)


def _network(stack: ExitStack, bus: Nats, store: Postgres) -> Network:
    *nodes, behind = (
        stack.enter_context(between(address)) for address in (*bus.hosts.split(","), store.address)
    )
    return Network(nodes, behind)


def _edge(folder: Path, number: int, network: Network, store: Postgres) -> Part:
    data = folder / f"edge-{number}"
    data.mkdir(mode=0o700)
    settings = {
        **_settings(data, network, store),
        "TRACKER_EDGE_LISTEN": "127.0.0.1:0",
        "TRACKER_API_LISTEN": "127.0.0.1:0",
        "TRACKER_EDGE_WORKERS": "1",
        # Nobody is answered before the disk has the hit, however slow that may be.
        "TRACKER_EDGE_LATE_AFTER": "60",
    }
    return Part(data.name, "serve", folder, settings)


def _consumer(folder: Path, number: int, network: Network, store: Postgres) -> Part:
    data = folder / f"consumer-{number}"
    data.mkdir(mode=0o700)
    settings = {**_settings(data, network, store), "TRACKER_CONSUME_LISTEN": "127.0.0.1:0"}
    return Part(data.name, "consume", folder, settings)


def _settings(data: Path, network: Network, store: Postgres) -> dict[str, str]:
    return {
        "TRACKER_DATA": str(data),
        "TRACKER_SINKS": f"nats://{network.hosts}/{STREAM}?name=bus",
        "TRACKER_STORE_URL": store.url(DATABASE, network.store.address),
    }
