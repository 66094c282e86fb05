"""How things stand, read from the data folder alone: for when the back office can't be asked.

In: paths. Out: a check for each part, in the order of a hit's way. Reads, and changes nothing that
anybody waits for; what can't be read is told as such.
"""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from certs.cache import Cache
from certs.vault.master import MasterKey, MasterKeyError
from tracker import counters, geo, health, size
from tracker.counters import Counter
from tracker.enrich.place import Database, PlaceError
from tracker.enrich.shown import shown
from tracker.enrich.tables import RulesError
from tracker.forwarding import ledger, worker
from tracker.forwarding.lag import backlog, full
from tracker.forwarding.ledger import Ledger, LedgerUnavailable
from tracker.forwarding.standing import SinkStanding, standings
from tracker.health import Check, counted
from tracker.masked import masked
from tracker.reader import START, SpoolReader, Stream
from tracker.room import Bound, Filling
from tracker.sinks.url import SinkUrl

SOON: Final = 14 * 86_400  # seconds: Let's Encrypt's certificates are renewed a month before
LOSSES: Final = {
    Counter.LOST.name: "answered and never written",
    Counter.LATE.name: "answered before they were on disk",
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything lies."""

    data: Path
    spool: Path
    store: str
    certificates: Path
    master_key: Path
    rules: Path
    databases: Sequence[Path]
    sinks: Sequence[SinkUrl]
    bound: Bound


def checks(at: Places, now: float) -> dict[str, Check]:
    """Look at everything once."""
    return dict(_checks(at, now))


def _checks(at: Places, now: float) -> Iterator[tuple[str, Check]]:
    streams = SpoolReader(at.spool).streams()
    workers = [worker.facts(stream) for stream in streams]
    yield "edge", health.edge(workers, now)
    yield "spool", health.spool(workers, shutil.disk_usage(at.data).free)
    yield from _forwarded(at, streams)
    if any(sink.scheme == "store" for sink in at.sinks):
        yield "store", _store(at.store)
    if "://" in at.store:
        yield "shared", _shared(at)
    if at.certificates.exists():
        yield "certificates", _certificates(at, now)
    yield "places", _places(at, now)
    yield "rules", _rules(at.rules)


def _forwarded(at: Places, streams: Sequence[Stream]) -> Iterator[tuple[str, Check]]:
    path = at.data / ledger.FILE
    if not path.exists():
        waiting = sum(backlog(stream, START) for stream in streams)
        yield (
            "sinks",
            Check(
                "degraded", f"no back office has run here yet; {size.shown(waiting)} of hits wait"
            ),
        )
        return
    try:
        with contextlib.closing(Ledger.open(path)) as book:
            found = standings(book, SpoolReader(at.spool), at.sinks)
            for one in found:
                if one.state != "not in the settings":
                    yield f"sink {one.name}", _sink(one)
            yield "backlog", _backlog(at, found)
            yield "losses", _losses(book, streams)
    except LedgerUnavailable as error:
        yield "sinks", Check("down", str(error))


def _sink(one: SinkStanding) -> Check:
    dead = one.dead_letters
    says = [_waiting(one.lag.bytes)]
    if one.paused:
        says.append("it is paused")
    if dead:
        says.append(f"{counted(dead, 'dead letter')}: see 'tracker dead list'")
    if one.missed:
        says.append(f"it missed some: 'tracker sinks replay {one.name}' brings them")
    well = not (one.lag.bytes or dead or one.missed)
    return Check("ok" if well else "degraded", "; ".join(says))


def _backlog(at: Places, found: Sequence[SinkStanding]) -> Check:
    free = shutil.disk_usage(at.data).free
    held = sum(taken for stream in SpoolReader(at.spool).streams() for _, taken in full(stream))
    furthest = max(found, key=lambda one: one.lag.bytes)
    return health.backlog(Filling(held, at.bound.capacity(held, free)), furthest.name)


def _waiting(left: int) -> str:
    return f"{size.shown(left)} of hits wait for it" if left else "has every hit"


def _losses(book: Ledger, streams: Sequence[Stream]) -> Check:
    finished, totals = book.finished()
    for stream in streams:
        if stream.name not in finished:
            for counter, value in counters.read(stream.folder).items():
                totals[counter.name] = totals.get(counter.name, 0) + value
    # What a worker that lives lost is of now; what others lost was told when it happened.
    now = sum(counters.read(stream.folder)[Counter.LOST] for stream in streams if stream.alive())
    told = [
        f"{counted(totals[name], 'hit')} {what}"
        for name, what in LOSSES.items()
        if totals.get(name)
    ]
    if torn := totals.get(worker.TORN, 0):
        told.append(f"{size.shown(torn)} torn when workers died, for which nobody was answered")
    says = "; ".join(told) or "none, ever"
    return Check("degraded" if now else "ok", says)


def _store(where: str) -> Check:
    return _at_server(where) if "://" in where else _file(Path(where))


def _at_server(where: str) -> Check:
    # Takes half a second to import, of which whoever has a file is spared.
    from tracker.store.database import Store, StoreUnavailable  # noqa: PLC0415 - see above

    async def last() -> int:
        store = Store(where)
        try:
            return await store.glance()
        finally:
            await store.close()

    try:
        return Check("ok", f"the newest event has the number {asyncio.run(last())}")
    except StoreUnavailable as error:
        return Check("down", f"{masked(where)}: {error}")


def _file(path: Path) -> Check:
    if not path.exists():
        return Check("degraded", f"there is no {path} yet")
    try:
        # Read-only: a store that another version must migrate is left for that one.
        opened = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2)
        with contextlib.closing(opened) as store:
            (last,) = store.execute("select last from ingested").fetchone()
    except (sqlite3.Error, TypeError) as error:
        return Check("down", f"{path} can't be read: {error}")
    taken = size.shown(path.stat().st_size)
    return Check("ok", f"the newest event has the number {last}; {taken}")


def _shared(at: Places) -> Check:
    from tracker.shared.copy import FILE, Copy, CopyUnavailable  # noqa: PLC0415 - as above
    from tracker.shared.told import dated  # noqa: PLC0415 - as above

    try:
        if (copy := Copy.there(at.data / FILE, masked(at.store))) is None:
            return Check("degraded", "nothing of what machines share is on this machine yet")
        with contextlib.closing(copy):
            return Check("ok", dated(copy.current()))
    except CopyUnavailable as error:
        return Check("degraded", str(error))


def _certificates(at: Places, now: float) -> Check:
    try:
        cache = Cache(at.certificates, MasterKey.load(at.master_key))
    except MasterKeyError as error:
        return Check("degraded", str(error))
    names = cache.names()
    found = {name: bundle.not_after for name in names if (bundle := cache.get(name))}
    over = [name for name, end in found.items() if end <= now]
    if over:
        return Check("degraded", f"expired: {', '.join(over[:3])}")
    if damaged := len(names) - len(found):
        return Check("degraded", f"{counted(damaged, 'certificate')} can't be read")
    if not found:
        return Check("ok", "there are none")
    first = min(found, key=found.__getitem__)
    days = (found[first] - now) / 86_400
    soon = found[first] - now < SOON
    says = (
        f"{counted(len(found), 'certificate')}; the first to end is {first}'s, in {days:.0f} days"
    )
    return Check("degraded" if soon else "ok", says)


def _places(at: Places, now: float) -> Check:
    fetched = geo.fetched(at.data)
    paths = [*at.databases, *([fetched] if fetched.exists() else [])]
    try:
        return health.places([Database.open(path).built for path in paths], now)
    except PlaceError as error:
        return Check("degraded", str(error))


def _rules(folder: Path) -> Check:
    try:
        tables = list(shown(folder))
    except RulesError as error:
        return Check("degraded", str(error))
    return Check("ok", ", ".join(f"{one.name} {one.updated or 'as released'}" for one in tables))
