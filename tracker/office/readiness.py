"""Readiness: gathers what `tracker.health` judges."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

from tracker import health
from tracker.forwarding.forward import Forwarder
from tracker.forwarding.sweep import Survey, Sweep
from tracker.health import Check, Health, SinkFacts, Status, counted
from tracker.store.database import Store, StoreUnavailable

ANSWER_WITHIN: Final = 2.0  # seconds that the store has: whoever asks gives up before long


def readiness(
    sweep: Sweep,
    forwarders: Sequence[Forwarder],
    store: Store,
    knowledge: Callable[[], Mapping[str, Check]],
    *,
    elsewhere: bool = False,
    folder: str = "",
) -> Callable[[], Awaitable[Health]]:
    """Return what answers `/readyz`. `knowledge` tells of the databases of places and the rules.

    Where events go `elsewhere` than into the store, hits are forwarded without it as with it.
    `folder` is the mark of the data folder.
    """

    async def ready() -> Health:
        now = time.time()
        checks = dict(_checks(sweep, forwarders, now))
        found = await _store(store, "degraded" if elsewhere else "down")
        return health.health(checks | {"store": found, **knowledge()}, folder)

    return ready


def _checks(
    sweep: Sweep, forwarders: Sequence[Forwarder], now: float
) -> Iterator[tuple[str, Check]]:
    survey = sweep.survey
    yield "edge", health.edge(survey.workers, now)
    yield "spool", health.spool(survey.workers, survey.free)
    furthest = max(survey.backlog, key=survey.backlog.__getitem__, default="")
    yield "backlog", health.backlog(survey.filling, furthest)
    yield "sweep", health.sweep(sweep.failing, now - survey.at)
    for forwarder in forwarders:
        yield f"sink {forwarder.sink.name}", health.sink(_facts(forwarder, survey, now))


def _facts(forwarder: Forwarder, survey: Survey, now: float) -> SinkFacts:
    progress = forwarder.progress
    return SinkFacts(
        trouble=progress.trouble,
        retry_in=progress.retry_in,
        lag=progress.lag(now),
        dead_letters=survey.dead_letters.get(forwarder.sink.name, 0),
        unreadable=len(progress.unreadable),
        missed=str(survey.missed.get(forwarder.sink.name, "")),
        paused=progress.paused,
    )


async def _store(store: Store, away: Status) -> Check:
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            last = await store.last()
    except StoreUnavailable as error:
        return Check(away, str(error))
    except TimeoutError:
        return Check(away, f"the store hasn't answered within {ANSWER_WITHIN:g} s")
    if store.damaged:
        met = counted(len(store.damaged), "damaged event")
        return Check("degraded", f"answers, but passed {met} by; the log says which")
    newest = f"the newest event has the number {last}" if last else "no event yet"
    late = f"; left out {counted(store.late, 'event')} from before an erasure" if store.late else ""
    return Check("ok", f"answers; {newest}{late}")
