"""The sweep: once a second, remove from the spool what every sink has, and look how things stand.

A sink that holds so much back that there is no more room loses its turn, unless nobody could bring
it later what it misses.

In: the spool, the ledger, the forwarders. Out: a Survey, which metrics and health are made of, so
that answering them touches no disk.

Promise: a segment goes only once every sink is past it; a stream only once its worker is gone,
every sink has all of it, and what the worker had counted is in the ledger's totals. What every sink
has of the segment that a worker writes, however slowly that fills, is written over within
WIPE_EVERY: what a privacy mode leaves out of an event stays nowhere for longer.
"""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tracker.forwarding import missed, roll, worker
from tracker.forwarding.dead import DeadLetters
from tracker.forwarding.forward import Forwarder
from tracker.forwarding.lag import backlog
from tracker.forwarding.ledger import Ledger, LedgerUnavailable
from tracker.forwarding.missed import Gaps
from tracker.forwarding.overflow import Overflow
from tracker.health import WorkerFacts
from tracker.reader import START, Position, SpoolReader, Stream
from tracker.room import Bound, Filling

EVERY: Final = 1.0  # seconds
WIPE_EVERY: Final = 60.0  # seconds

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Survey:
    """How things stand at a time, in Unix seconds.

    `counted` sums up all workers that ever were, by counter; `backlog` is in bytes by sink, and
    `dead_letters` and what was `missed` are by sink too; `free` is the space left on the
    spool's disk, in bytes, and `filling` how much of its room the spool has taken.
    """

    at: float
    workers: tuple[WorkerFacts, ...]
    counted: Mapping[str, int]
    backlog: Mapping[str, int]
    dead_letters: Mapping[str, int]
    free: int
    missed: Mapping[str, Gaps]
    filling: Filling


class Sweep:
    """What is swept, the last survey of it, and why there is no later one."""

    def __init__(
        self,
        spool: SpoolReader,
        ledger: Ledger,
        forwarders: Sequence[Forwarder],
        bound: Bound = Bound(),  # noqa: B008 - frozen
        spared: Collection[str] | None = None,
    ) -> None:
        """Take a first survey. Raises OSError, LedgerUnavailable.

        `spared` names the sinks that never lose their turn: by default all of them.
        """
        self._spool = spool
        self._ledger = ledger
        self._forwarders = forwarders
        self._dead = DeadLetters(ledger)
        names = [one.sink.name for one in forwarders]
        self._overflow = Overflow(spool, forwarders, bound, names if spared is None else spared)
        roll.begin(ledger, names, int(time.time()))
        ledger.forget_all_but({stream.name for stream in spool.streams()})
        self.survey = self._look()
        self.failing = ""
        self._wiped: dict[str, Position] = {}
        self._wiped_at = 0.0

    async def run(self, ended: asyncio.Event) -> None:
        """Sweep until all is forwarded that will be, and then once more."""
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), EVERY)
            await self.attempt()

    async def attempt(self) -> None:
        """Sweep once; what fails is told and left to the next time."""
        try:
            await asyncio.to_thread(self.once)
        except (OSError, LedgerUnavailable) as error:
            if not self.failing:
                logger.error("sweep_failed", extra={"reason": str(error)})
            self.failing = str(error)
        else:
            self.failing = ""

    def once(self) -> None:
        """Remove what every sink has, and take a survey. Raises OSError, LedgerUnavailable."""
        for stream in self._spool.streams():
            if all(stream.name in forwarder.finished for forwarder in self._forwarders):
                self._finish(stream)
            else:
                stream.forget(min(_positions(stream, self._forwarders)))
        if time.monotonic() - self._wiped_at > WIPE_EVERY:
            self.wipe()
            roll.seen(self._ledger, [one.sink.name for one in self._forwarders], int(time.time()))
        self.survey = self._look()
        self._overflow.relieve(self.survey.filling, self.survey.backlog)

    def wipe(self) -> None:
        """Write over what every sink has of segments that aren't full yet.

        The ledger's log, which holds what was deleted there, is emptied too. Raises OSError,
        LedgerUnavailable.
        """
        self._wiped_at = time.monotonic()
        for stream in self._spool.streams():
            before = min(_positions(stream, self._forwarders))
            if before > self._wiped.get(stream.name, START):
                # In this order: nobody must ever begin to read where the zeros are.
                self._ledger.wiping(stream.name, before)
                stream.wipe(before)
                self._wiped[stream.name] = before
        self._ledger.purge()

    def _finish(self, stream: Stream) -> None:
        if stream.alive() and stream.name not in self._ledger.finished()[0]:
            # It was looked at after its worker made it and before the worker locked it.
            for forwarder in self._forwarders:
                del forwarder.finished[stream.name]
            return
        torn = max(forwarder.finished[stream.name] for forwarder in self._forwarders)
        if torn:
            # A frame that was being written when the worker died; nobody was answered for it.
            logger.warning("torn_tail", extra={"stream": stream.name, "bytes": torn})
        self._ledger.finish(stream.name, {**worker.counted(stream), worker.TORN: torn})
        stream.remove()

    def _look(self) -> Survey:
        streams = self._spool.streams()
        live = {stream.name: worker.counted(stream) for stream in streams}
        finished, counted = self._ledger.finished()
        for name, counts in live.items():
            if name not in finished:
                for counter, value in counts.items():
                    counted[counter] = counted.get(counter, 0) + value
        free = shutil.disk_usage(self._spool.folder).free
        return Survey(
            at=time.time(),
            workers=tuple(map(worker.facts, streams)),
            counted=counted,
            backlog={
                forwarder.sink.name: sum(
                    backlog(stream, forwarder.positions.get(stream.name, START))
                    for stream in streams
                    if stream.name not in forwarder.finished
                )
                for forwarder in self._forwarders
            },
            dead_letters=self._dead.count(),
            free=free,
            missed=missed.by_sink(self._ledger),
            filling=self._overflow.look(free),
        )


def _positions(stream: Stream, forwarders: Sequence[Forwarder]) -> list[Position]:
    return [forwarder.positions.get(stream.name, START) for forwarder in forwarders]
