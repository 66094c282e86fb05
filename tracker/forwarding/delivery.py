"""Delivery: from hits to events that one sink has acknowledged.

In: hits, or events that were made before. Out: what can't be brought there, each with the reason.

Promise: what isn't among that is acknowledged. One event that a sink refuses costs no other. A sink
that is too slow for many events at once is offered fewer.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from tracker.contexts import Unreadable
from tracker.enrich.company import Company
from tracker.event import Event
from tracker.forwarding.dead import Letter, letter
from tracker.forwarding.progress import Progress
from tracker.hit import Hit
from tracker.mistake import OUR_MISTAKES
from tracker.sinks import EventRefused, Sink, SinkUnavailable

DELIVER_WITHIN: Final = 30.0  # seconds until a sink that hangs is taken for one that is down
MOST: Final = 4_000  # events at once; a batch of the spool holds about half as many

logger = logging.getLogger(__name__)

Judged = tuple[Hit, Company]
EventOf = Callable[[Hit, Company], Event | None]
Wants = Callable[[Event], bool]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Enriched:
    """What became of some hits: pairs of one and its event, and letters for those without one."""

    pairs: list[tuple[Judged, Event]]
    letters: list[Letter]


class Delivery:
    """Brings events to one sink.

    `event_of` gives the event of a hit and the company it was in, or None if nobody wants one; it
    may raise Unreadable. What the sink doesn't want is passed over.
    """

    def __init__(
        self, sink: Sink, event_of: EventOf, wants: Wants, progress: Progress, within: float
    ) -> None:
        self._sink = sink
        self._event_of = event_of
        self._wants = wants
        self._progress = progress
        self._within = within
        self._at_once = MOST

    async def hits(self, judged: Sequence[Judged]) -> list[Letter]:
        """Bring hits to the sink; return letters for those that die. Raises SinkUnavailable."""
        enriched = await asyncio.to_thread(self._enriched, judged)
        refused = await self._deliver(enriched.pairs)
        return enriched.letters + [self._letter(one, why) for one, why in refused]

    async def events(self, events: Iterable[Event]) -> int:
        """Bring events to the sink; return how many are refused. Raises SinkUnavailable."""
        wanted = [(event.id, event) for event in events if self._wants(event)]
        refused = await self._deliver(wanted)
        for event, reason in refused:
            where = {"sink": self._sink.name, "event": event, "reason": reason}
            logger.error("replay_refused", extra=where)
        return len(refused)

    def _enriched(self, judged: Sequence[Judged]) -> Enriched:
        enriched = Enriched([], [])
        mistakes: dict[str, str] = {}
        for one in judged:
            try:
                event = self._event_of(*one)
            except Unreadable as error:
                enriched.letters.append(self._letter(one, str(error)))
            except OUR_MISTAKES as error:
                mistakes[where(error)] = type(error).__name__
                enriched.letters.append(self._letter(one, f"a mistake in this program: {error!r}"))
            else:
                if event is not None and self._wants(event):
                    enriched.pairs.append((one, event))
        for place, what in mistakes.items():
            logger.error("mistake", extra={"where": place, "error": what})
        return enriched

    async def _deliver(self, pairs: Sequence[tuple[T, Event]]) -> list[tuple[T, str]]:
        """Deliver events in their order, as many at once as the sink has taken in time."""
        refused: list[tuple[T, str]] = []
        step = self._at_once
        for at in range(0, len(pairs), step):
            refused += await self._offer(pairs[at : at + step])
        # Only now: what was too many must not come again before the whole batch is through.
        self._at_once = min(MOST, step * 2)
        return refused

    async def _offer(self, pairs: Sequence[tuple[T, Event]]) -> list[tuple[T, str]]:
        """Deliver events in one call; halve what is refused until what is to blame stands alone."""
        try:
            async with asyncio.timeout(self._within):
                await self._sink.deliver([event for _, event in pairs])
        except TimeoutError as error:
            self._at_once = max(1, len(pairs) // 2)
            raise SinkUnavailable(f"no answer within {self._within:g} s") from error
        except EventRefused as refusal:
            if len(pairs) == 1:
                return [(pairs[0][0], str(refusal))]
            middle = len(pairs) // 2
            return await self._offer(pairs[:middle]) + await self._offer(pairs[middle:])
        self._progress.acknowledge(event for _, event in pairs)
        return []

    def _letter(self, judged: Judged, reason: str) -> Letter:
        hit, company = judged
        return letter(self._sink.name, hit, reason, time.time(), company)


def where(error: Exception) -> str:
    """Name the line that raised; the message, which may hold an address of a person, stays out."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno} in {last.name}"
