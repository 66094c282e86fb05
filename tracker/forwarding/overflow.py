"""Overflow: what becomes of the spool's room, and what happens when there is no more of it.

In: the spool's segments, and where the forwarders are. Out: how full it is, a log line long before
the end, and forwarders told that their sink has lost its turn.

Promise: a sink in `spared` never loses its turn. Others lose it only for hits that every spared one
has, so that these can be brought to them later.
"""

import logging
import math
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from tracker import health
from tracker.forwarding.forward import Forwarder
from tracker.forwarding.lag import END, full
from tracker.reader import START, SpoolReader, Stream
from tracker.room import Bound, Filling, Growth, Held, given_up

SHOUT_EVERY: Final = 600.0  # seconds between two log lines about room that runs out

logger = logging.getLogger(__name__)


class Overflow:
    """Watches over the spool's room."""

    def __init__(
        self,
        spool: SpoolReader,
        forwarders: Sequence[Forwarder],
        bound: Bound,
        spared: Collection[str],
    ) -> None:
        self._spool = spool
        self._bound = bound
        self._spared = [one for one in forwarders if one.sink.name in spared]
        self._others = [one for one in forwarders if one.sink.name not in spared]
        self._growth = Growth()
        self._held: list[Held] = []
        self._shouted = -math.inf

    def look(self, free: int) -> Filling:
        """Tell how full the spool is, with so many bytes free on its disk. Raises OSError."""
        self._held = [one for stream in self._spool.streams() for one in self._of(stream)]
        held = sum(one.size for one in self._held)
        return self._growth.filling(held, self._bound.capacity(held, free), time.monotonic())

    def relieve(self, filling: Filling, backlog: Mapping[str, int]) -> None:
        """Say what fills the spool, and where it is full, have sinks give up their turn."""
        self._shout(filling, backlog)
        for stream, upto in given_up(self._held, filling).items():
            for forwarder in self._others:
                forwarder.gives_up[stream] = upto

    def _of(self, stream: Stream) -> list[Held]:
        needed = [
            one.positions.get(stream.name, START)
            for one in self._spared
            if stream.name not in one.finished
        ]
        spared_from = min(needed, default=END).segment
        return [
            Held(stream.name, number, size, spared=number >= spared_from)
            for number, size in full(stream)
        ]

    def _shout(self, filling: Filling, backlog: Mapping[str, int]) -> None:
        if filling.share < health.FILLING or time.monotonic() - self._shouted < SHOUT_EVERY:
            return
        self._shouted = time.monotonic()
        facts = {
            "share": round(filling.share, 2),
            "held_bytes": filling.held,
            "room_bytes": filling.capacity,
            "full_in_seconds": None if math.isinf(filling.seconds) else round(filling.seconds),
            "furthest_behind": max(backlog, key=backlog.__getitem__, default=None),
        }
        logger.error("spool_filling", extra=facts)
