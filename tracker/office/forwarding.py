"""Forwarding as the office does it: a forwarder for each sink of the settings, and their sweep."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tracker.forwarding.delivery import EventOf
from tracker.forwarding.forward import BATCH_BYTES, Forwarder
from tracker.forwarding.history import passage
from tracker.forwarding.ledger import Ledger
from tracker.forwarding.sweep import Sweep
from tracker.mistake import Exit, Mistake
from tracker.office import OfficeSettings
from tracker.reader import START, SpoolReader
from tracker.room import Bound
from tracker.sinks import opening
from tracker.sinks.opening import Opened
from tracker.sinks.url import SinkUrl, distinct
from tracker.store.database import Store


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What brings hits to sinks, and what empties the spool behind them."""

    forwarders: Sequence[Forwarder]
    sweep: Sweep


@contextlib.asynccontextmanager
async def forwarding(
    settings: OfficeSettings, book: Ledger, store: Store, event_of: EventOf
) -> AsyncIterator[Forwarding]:
    """Open the sinks. Raises Mistake, BadSink, LedgerUnavailable."""
    spool = _spool(Path(settings.spool))
    for stream in spool.streams():
        # A ledger that was lost, or is an old copy, doesn't know: whoever begins to read where
        # zeros are would take them for the end.
        if (begins := stream.unwiped()) > START:
            book.wiping(stream.name, begins)
    urls = distinct(tuple(map(SinkUrl.parse, settings.sinks)))
    async with contextlib.AsyncExitStack() as closing:
        sinks = opening.sinks(urls, Opened(store, settings.webhooks.allow))
        for sink in sinks:
            closing.push_async_callback(sink.close)
        history = partial(passage, store)
        forwarders = [
            Forwarder(
                sink, spool, book, event_of, url.wants, history=history, batch_bytes=_batch(url)
            )
            for sink, url in zip(sinks, urls, strict=True)
        ]
        bound = Bound(settings.spool_limit, settings.spool_reserve)
        yield Forwarding(forwarders, Sweep(spool, book, forwarders, bound, spared(urls)))


def _batch(url: SinkUrl) -> int:
    """Return how many bytes of hits a sink is offered at once.

    The store writes a page once for all of a batch that is on it: with some 4,000 hits it wrote 8.5
    KB an event, with 2,000 it was 13 (docs/store.md).
    """
    return 2 * BATCH_BYTES if url.scheme == "store" else BATCH_BYTES


def spared(urls: Sequence[SinkUrl]) -> list[str]:
    """Name the sinks that never lose their turn.

    It is the store that brings others what they missed. Without one that has everything, nobody
    could, and all of them are spared.
    """
    stores = [url.name for url in urls if url.scheme == "store" and url.wants_all]
    return stores or [url.name for url in urls]


def _spool(folder: Path) -> SpoolReader:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Mistake(
            f"cannot make the spool's folder {folder}: {error.strerror}", Exit.CANNOT_CREATE
        ) from error
    return SpoolReader(folder)
