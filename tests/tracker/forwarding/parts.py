"""What the tests of the back office are built from: real workers' streams and a sink in memory."""

import asyncio
import resource
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from rewriter.keyring import Keyring
from rewriter.tokens import CLICK, Context, Link, Tokens
from tracker import hit as hits
from tracker.contexts import Contexts
from tracker.counters import Counter, Counters
from tracker.enrich.company import Company
from tracker.event import (
    ClientInfo,
    Domain,
    Event,
    Geolocation,
    Message,
    Verdict,
)
from tracker.forwarding.again import History
from tracker.forwarding.forward import BATCH_BYTES, Forwarder
from tracker.forwarding.ledger import Ledger
from tracker.forwarding.recent import LATE
from tracker.forwarding.sweep import Sweep
from tracker.hit import Hit, HitIds
from tracker.reader import SpoolReader
from tracker.segments import Segments
from tracker.sinks import EventRefused, Sink, SinkUnavailable

DOMAIN = "click.example.com"
SEGMENT_BYTES = 64 * 1024
NEVER_WAIT = (0.0,)

_ids = HitIds()
_at = count(1_700_000_000_000_000, 1_000_000)


def token(keyring: Keyring, recipient: str = "ann@example.org") -> str:
    """Mint the token of a click."""
    tokens = Tokens(keyring.for_domain(DOMAIN))
    context = tokens.seal_context(
        Context(message_id="m@example.com", recipient=recipient, sending_domain="example.com")
    )
    return tokens.mint(CLICK, tokens.seal_link(Link("https://example.com/", 1)), context).decode()


def ids(hits: Iterable[Hit]) -> list[str]:
    """Return the ids of their events."""
    return [hit.id.hex() for hit in hits]


def click(token: str) -> Hit:
    """Click a link once more."""
    at = next(_at)
    return Hit(_ids.next(at), "c", at, DOMAIN, token, "GET", "192.0.2.1", "Mozilla/5.0")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have the system refuse to let any file grow beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Worker:
    """A stream as an edge worker writes it."""

    def __init__(self, spool: Path) -> None:
        self.segments = Segments(spool, SEGMENT_BYTES)
        self.segments.begin()
        self.segments.prepare()
        self.counters = Counters.create(self.segments.folder)
        self.name = self.segments.folder.name
        self.alive = True

    def write(self, *written: Hit) -> None:
        """Write hits as one frame."""
        self.segments.write([hits.encode(one) for one in written])
        self.counters.cells[Counter.CLICKED] += len(written)

    def die(self) -> None:
        """Be gone, as far as a reader can tell."""
        if self.alive:
            self.segments.close()
            self.alive = False


class Kept:
    """A sink in memory: idempotent on id, and out of order whenever told to be."""

    def __init__(self, name: str = "kept", trouble: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.trouble = trouble
        self.events: dict[str, Event] = {}
        self.calls = 0
        self.refuses = ""
        self.down = False
        self.hangs = False
        self.arrived = asyncio.Event()

    async def deliver(self, events: Sequence[Event]) -> None:
        """Keep the events, unless told otherwise."""
        self.calls += 1
        if self.down:
            raise SinkUnavailable("down for the test")
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if any(event.recipient == self.refuses for event in events):
            raise EventRefused("poison")
        for event in events:
            known = self.events.get(event.id)
            if known is None or known.revision < event.revision:
                self.events[event.id] = event
        self.trouble()
        self.arrived.set()

    async def close(self) -> None:
        """Nothing is open."""


class Office:
    """The parts of a back office over one data folder; making another one is a restart."""

    def __init__(
        self,
        data: Path,
        *sinks: Sink,
        deliver_within: float = 30,
        batch_bytes: int = BATCH_BYTES,
        event_of: Callable[[Hit, Company], Event | None] | None = None,
        wants: Callable[[Event], bool] = lambda _: True,
        history: History | None = None,
        late: int = LATE,
    ) -> None:
        self.spool = SpoolReader(data / "spool")
        self.ledger = Ledger.open(data / "forward.db")
        self.contexts = Contexts(data / "keyring.json")
        self.forwarders = [
            Forwarder(
                sink,
                self.spool,
                self.ledger,
                event_of or self.event_of,
                wants,
                history=history,
                retry_after=NEVER_WAIT,
                deliver_within=deliver_within,
                batch_bytes=batch_bytes,
                late=late,
            )
            for sink in sinks
        ]
        self.sweep = Sweep(self.spool, self.ledger, self.forwarders)

    def event_of(self, hit: Hit, company: Company = Company.ALONE) -> Event:
        """Make a plain event, whose revision is the company it was in."""
        context, link = self.contexts.open(hit)
        return Event(
            event="clicked",
            id=hit.id.hex(),
            timestamp=hit.at / 1e6,
            domain=Domain(name=context.sending_domain),
            recipient=context.recipient,
            recipient_domain=context.recipient.rpartition("@")[2],
            ip=hit.address,
            geolocation=Geolocation(),
            client_info=ClientInfo(),
            message=Message(headers={"message-id": context.message_id}),
            url=link.destination,
            verdict=Verdict(),
            revision=company,
        )

    async def drain(self) -> None:
        """Forward what is in the spool, as on SIGTERM."""
        stopping = asyncio.Event()
        stopping.set()
        await asyncio.gather(*(forwarder.run(stopping) for forwarder in self.forwarders))


Offices = Callable[..., Office]
