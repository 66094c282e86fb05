"""Forward: from the spool, enriched, to one sink; each sink has a forwarder of its own.

In: the spool, what makes an event of a hit, a sink. Out: nothing but what the sink has kept.

Promise: a position moves on only once every hit before it is acknowledged by the sink or a dead
letter on disk. After a crash at any moment hits are offered again rather than skipped. A sink that
is down, slow or hanging delays itself alone.
"""

import asyncio
import contextlib
import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from tracker import dead
from tracker.contexts import Unreadable
from tracker.dead import Letter, letter
from tracker.event import Event, Geolocation
from tracker.hit import Hit
from tracker.ledger import Ledger, LedgerUnavailable, advance
from tracker.reader import START, Batch, Position, SpoolReader, Stream
from tracker.sinks import EventRefused, Sink, SinkUnavailable

# Seconds after which a sink that failed is tried again, by failures in a row; the last repeats.
RETRY_AFTER: Final = (0.2, 1.0, 5.0, 15.0, 30.0, 60.0)
# Seconds after which an empty spool is looked at again, by looks in a row that found nothing; the
# last repeats.
LOOK_AFTER: Final = (0.02, 0.05, 0.1, 0.2)
DELIVER_WITHIN: Final = 30.0  # seconds until a sink that hangs is taken for one that is down
BATCH_BYTES: Final = 256 * 1024  # some 500 hits
REPLAYED_AT_ONCE: Final = 100

# What a mistake of ours in pure code raises. A hit that runs into one would run into it for ever,
# and the spool would fill up behind it.
OUR_MISTAKES: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)

# What is out of order around us, said in a sentence.
TROUBLES: Final = (SinkUnavailable, LedgerUnavailable, OSError)
UNKNOWN: Final = Geolocation().country

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """How a forwarder does, for metrics and health. Counts begin with the process."""

    events: Counter[str] = field(default_factory=Counter)  # acknowledged, by kind
    without_place: int = 0
    failures: int = 0
    trouble: str = ""
    retry_in: float = 0.0
    waiting_since: dict[str, int] = field(default_factory=dict)  # by stream: its oldest hit's `at`
    unreadable: set[str] = field(default_factory=set)  # streams

    def acknowledge(self, events: Iterable[Event]) -> None:
        """Count what the sink has kept."""
        for event in events:
            self.events[event.event] += 1
            self.without_place += event.geolocation.country == UNKNOWN

    def lag(self, now: float) -> float:
        """Return for how many seconds the oldest hit that was read has waited for the sink."""
        return max((now - at / 1e6 for at in self.waiting_since.values()), default=0.0)


@dataclass(frozen=True, slots=True)
class Enriched:
    """What became of some hits: pairs of a hit and its event, and letters for those without one."""

    pairs: list[tuple[Hit, Event]]
    letters: list[Letter]


class Forwarder:
    """Brings hits to one sink.

    `event_of` gives a hit's event, or None if nobody wants one; it may raise Unreadable.
    """

    def __init__(
        self,
        sink: Sink,
        spool: SpoolReader,
        ledger: Ledger,
        event_of: Callable[[Hit], Event | None],
        *,
        retry_after: Sequence[float] = RETRY_AFTER,
        deliver_within: float = DELIVER_WITHIN,
    ) -> None:
        self.sink = sink
        self.progress = Progress()
        self.positions = ledger.positions(sink.name)
        # Streams read to their end, and the bytes torn there.
        self.finished = dict.fromkeys(ledger.finished()[0], 0)
        self._spool = spool
        self._ledger = ledger
        self._event_of = event_of
        self._retry_after = retry_after
        self._deliver_within = deliver_within

    async def run(self, stopping: asyncio.Event) -> None:
        """Forward until told to stop; then go on until nothing is left or something fails."""
        failures = looks = 0
        while True:
            try:
                moved = await self._round()
            except Exception as error:  # noqa: BLE001 - the top of a supervised loop
                failures += 1
                self._fail(error, wait := _at(self._retry_after, failures))
                if stopping.is_set():
                    return
            else:
                self._recover()
                failures, looks = 0, 0 if moved else looks + 1
                if stopping.is_set() and not moved:
                    return
                wait = 0 if moved else _at(LOOK_AFTER, looks)
            await _pause(wait, stopping)

    async def _round(self) -> bool:
        """Forward one batch of every stream; tell whether there was anything to do."""
        moved = await self._replay()
        for stream in await asyncio.to_thread(self._spool.streams):
            if stream.name not in self.finished and stream.name not in self.progress.unreadable:
                moved |= await self._forward(stream)
        return moved

    async def _forward(self, stream: Stream) -> bool:
        after = self.positions.get(stream.name, START)
        batch = await self._read(stream, after)
        letters: list[Letter] = []
        if batch.hits:
            self.progress.waiting_since[stream.name] = batch.hits[0].at
            letters = await self._offer(batch.hits)
        else:
            # Only now: between two batches the sink is still behind.
            self.progress.waiting_since.pop(stream.name, None)
        if batch.position != after:
            await asyncio.to_thread(self._advance, stream.name, batch.position, letters)
            self.positions[stream.name] = batch.position
        if batch.finished:
            self.finished[stream.name] = batch.torn
        return batch.position != after

    async def _read(self, stream: Stream, after: Position) -> Batch:
        try:
            return await asyncio.to_thread(stream.read, after, BATCH_BYTES)
        except msgspec.DecodeError:
            # A newer version wrote it. It keeps until that version reads it; others go on.
            self.progress.unreadable.add(stream.name)
            logger.error("stream_unreadable", extra={"sink": self.sink.name, "stream": stream.name})
            return Batch((), after)

    async def _offer(self, hits: Sequence[Hit]) -> list[Letter]:
        """Bring hits to the sink; return letters for those that die. Raises SinkUnavailable."""
        enriched = await asyncio.to_thread(self._events, hits)
        return enriched.letters + await self._deliver(enriched.pairs)

    def _events(self, hits: Sequence[Hit]) -> Enriched:
        enriched = Enriched([], [])
        mistakes: dict[str, str] = {}
        for hit in hits:
            try:
                event = self._event_of(hit)
            except Unreadable as error:
                enriched.letters.append(self._letter(hit, str(error)))
            except OUR_MISTAKES as error:
                mistakes[_where(error)] = type(error).__name__
                enriched.letters.append(self._letter(hit, f"a mistake in this program: {error!r}"))
            else:
                if event is not None:
                    enriched.pairs.append((hit, event))
        for where, what in mistakes.items():
            logger.error("mistake", extra={"where": where, "error": what})
        return enriched

    async def _deliver(self, pairs: Sequence[tuple[Hit, Event]]) -> list[Letter]:
        """Deliver events; return letters for those that are refused. Raises SinkUnavailable."""
        if not pairs:
            return []
        try:
            async with asyncio.timeout(self._deliver_within):
                await self.sink.deliver([event for _, event in pairs])
        except TimeoutError as error:
            raise SinkUnavailable(f"no answer within {self._deliver_within:g} s") from error
        except EventRefused as refusal:
            if len(pairs) == 1:
                return [self._letter(pairs[0][0], str(refusal))]
            middle = len(pairs) // 2
            return await self._deliver(pairs[:middle]) + await self._deliver(pairs[middle:])
        self.progress.acknowledge(event for _, event in pairs)
        return []

    async def _replay(self) -> bool:
        """Offer dead letters again that someone asked for."""
        letters = await asyncio.to_thread(
            dead.to_replay, self._ledger, self.sink.name, REPLAYED_AT_ONCE
        )
        if letters:
            kept = await self._offer([one.hit for one in letters])
            await asyncio.to_thread(self._settle, letters, kept)
        return bool(letters)

    def _advance(self, stream: str, position: Position, letters: Sequence[Letter]) -> None:
        with self._ledger.transaction() as ledger:
            advance(ledger, self.sink.name, stream, position)
            dead.put(ledger, letters)
        if letters:
            logger.error("dead_letters", extra={"sink": self.sink.name, "letters": len(letters)})

    def _settle(self, replayed: Sequence[Letter], kept: Sequence[Letter]) -> None:
        with self._ledger.transaction() as ledger:
            dead.remove(ledger, replayed)
            dead.put(ledger, kept)
        logger.info(
            "replayed",
            extra={"sink": self.sink.name, "letters": len(replayed), "dead_again": len(kept)},
        )

    def _letter(self, hit: Hit, reason: str) -> Letter:
        return letter(self.sink.name, hit, reason, time.time())

    def _fail(self, error: Exception, wait: float) -> None:
        ours = not isinstance(error, TROUBLES)
        trouble = f"a mistake in this program: {type(error).__name__}" if ours else str(error)
        if trouble != self.progress.trouble:
            where = {"where": _where(error)} if ours else {}
            logger.error(
                "sink_unavailable", extra={"sink": self.sink.name, "reason": trouble, **where}
            )
        self.progress.failures += 1
        self.progress.trouble, self.progress.retry_in = trouble, wait

    def _recover(self) -> None:
        if self.progress.trouble:
            logger.info("sink_recovered", extra={"sink": self.sink.name})
            self.progress.trouble, self.progress.retry_in = "", 0.0


def _at(table: Sequence[float], attempt: int) -> float:
    return table[min(attempt, len(table)) - 1]


async def _pause(seconds: float, stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


def _where(error: Exception) -> str:
    """Name the line that raised; the message, which may hold an address of a person, stays out."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno} in {last.name}"
