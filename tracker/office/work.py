"""The office's work: opens everything, works until told to stop, closes it in order.

SIGTERM, SIGINT and the end of standard input (the parent is gone) mean: forward what is in the
spool, within DRAIN_WITHIN, then return. What is left then waits there for the next start.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette

from rewriter.keyring import KeyringError
from tracker import child, folder, geo, published
from tracker.api.app import api
from tracker.api.keys import ApiKeys
from tracker.enrich import PlaceError, RulesError
from tracker.forwarding import ledger
from tracker.forwarding.forward import Forwarder
from tracker.forwarding.ledger import Ledger, LedgerUnavailable
from tracker.forwarding.sweep import Sweep
from tracker.metrics import Late, exposition
from tracker.mistake import Exit, Mistake
from tracker.office import CertificateSettings, OfficeSettings, waiting, webhooks
from tracker.office.events import Events
from tracker.office.forwarding import forwarding
from tracker.office.places import keep_current
from tracker.office.publishing import Publishing
from tracker.office.readiness import readiness
from tracker.office.shared import Shared
from tracker.recipients import Recipients
from tracker.sinks.store import StoreSink
from tracker.sinks.url import BadSink
from tracker.store.access import KeyRecords
from tracker.store.database import Store, StoreUnavailable
from tracker.store.domains import Domains
from tracker.store.retention import Retention
from tracker.webhooks.posting import Posting

if TYPE_CHECKING:
    from tracker.office.certificates import Certificates

DRAIN_WITHIN: Final = 20.0  # seconds; the supervisor allows 30 for everything
ANSWER_WITHIN: Final = 5  # seconds for requests that are being answered
NOTE_USE_EVERY: Final = 60.0  # seconds between notes of which API keys are in use
REFRESH_EVERY: Final = 5.0  # seconds between looks at whether a City database was replaced

# What can be put right by a person: said in a sentence, with this exit status.
STATUSES: Final = {
    KeyringError: Exit.CONFIG,
    PlaceError: Exit.CONFIG,
    RulesError: Exit.CONFIG,
    LedgerUnavailable: Exit.DATA,
    BadSink: Exit.CONFIG,
}

TOLD: Final[tuple[type[Exception], ...]] = (Mistake, *STATUSES)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Office:
    """Everything that is open."""

    forwarders: Sequence[Forwarder]
    sweep: Sweep
    events: Events
    keys: ApiKeys
    retention: Retention
    publishing: Publishing
    shared: Shared
    certificates: "Certificates | None"
    posting: Posting
    app: Starlette


async def work(settings: OfficeSettings) -> None:
    """Forward and answer until told to stop.

    Raises Mistake and what STATUSES names, unless it is to wait until that is mended.
    """
    stopping = child.told_to_stop()
    listeners = [socket.socket(fileno=descriptor) for descriptor in settings.listen_fds]
    told = ""
    while not stopping.is_set():
        try:
            await _working(settings, listeners, stopping)
            return
        except TOLD as error:
            if not settings.waits:
                raise
            if (why := str(error)) != told:
                logger.error("office_waits", extra={"why": why})
            told = why
        await waiting.tell(told, listeners, stopping, folder.mark(Path(settings.data)))


async def _working(
    settings: OfficeSettings, listeners: list[socket.socket], stopping: asyncio.Event
) -> None:
    ended = asyncio.Event()
    async with opened(settings) as office, asyncio.TaskGroup() as tasks:
        server = child.server(office.app, ANSWER_WITHIN)
        tasks.create_task(server.serve(listeners))
        tasks.create_task(office.sweep.run(ended))
        until_then = (
            _refresh(office.events),
            keep_current(settings),
            _note_use(office.keys),
            office.retention.run(),
            office.publishing.run(),
            office.shared.run(),
        )
        current = [tasks.create_task(one) for one in until_then]
        if office.certificates:
            tasks.create_task(office.certificates.run(stopping))
        forwarding = [tasks.create_task(one.run(stopping)) for one in office.forwarders]
        forwarding.append(tasks.create_task(office.posting.run(stopping)))
        await stopping.wait()
        # The API goes on answering meanwhile, so that whoever follows sees the last events.
        _, late = await asyncio.wait(forwarding, timeout=DRAIN_WITHIN)
        for task in (*late, *current):
            task.cancel()
        office.app.state.arrivals.close()  # who waits for events would hold the server up
        ended.set()
        server.should_exit = True


@contextlib.asynccontextmanager
async def opened(settings: OfficeSettings) -> AsyncIterator[Office]:
    """Open what the office works with. Raises Mistake and what STATUSES names."""
    async with contextlib.AsyncExitStack() as closing:
        book = Ledger.open(Path(settings.data) / ledger.FILE)
        closing.callback(book.close)
        # Not opened yet: whatever else there is to do doesn't wait for a store that is away.
        store = Store(settings.store)
        closing.push_async_callback(store.close)
        publishing = Publishing(Domains(store), Path(settings.data) / published.FILE)
        await publishing.refresh()
        events = Events.open(
            Path(settings.keyring),
            list(map(Path, settings.geo_databases)),
            fetched=geo.fetched(Path(settings.data)),
            rules=Path(settings.rules) if settings.rules else None,
            records=publishing.records,
        )
        shared = Shared.open(settings, store, lambda: publishing.as_of)
        closing.push_async_callback(shared.close)
        keys = ApiKeys.load(Path(settings.api_key), KeyRecords(store), shared.copy)
        forward = await closing.enter_async_context(forwarding(settings, book, store, events.of))
        forwarders, sweep = forward.forwarders, forward.sweep
        certificates = _certificates(settings.certificates, Domains(store))
        client = webhooks.client(settings.webhooks.allow)
        closing.push_async_callback(client.close)
        posting = Posting(store, client, history=settings.webhooks.history)
        ready = readiness(
            sweep,
            forwarders,
            store,
            lambda: {
                **events.checks(),
                **(certificates.checks() if certificates else {}),
                **shared.checks(),
                "webhooks": webhooks.check(posting.overview()),
                **keys.checks(),
            },
            elsewhere=not any(isinstance(one.sink, StoreSink) for one in forwarders),
            folder=folder.mark(Path(settings.data)),
        )
        figures = exposition(
            lambda: sweep.survey,
            forwarders,
            *(certificates.figures() if certificates else ()),
            *shared.figures(),
            webhooks.Figures(posting.overview),
            Late(store),
        )
        app = api(
            store,
            keys,
            ready,
            figures,
            keyring=Path(settings.keyring),
            published=Path(settings.data) / published.FILE,
            rate=settings.api_rate,
            public_url=settings.api_public_url,
            vault=lambda: certificates.vault if certificates else None,
            recipients=Recipients.open(store, book, Path(settings.keyring)),
            webhooks=client,
            lookup=shared.lookup,
        )
        retention = Retention(store, settings.retention_days)
        yield Office(
            forwarders=forwarders,
            sweep=sweep,
            events=events,
            keys=keys,
            retention=retention,
            publishing=publishing,
            shared=shared,
            certificates=certificates,
            posting=posting,
            app=app,
        )


def _certificates(settings: CertificateSettings | None, domains: Domains) -> "Certificates | None":
    """Return what looks after certificates; None where TLS isn't ours to end. Raises Mistake."""
    if settings is None:
        return None
    from tracker.office.certificates import Certificates  # noqa: PLC0415 - ACME and checks: 0.1 s

    return Certificates(settings, domains)


async def _refresh(events: Events) -> None:
    while True:
        await asyncio.sleep(REFRESH_EVERY)
        await asyncio.to_thread(events.refresh)


async def _note_use(keys: ApiKeys) -> None:
    while True:
        await asyncio.sleep(NOTE_USE_EVERY)
        with contextlib.suppress(StoreUnavailable):
            await keys.note_use()
