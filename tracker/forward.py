"""Forward: from the spool, enriched, to one sink; each sink has a forwarder of its own.

In: the spool, what makes an event of a hit, a sink. Out: nothing but what the sink has kept.

Promise: a position moves on only once every hit before it is acknowledged by the sink or a dead
letter on disk. After a crash at any moment hits are offered again rather than skipped. A sink that
is down, slow or hanging delays itself alone. An event that later hits show in another light is
delivered once more, as a revision, before the position moves past those hits.
"""

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from tracker import dead
from tracker.contexts import Unreadable
from tracker.dead import Letter, letter
from tracker.enrich.company import BURST_WITHIN, Company
from tracker.event import Event
from tracker.hit import Hit
from tracker.ledger import Ledger, LedgerUnavailable, advance
from tracker.progress import Progress
from tracker.reader import START, Batch, Position, SpoolReader, Stream
from tracker.recent import LATE, Change, Recent
from tracker.sinks import EventRefused, Sink, SinkUnavailable

# Seconds after which a sink that failed is tried again, by failures in a row; the last repeats.
RETRY_AFTER: Final = (0.2, 1.0, 5.0, 15.0, 30.0, 60.0)
# Seconds after which an empty spool is looked at again, by looks in a row that found nothing; the
# last repeats.
LOOK_AFTER: Final = (0.02, 0.05, 0.1, 0.2)
DELIVER_WITHIN: Final = 30.0  # seconds until a sink that hangs is taken for one that is down
BATCH_BYTES: Final = 1 << 20  # some 2,000 hits: the store writes a page once for several of them
REPLAYED_AT_ONCE: Final = 100
# A stream that is this much ahead of one with a backlog, in the time of its hits, waits for it, so
# that clicks which tell of each other come within what is remembered. Now and then it goes on all
# the same: a clock that was set back must not hold anybody up.
AHEAD: Final = 2 * BURST_WITHIN
WAITS_FOR: Final = 16  # rounds

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

logger = logging.getLogger(__name__)


Judged = tuple[Hit, Company]


@dataclass(frozen=True, slots=True)
class Enriched:
    """What became of some hits: pairs of one and its event, and letters for those without one."""

    pairs: list[tuple[Judged, Event]]
    letters: list[Letter]


@dataclass(slots=True)
class Reached:
    """How far a stream was read, in the time of its hits; `more` says that it wasn't to its end."""

    at: int
    more: bool


class Forwarder:
    """Brings hits to one sink.

    `event_of` gives the event of a hit and the company it was in, or None if nobody wants one; it
    may raise Unreadable. What the sink doesn't want is passed over.
    """

    def __init__(
        self,
        sink: Sink,
        spool: SpoolReader,
        ledger: Ledger,
        event_of: Callable[[Hit, Company], Event | None],
        wants: Callable[[Event], bool] = lambda _: True,
        *,
        retry_after: Sequence[float] = RETRY_AFTER,
        deliver_within: float = DELIVER_WITHIN,
        batch_bytes: int = BATCH_BYTES,
        late: int = LATE,
    ) -> None:
        self.sink = sink
        self.progress = Progress()
        self.positions = ledger.positions(sink.name)
        # Streams read to their end, and the bytes torn there.
        self.finished = dict.fromkeys(ledger.finished()[0], 0)
        self._recent = Recent(ledger, sink.name)
        self._reached: dict[str, Reached] = {}
        self._rounds = 0
        self._spool = spool
        self._ledger = ledger
        self._event_of = event_of
        self._wants = wants
        self._retry_after = retry_after
        self._deliver_within = deliver_within
        self._batch_bytes = batch_bytes
        self._late = late

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
        self._rounds += 1
        present = await asyncio.to_thread(self._spool.streams)
        streams = [stream for stream in present if self._to_be_read(stream.name)]
        self._reached = {
            stream.name: self._reached.get(stream.name, Reached(0, more=True)) for stream in streams
        }
        in_turn = self._in_turn(streams)
        moved |= len(in_turn) < len(streams)
        for stream in in_turn:
            moved |= await self._forward(stream)
        if not moved and (change := self._recent.change((), self._until())):
            await asyncio.to_thread(self._forget, change)
        return moved

    def _to_be_read(self, stream: str) -> bool:
        return stream not in self.finished and stream not in self.progress.unreadable

    def _in_turn(self, streams: Sequence[Stream]) -> list[Stream]:
        """Return the streams that needn't wait for others."""
        if self._rounds % WAITS_FOR == 0:
            return [*streams]
        behind = [reached.at for reached in self._reached.values() if reached.more]
        latest = min(behind, default=0) + AHEAD
        return [one for one in streams if not behind or self._reached[one.name].at <= latest]

    def _until(self) -> int:
        """Return the time before which no hit can come any more, as far as one can tell."""
        return min((reached.at for reached in self._reached.values()), default=_now() - self._late)

    async def _forward(self, stream: Stream) -> bool:
        after = self.positions.get(stream.name, START)
        batch = await self._read(stream, after)
        letters: list[Letter] = []
        if batch.hits:
            self.progress.waiting_since[stream.name] = batch.hits[0].at
            self._reached[stream.name] = Reached(batch.hits[-1].at, more=True)
            letters = await self._offer(self._recent.judged(batch.hits))
        else:
            # Only now: between two batches the sink is still behind.
            self.progress.waiting_since.pop(stream.name, None)
            self._reached[stream.name] = Reached(_now() - self._late, more=False)
        if batch.position != after:
            change = self._recent.change(batch.hits, self._until())
            await asyncio.to_thread(self._advance, stream.name, batch.position, letters, change)
            self.positions[stream.name] = batch.position
        if batch.finished:
            self.finished[stream.name] = batch.torn
            self._reached.pop(stream.name, None)
        return batch.position != after

    async def _read(self, stream: Stream, after: Position) -> Batch:
        try:
            return await asyncio.to_thread(stream.read, after, self._batch_bytes)
        except msgspec.DecodeError:
            # A newer version wrote it. It keeps until that version reads it; others go on.
            self.progress.unreadable.add(stream.name)
            logger.error("stream_unreadable", extra={"sink": self.sink.name, "stream": stream.name})
            return Batch((), after)

    async def _offer(self, judged: Sequence[Judged]) -> list[Letter]:
        """Bring hits to the sink; return letters for those that die. Raises SinkUnavailable."""
        enriched = await asyncio.to_thread(self._events, judged)
        return enriched.letters + await self._deliver(enriched.pairs)

    def _events(self, judged: Sequence[Judged]) -> Enriched:
        enriched = Enriched([], [])
        mistakes: dict[str, str] = {}
        for one in judged:
            try:
                event = self._event_of(*one)
            except Unreadable as error:
                enriched.letters.append(self._letter(one, str(error)))
            except OUR_MISTAKES as error:
                mistakes[_where(error)] = type(error).__name__
                enriched.letters.append(self._letter(one, f"a mistake in this program: {error!r}"))
            else:
                if event is not None and self._wants(event):
                    enriched.pairs.append((one, event))
        for where, what in mistakes.items():
            logger.error("mistake", extra={"where": where, "error": what})
        return enriched

    async def _deliver(self, pairs: Sequence[tuple[Judged, Event]]) -> list[Letter]:
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
            kept = await self._offer([(one.hit, Company(one.company)) for one in letters])
            await asyncio.to_thread(self._settle, letters, kept)
        return bool(letters)

    def _advance(
        self, stream: str, position: Position, letters: Sequence[Letter], change: Change
    ) -> None:
        with self._ledger.transaction() as ledger:
            advance(ledger, self.sink.name, stream, position)
            dead.put(ledger, letters)
            self._recent.write(ledger, change)
        self._recent.accept(change)
        if letters:
            logger.error("dead_letters", extra={"sink": self.sink.name, "letters": len(letters)})

    def _forget(self, change: Change) -> None:
        with self._ledger.transaction() as ledger:
            self._recent.write(ledger, change)
        self._recent.accept(change)

    def _settle(self, replayed: Sequence[Letter], kept: Sequence[Letter]) -> None:
        with self._ledger.transaction() as ledger:
            dead.remove(ledger, replayed)
            dead.put(ledger, kept)
        logger.info(
            "replayed",
            extra={"sink": self.sink.name, "letters": len(replayed), "dead_again": len(kept)},
        )

    def _letter(self, judged: Judged, reason: str) -> Letter:
        hit, company = judged
        return letter(self.sink.name, hit, reason, time.time(), company)

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


def _now() -> int:
    return time.time_ns() // 1000


def _at(table: Sequence[float], attempt: int) -> float:
    return table[min(attempt, len(table)) - 1]


async def _pause(seconds: float, stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


def _where(error: Exception) -> str:
    """Name the line that raised; the message, which may hold an address of a person, stays out."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno} in {last.name}"
