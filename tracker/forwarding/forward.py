"""Forward: from the spool, enriched, to one sink; each sink has a forwarder of its own.

In: the spool, what makes an event of a hit, a sink. Out: nothing but what the sink has kept.

Promise: a position moves on only once every hit before it is acknowledged by the sink, a dead
letter on disk, or noted as missed. After a crash at any moment hits are offered again rather than
skipped. A sink that is down, slow or hanging delays itself alone. An event that later hits show in
another light is delivered once more, as a revision, before the position moves past those hits.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from tracker.forwarding import dead, missed, roll
from tracker.forwarding.again import Again, History
from tracker.forwarding.dead import Letter
from tracker.forwarding.delivery import DELIVER_WITHIN, Delivery, EventOf, Wants, where
from tracker.forwarding.ledger import Ledger, LedgerUnavailable, advance
from tracker.forwarding.missed import Missed
from tracker.forwarding.progress import Progress
from tracker.forwarding.recent import LATE, Change, Recent
from tracker.forwarding.turns import Turns
from tracker.reader import START, Batch, Position, SpoolReader, Stream
from tracker.sinks import Sink, SinkUnavailable

# Seconds after which a sink that failed is tried again, by failures in a row; the last repeats.
RETRY_AFTER: Final = (0.2, 1.0, 5.0, 15.0, 30.0, 60.0)
# Many edges that one broker or database left alone must not all come back in the same instant.
JITTER: Final = 0.2
# Seconds after which an empty spool is looked at again, by looks in a row that found nothing; the
# last repeats.
LOOK_AFTER: Final = (0.02, 0.05, 0.1, 0.2)
BATCH_BYTES: Final = 1 << 20  # some 2,000 hits: the store writes a page once for several of them

# What is out of order around us, said in a sentence.
TROUBLES: Final = (SinkUnavailable, LedgerUnavailable, OSError)

logger = logging.getLogger(__name__)


class Forwarder:
    """Brings hits to one sink: those that it wants, of those that `event_of` makes an event of.

    `history` is where events come from that it is to have again.
    """

    def __init__(
        self,
        sink: Sink,
        spool: SpoolReader,
        ledger: Ledger,
        event_of: EventOf,
        wants: Wants = lambda _: True,
        *,
        history: History | None = None,
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
        # Up to where the sink has lost its turn, by stream: set by whoever keeps the spool small.
        self.gives_up: dict[str, Position] = {}
        self._recent = Recent(ledger, sink.name)
        self._turns = Turns()
        self._delivery = Delivery(sink, event_of, wants, self.progress, deliver_within)
        self._again = Again(sink.name, ledger, self._delivery, history)
        self._spool = spool
        self._ledger = ledger
        self._retry_after = retry_after
        self._batch_bytes = batch_bytes
        self._late = late

    async def run(self, stopping: asyncio.Event) -> None:
        """Forward until told to stop; then go on until nothing is left or something fails."""
        looks = 0
        while True:
            try:
                moved = await self._round()
            except Exception as error:  # noqa: BLE001 - the top of a supervised loop
                wait = await self._fail(error)
                if stopping.is_set():
                    return
            else:
                await self._recover()
                looks = 0 if moved else looks + 1
                if stopping.is_set() and not moved:
                    return
                wait = 0 if moved else _at(LOOK_AFTER, looks)
            await _pause(wait, stopping)

    async def _round(self) -> bool:
        """Forward one batch of every stream; tell whether there was anything to do."""
        present = await asyncio.to_thread(self._spool.streams)
        streams = [stream for stream in present if self._to_be_read(stream.name)]
        for stream in streams:
            if stream.name in self.gives_up:
                await asyncio.to_thread(self._give_up, stream)
        self.progress.paused = await asyncio.to_thread(roll.is_paused, self._ledger, self.sink.name)
        if self.progress.paused:
            await self._look(streams)
            return False
        moved = await self._again.round()
        in_turn = self._turns.next(streams)
        moved |= len(in_turn) < len(streams)
        for stream in in_turn:
            moved |= await self._forward(stream)
        if not moved and (change := self._recent.change((), self._until())):
            await asyncio.to_thread(self._forget, change)
        return moved

    def _to_be_read(self, stream: str) -> bool:
        return stream not in self.finished and stream not in self.progress.unreadable

    def _until(self) -> int:
        return self._turns.until(otherwise=_now() - self._late)

    async def _forward(self, stream: Stream) -> bool:
        after = self.positions.get(stream.name, START)
        batch = await self._read(stream, after)
        letters: list[Letter] = []
        if batch.hits:
            self.progress.waiting_since[stream.name] = batch.hits[0].at
            letters = await self._delivery.hits(self._recent.judged(batch.hits))
            self._turns.read(stream.name, batch.hits[-1].at, more=True)
        else:
            # Only now: between two batches the sink is still behind.
            self.progress.waiting_since.pop(stream.name, None)
            self._turns.read(stream.name, _now() - self._late, more=False)
        if batch.position != after:
            change = self._recent.change(batch.hits, self._until())
            await asyncio.to_thread(self._advance, stream.name, batch.position, letters, change)
            self.positions[stream.name] = batch.position
        if batch.finished:
            self.finished[stream.name] = batch.torn
            self._turns.ended(stream.name)
        return batch.position != after

    async def _look(self, streams: Sequence[Stream]) -> None:
        """Find out since when hits wait, without bringing them anywhere."""
        for stream in streams:
            if stream.name not in self.progress.waiting_since:
                batch = await self._read(stream, self.positions.get(stream.name, START), 1)
                if batch.hits:
                    self.progress.waiting_since[stream.name] = batch.hits[0].at

    async def _read(self, stream: Stream, after: Position, limit: int = 0) -> Batch:
        try:
            return await asyncio.to_thread(stream.read, after, limit or self._batch_bytes)
        except msgspec.DecodeError:
            # A newer version wrote it. It keeps until that version reads it; others go on.
            self.progress.unreadable.add(stream.name)
            logger.error("stream_unreadable", extra={"sink": self.sink.name, "stream": stream.name})
            return Batch((), after)

    def _advance(
        self, stream: str, position: Position, letters: Sequence[Letter], change: Change
    ) -> None:
        with self._ledger.transaction() as ledger:
            advance(ledger, self.sink.name, stream, position)
            dead.put(ledger, letters)
            roll.reached(ledger, self.sink.name, self._until())
            self._recent.write(ledger, change)
        self._recent.accept(change)
        if letters:
            logger.error("dead_letters", extra={"sink": self.sink.name, "letters": len(letters)})

    def _forget(self, change: Change) -> None:
        with self._ledger.transaction() as ledger:
            self._recent.write(ledger, change)
        self._recent.accept(change)

    def _give_up(self, stream: Stream) -> None:
        """Move on past what the sink has lost its turn for, and note what it misses."""
        upto = self.gives_up.pop(stream.name, START)
        after = self.positions.get(stream.name, START)
        if upto <= after:
            return
        lost = stream.between(after, upto)
        why = "it held more of the spool than there is room for"
        with self._ledger.transaction() as ledger:
            advance(ledger, self.sink.name, stream.name, upto)
            if lost.hits:
                now = int(time.time())
                missed.note(
                    ledger, Missed(self.sink.name, lost.first, lost.last, lost.hits, why, now)
                )
        self.positions[stream.name] = upto
        self.progress.waiting_since.pop(stream.name, None)
        logger.error("sink_missed", extra={"sink": self.sink.name, "hits": lost.hits, "why": why})

    async def _fail(self, error: Exception) -> float:
        """Say what is wrong, once; return how long to wait before it is tried again."""
        progress = self.progress
        ours = not isinstance(error, TROUBLES)
        trouble = f"a mistake in this program: {type(error).__name__}" if ours else str(error)
        if trouble != progress.trouble:
            place = {"where": where(error)} if ours else {}
            logger.error(
                "sink_unavailable", extra={"sink": self.sink.name, "reason": trouble, **place}
            )
        progress.failures += 1
        progress.in_a_row += 1
        wait = _at(self._retry_after, progress.in_a_row)
        wait *= 1 + random.uniform(-JITTER, JITTER)  # noqa: S311 - no secret
        progress.trouble, progress.retry_in = trouble, wait
        await self._enroll(progress.in_a_row, trouble)
        return wait

    async def _recover(self) -> None:
        if self.progress.trouble:
            logger.info("sink_recovered", extra={"sink": self.sink.name})
            self.progress.trouble, self.progress.retry_in, self.progress.in_a_row = "", 0.0, 0
            await self._enroll(0)

    async def _enroll(self, failures: int, trouble: str = "") -> None:
        """Keep how the sink does where commands find it."""
        with contextlib.suppress(LedgerUnavailable):  # which may be the trouble
            await asyncio.to_thread(
                roll.tell, self._ledger, self.sink.name, failures, trouble, int(time.time())
            )


def _now() -> int:
    return time.time_ns() // 1000


def _at(table: Sequence[float], attempt: int) -> float:
    return table[min(attempt, len(table)) - 1]


async def _pause(seconds: float, stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
