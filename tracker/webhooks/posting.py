"""Posting: brings what is queued to the URLs that wait for it.

In: the store's feed and queue. Out: requests, and what came of each in the queue.

Promise: an event is posted to a URL until that takes it, refuses it, or has failed for hours,
across restarts. A URL that hangs has some connections of its own, then one, and none of others';
how many are under way is bounded for a host and in all. What was under way when the machine died is
posted again, under the same id.
"""

import asyncio
import contextlib
import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tracker.store.change import parts
from tracker.store.database import Store, StoreUnavailable
from tracker.store.webhook_intake import take_up
from tracker.store.webhook_keys import SigningKey, SigningKeys
from tracker.store.webhook_queue import Claim, Deliveries, Health, Outcome, Settled, Waiting
from tracker.store.webhooks import Hook, Webhooks
from tracker.webhooks.client import BadTarget, Client, Unanswered, readable
from tracker.webhooks.message import Item, event_id, message
from tracker.webhooks.overview import Overview
from tracker.webhooks.room import room
from tracker.webhooks.schedule import (
    DONE,
    GIVE_UP_AFTER,
    NEVER_AGAIN,
    SECOND,
    again_at,
    judged,
)

LEASE: Final = 60  # seconds for which a delivery is ours: a request takes 11 at most

LOOK_EVERY: Final = 0.5  # seconds between two looks for new events and for what is due
GATHER: Final = 0.01  # seconds: what ends meanwhile is noted in one transaction
TIDY_EVERY: Final = 5.0
FORGET_EVERY: Final = 12  # turns
FRESH_FOR: Final = 2.0  # seconds for which keys needn't be asked for again
KEPT: Final = 200_000  # deliveries of the past, however young
DAY: Final = 86_400

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a delivery: an outcome, or none if it will be tried again."""

    outcome: Outcome
    status: int = 0
    took: int = 0  # milliseconds
    said: str = ""


class Posting:
    """Posts what is due, for as long as the office runs. `history` is in days."""

    def __init__(
        self,
        store: Store,
        client: Client,
        *,
        history: int = 7,
        look_every: float = LOOK_EVERY,
        lease: int = LEASE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._webhooks, self._keys = Webhooks(store), SigningKeys(store, clock)
        self._queue = Deliveries(store)
        self._client = client
        self._history = history
        self._look_every = look_every
        self._lease = lease
        self._clock = clock
        self._hooks: dict[int, Hook] = {}
        self._known_until = 0.0
        self._living: dict[str, tuple[float, Sequence[SigningKey]]] = {}
        self._under_way: dict[asyncio.Task[None], Hook] = {}
        self._settled: list[Settled] = []
        self._healths: dict[int, Health] = {}
        self._waiting: Mapping[int, Waiting] = {}
        self._posted: Counter[str] = Counter()
        self._trouble = ""
        self._awake = asyncio.Event()

    def overview(self) -> Overview:
        """Tell how webhooks are."""
        hooks = tuple(self._hooks.values())
        return Overview(self._clock(), self._trouble, hooks, self._waiting, dict(self._posted))

    async def run(self, stopping: asyncio.Event) -> None:
        """Post until told to stop; then let what is under way come to its end."""
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(self._queue_events()), tasks.create_task(self._tidy())]
            while not stopping.is_set():
                await self._round(self._room)
                await self._sleep(self._look_every)
            for task in beside:
                task.cancel()
        while self._under_way:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        await self._round(_nothing)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        self._awake.clear()
        await asyncio.sleep(GATHER)

    async def _queue_events(self) -> None:
        while True:
            try:
                queued = await take_up(self._store, self._now())
            except StoreUnavailable as error:
                self._note(str(error))
                await asyncio.sleep(self._look_every)
                continue
            self._note("")
            if queued.deliveries:
                self._awake.set()
            if not queued.events:
                await asyncio.sleep(self._look_every)

    async def _tidy(self) -> None:
        """Count what waits, end what had no turn for a day, and forget what is long past."""
        for turn in itertools.count():
            with contextlib.suppress(StoreUnavailable):  # the other loop tells of it
                self._waiting = await self._queue.waiting()
                await self._give_up()
                if turn % FORGET_EVERY == 0:
                    long_past = self._now() - self._history * DAY * SECOND
                    await self._queue.forget_before(long_past, KEPT)
            await asyncio.sleep(TIDY_EVERY)

    async def _give_up(self) -> None:
        before = self._now() - GIVE_UP_AFTER * SECOND
        if not any(one.oldest and one.oldest < before for one in self._waiting.values()):
            return  # to find none would take a look at every delivery, with the store locked
        late = await self._queue.give_up(before)
        self._posted["failed"] += late
        logger.warning("webhook_deliveries_given_up", extra={"deliveries": late})

    def _now(self) -> int:
        return round(self._clock() * SECOND)

    async def _know(self) -> None:
        """Learn who is registered, now and then; what was found out since is known better here."""
        if time.monotonic() < self._known_until:
            return
        hooks = {hook.id: hook for hook in await self._webhooks.all()}
        for one in self._healths.values():
            if hook := hooks.get(one.webhook):
                hooks[hook.id] = replace(hook, failing_since=one.failing_since, trouble=one.trouble)
        self._hooks = hooks
        self._known_until = time.monotonic() + self._look_every

    def _note(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            logger.error("webhooks_wait", extra={"reason": trouble})
        self._trouble = trouble

    async def _round(self, take: Callable[[Collection[int]], dict[int, int]]) -> None:
        """Note what ended, and take as much of what is due as there is room for."""
        settled: list[Settled] = []
        healths: dict[int, Health] = {}
        try:
            await self._know()
            wanted = take(await self._queue.due(self._now())) if self._hooks else {}
            settled, self._settled = self._settled, []
            healths, self._healths = self._healths, {}
            if not (settled or wanted):
                return
            now = self._now()
            until = now + self._lease * SECOND
            claims = await self._queue.exchange(settled, healths.values(), wanted, now, until)
            keys = {
                domain: await self._keys_of(domain)
                for domain in {self._hooks[claim.webhook].domain for claim in claims}
            }
        except StoreUnavailable as error:
            # What was settled and can't be noted is noted later, unless its lease ends before.
            self._settled = settled + self._settled
            self._healths = healths | self._healths
            self._note(str(error))
            return
        self._begin(claims, keys)

    def _room(self, due: Collection[int]) -> dict[int, int]:
        known = [hook for hook in self._hooks.values() if hook.id in due]
        return room(known, self._under_way.values())

    def _begin(self, claims: Sequence[Claim], keys: Mapping[str, Sequence[SigningKey]]) -> None:
        for hook in [self._hooks[one] for one in {claim.webhook for claim in claims}]:
            its = [claim for claim in claims if claim.webhook == hook.id]
            there = [claim for claim in its if _is_to_go(hook, claim)]
            for claim in its:
                if claim not in there:
                    self._settle(claim, Ending("gone", said="the event isn't there any more"))
            for some in parts(there, hook.batch):
                task = asyncio.create_task(self._post(hook, some, keys[hook.domain]))
                self._under_way[task] = hook
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        task.result()
        self._awake.set()

    async def _post(self, hook: Hook, claims: Sequence[Claim], keys: Sequence[SigningKey]) -> None:
        """Make one request, and settle what was in it."""
        begun = time.monotonic()
        items = [Item(event_id(one.event, _told(hook, one)), one.document or b"") for one in claims]
        posted = message(items, keys, int(self._clock()), batch=hook.batch > 1)
        try:
            answer = await self._client.post(hook.url, posted.body, posted.headers)
            status, said = answer.status, readable(answer.beginning)
        except (BadTarget, Unanswered) as error:
            status, said = 0, str(error)
        self._judge(hook, status, said)
        took = round((time.monotonic() - begun) * 1_000)
        for claim in claims:
            outcome = judged(status, claim.attempt + 1)
            self._settle(claim, Ending(outcome, status, took, said))

    def _judge(self, hook: Hook, status: int, said: str) -> None:
        """Keep in mind whether a URL works; it does if it takes events, and if it refuses them."""
        hook = self._hooks.get(hook.id, hook)  # as it is by now
        if status in {DONE, NEVER_AGAIN}:
            if hook.failing_since is not None:
                self._healths[hook.id] = Health(hook.id, None, "")
                self._hooks[hook.id] = replace(hook, failing_since=None, trouble="")
            return
        trouble = f"it answers {status}" if status else said
        if hook.failing_since is None or hook.trouble != trouble:
            since = hook.failing_since or int(self._clock())
            self._healths[hook.id] = Health(hook.id, since, trouble)
            self._hooks[hook.id] = replace(hook, failing_since=since, trouble=trouble)

    def _settle(self, claim: Claim, ending: Ending) -> None:
        now, attempt = self._now(), claim.attempt + (ending.outcome != "gone")
        self._posted[ending.outcome or "again"] += 1
        self._settled.append(
            Settled(
                number=claim.number,
                lease=claim.lease,
                due=None if ending.outcome else again_at(now, attempt),
                attempt=attempt,
                outcome=ending.outcome,
                status=ending.status,
                took=ending.took,
                said=ending.said,
                tried_at=now,
            )
        )
        self._awake.set()

    async def _keys_of(self, domain: str) -> Sequence[SigningKey]:
        until, keys = self._living.get(domain, (0.0, ()))
        if until < time.monotonic():
            keys = await self._keys.of(domain)
            self._living[domain] = time.monotonic() + FRESH_FOR, keys
        return keys


def _is_to_go(hook: Hook, claim: Claim) -> bool:
    """Tell whether a delivery is still to be made; a later revision comes by itself."""
    if claim.document is None:
        return False
    return not hook.revisions or claim.document_revision == claim.revision


def _told(hook: Hook, claim: Claim) -> int:
    """Return the revision that tells messages apart: who wants no revisions gets one message."""
    return claim.revision if hook.revisions else 0


def _nothing(_due: Collection[int]) -> dict[int, int]:
    return {}
