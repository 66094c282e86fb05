"""The spool: hits on disk, waiting for every sink to take them. This is the side that writes.

Promise: a waiter is called once its hit is on disk, or, where the disk takes longer than
`late_after`, at that bound, and the hit is still written. Only a full queue loses hits; each loss
is counted.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from tracker.counters import Counter, Counters
from tracker.segments import Segments

MAX_BATCH: Final = 2000  # hits; at their largest they still fit into the smallest segment
RETRY_AFTER: Final = (0.05, 0.2, 1.0, 2.0, 5.0)  # seconds; the last repeats
# A commit costs two switches between threads, more than a hit does, and libuv accepts one
# connection in a turn of the loop: so a batch waits while every turn or two brings another hit.
STILL: Final = 2  # turns without a hit, after which no more are about to come
ENOUGH: Final = 48  # hits: with more, those who are answered together also wait together
LINGER: Final = 0.003  # seconds
SHOUT_EVERY: Final = 10.0  # seconds between two log lines about the same trouble

# Plain integers: an enum member costs an attribute look-up on the hot path.
_ACCEPTED: Final = int(Counter.ACCEPTED)
_LATE: Final = int(Counter.LATE)

logger = logging.getLogger(__name__)


class SpoolUnavailable(Exception):
    """The hit could not be made durable in time. It may still be written later."""


class Batch:
    """Hits that share one write, and whoever waits for it."""

    __slots__ = ("born", "durable", "late", "records", "waiters")

    def __init__(self, born: float) -> None:
        self.born = born
        self.records: list[bytes] = []
        self.waiters: list[Callable[[], object]] = []
        self.durable: asyncio.Future[None] | None = None
        self.late = False

    def answer(self) -> None:
        """Call every waiter, once."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter()


class Spool:
    """Takes hits on the event loop, writes them in batches on a thread of its own.

    One batch is on its way to the disk while the next one gathers, so the number of hits that
    share an fsync follows the load by itself.
    """

    def __init__(
        self,
        segments: Segments,
        counters: Counters,
        *,
        late_after: float = 0.25,
        queue_limit: int = 20_000,
    ) -> None:
        self._segments = segments
        self._cells = counters.cells
        self._late_after = late_after
        self._queue_limit = queue_limit
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._waiting = 0
        self._writing: Batch | None = None
        self._gathering: deque[Batch] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._shouted = -SHOUT_EVERY
        self._kicked = False
        self._grown = self._still = 0  # the batch that gathers: its size, turns without growth
        self._closing = threading.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._jobs: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_batches, name="spool", daemon=True)
        self._thread.start()

    def add(self, record: bytes, waiter: Callable[[], object]) -> None:
        """Take an encoded hit; call `waiter` once it is durable, late, or lost to a full queue."""
        if self._waiting >= self._queue_limit:
            self._lose()
            waiter()
            return
        batch = self._take(record)
        if batch.late:
            self._cells[_LATE] += 1
            waiter()
        else:
            batch.waiters.append(waiter)

    async def durable(self, record: bytes, within: float) -> None:
        """Return once the hit is on disk; raise SpoolUnavailable after `within` seconds."""
        if self._waiting >= self._queue_limit:
            raise SpoolUnavailable("the queue is full")
        batch = self._take(record)
        if batch.durable is None:
            batch.durable = self._loop.create_future()
        done, _ = await asyncio.wait((batch.durable,), timeout=within)
        if not done:
            raise SpoolUnavailable("the disk is slow or can't be written")

    @property
    def idle(self) -> bool:
        """Tell whether everything that was taken is on disk."""
        return not self._waiting

    async def close(self, within: float) -> None:
        """Write what waits, for at most `within` seconds; what is left then is counted as lost."""
        try:
            await asyncio.wait_for(self._idle.wait(), within)
        except TimeoutError:
            self._cells[Counter.LOST] += self._waiting
            logger.error(
                "spool_abandoned",
                extra={"hits": self._waiting, "reason": "the disk can't be written"},
            )
        self._closing.set()
        self._jobs.put(None)
        if self._watch is not None:
            self._watch.cancel()

    def _take(self, record: bytes) -> Batch:
        gathering = self._gathering
        if gathering and len(gathering[-1].records) < MAX_BATCH:
            batch = gathering[-1]
        else:
            batch = Batch(self._now())
            gathering.append(batch)
            if self._watch is None:
                self._watch = self._loop.call_later(self._late_after, self._release_late)
        batch.records.append(record)
        self._waiting += 1
        self._cells[_ACCEPTED] += 1
        if self._writing is None and not self._kicked:
            self._idle.clear()
            self._gather()
        return batch

    def _gather(self) -> None:
        self._kicked = True
        self._grown = self._still = 0
        self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        """Send the batch off once the loop brings no more hits, or enough of them."""
        batch = self._gathering[0]
        size = len(batch.records)
        self._still = self._still + 1 if size == self._grown else 0
        self._grown = size
        if self._still >= STILL or size >= ENOUGH or self._now() - batch.born > LINGER:
            self._kick()
        else:
            self._loop.call_soon(self._settle)

    def _kick(self) -> None:
        self._kicked = False
        self._writing = self._gathering.popleft()
        self._jobs.put(self._writing)

    def _written(self, batch: Batch) -> None:
        self._writing = None
        self._waiting -= len(batch.records)
        if self._gathering:
            self._gather()
        else:
            self._idle.set()
        if batch.durable is not None and not batch.durable.done():
            batch.durable.set_result(None)
        batch.answer()

    def _release_late(self) -> None:
        """Answer whoever has waited for the disk as long as a reader should."""
        overdue = self._now() - self._late_after
        pending = [self._writing, *self._gathering] if self._writing else [*self._gathering]
        for batch in pending:
            if batch.born <= overdue and not batch.late:
                batch.late = True
                self._cells[_LATE] += len(batch.waiters)
                batch.answer()
        waiting = [batch.born for batch in pending if not batch.late]
        self._watch = None
        if waiting:
            wait = min(waiting) + self._late_after - self._now()
            self._watch = self._loop.call_later(max(wait, 0.001), self._release_late)

    def _lose(self) -> None:
        self._cells[Counter.LOST] += 1
        if self._now() - self._shouted >= SHOUT_EVERY:
            self._shouted = self._now()
            reason = f"the spool's queue is full: {self._queue_limit} hits wait for the disk"
            lost = self._cells[Counter.LOST]
            logger.error("hits_lost", extra={"lost": lost, "reason": reason})

    # What follows runs on the writer's thread.

    def _write_batches(self) -> None:
        while (batch := self._jobs.get()) is not None:
            if self._write(batch) and not self._closing.is_set():
                self._loop.call_soon_threadsafe(self._written, batch)
        self._segments.close()

    def _write(self, batch: Batch) -> bool:
        """Write until it is done, or the worker gives up. Returns whether it was done."""
        cells, attempt = self._cells, 0
        while True:
            began = time.perf_counter_ns()
            try:
                size = self._segments.write(batch.records)
            except OSError as error:
                cells[Counter.WRITE_FAILURES] += 1
                cells[Counter.FAILING] = 1
                if attempt == 0:
                    logger.error("spool_failing", extra={"reason": str(error)})
                if self._closing.wait(RETRY_AFTER[min(attempt, len(RETRY_AFTER) - 1)]):
                    return False
                attempt += 1
                continue
            cells[Counter.COMMIT_MICROSECONDS] += (time.perf_counter_ns() - began) // 1000
            cells[Counter.WRITTEN] += len(batch.records)
            cells[Counter.BYTES] += size
            cells[Counter.BATCHES] += 1
            if attempt:
                cells[Counter.FAILING] = 0
                logger.info("spool_recovered", extra={"attempts": attempt})
            return True
