"""The issuer: looks after every wanted name, for ever.

In: which names are wanted. Out: certificates in the vault and the cache, alerts, and an overview.

Promise: starting never waits for the CA, and no name waits for another. What can't be done now,
because the vault is away or the CA hangs, is done later; certificates that are there stay.
"""

import asyncio
import contextlib
import dataclasses
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from certs.expiry import EXPIRED_EVERY, Alert
from certs.issuing.desk import Desk
from certs.issuing.standing import Standing, alerts, standings
from certs.issuing.visit import visit
from certs.vault.alerts import Alerts
from certs.vault.certificates import Kept
from certs.vault.database import VaultError, VaultUnavailable
from certs.vault.leases import LeaseLost, Leases

MOST_VISITS: Final = 64  # names that are looked after at a time
LOOK_EVERY: Final = 1.0  # seconds between two looks at what is due
OVERVIEW_EVERY: Final = 15.0  # seconds between two overviews of all names
# Or as long as keeps them to a hundredth of the time: one of 10,000 names takes half a second.
OVERVIEW_REST: Final = 100
FORGET_EVERY: Final = 86_400.0
# After the vault failed under a visit, so that the CA isn't asked the same again at once.
REST: Final = 30.0

logger = logging.getLogger(__name__)

# Returns the names that are to have certificates; None while that can't be told.
Wanted = Callable[[], Awaitable[Collection[str] | None]]


@dataclass(frozen=True, slots=True)
class Overview:
    """How all names are, as of `at` (Unix seconds); `trouble` is what keeps the issuer from work.

    `nearest` is when the first certificate of a wanted name expires, None where there is none.
    """

    at: float = 0
    names: int = 0
    by_phase: Mapping[str, int] = field(default_factory=dict)
    by_stage: Mapping[str, int] = field(default_factory=dict)
    expired: tuple[str, ...] = ()
    nearest: int | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    trouble: str = ""


class Issuer:
    """Looks after names until told to stop. `deliver` says that somebody takes the alerts."""

    def __init__(self, desk: Desk, leases: Leases, wanted: Wanted, *, deliver: bool) -> None:
        self.overview = Overview()
        self._desk = desk
        self._leases = leases
        self._wanted = wanted
        self._deliver = deliver
        self._names: frozenset[str] | None = None
        self._working: dict[str, asyncio.Task[None]] = {}
        self._resting: dict[str, float] = {}
        self._revision = -1
        self._failing = ""  # what the vault said to the last visit
        self._raised: set[tuple[str, str, int]] = set()
        self._shouted_at = -math.inf
        self._look_at = -math.inf
        self._forgot_at = -math.inf

    async def run(self, stopping: asyncio.Event) -> None:
        """Look after names until told to stop; what is under way then is gone on with later."""
        try:
            while not stopping.is_set():
                await self._turn()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), LOOK_EVERY)
        finally:
            for task in self._working.values():
                task.cancel()
            await asyncio.gather(*self._working.values(), return_exceptions=True)

    async def _turn(self) -> None:
        try:
            if not self._desk.authority.thumbprints:
                await asyncio.to_thread(self._desk.cache.tidy)
                await self._desk.authority.prepare()
            await self._want()
            await self._bring_cache_up_to_date()
            await self._visit_due()
            await self._look()
        except (VaultUnavailable, VaultError, OSError) as error:
            self._tell(str(error))
        else:
            self._tell(self._failing)

    async def _want(self) -> None:
        names = await self._wanted()
        if names is None or self._names == frozenset(names):
            return
        await self._desk.progress.want(names, self._desk.clock())
        self._names = frozenset(names)

    async def _visit_due(self) -> None:
        now = time.monotonic()
        self._resting = {name: until for name, until in self._resting.items() if until > now}
        busy = self._working.keys() | self._resting.keys()
        room = MOST_VISITS - len(self._working)
        if room <= 0:
            return
        for name in await self._desk.progress.due(self._desk.clock(), room, busy):
            task = asyncio.create_task(self._visit(name))
            self._working[name] = task
            task.add_done_callback(partial(self._left, name))

    async def _visit(self, name: str) -> None:
        """Visit a name; whatever goes wrong there stays there."""
        try:
            await visit(self._desk, self._leases, name)
            self._failing = ""
        except LeaseLost as error:
            logger.warning("lease_lost", extra={"domain": name, "why": str(error)})
        except (VaultUnavailable, VaultError, OSError) as error:
            self._resting[name] = time.monotonic() + REST
            self._failing = str(error)
        except Exception:
            self._resting[name] = time.monotonic() + 10 * REST
            self._desk.failed("fault")
            logger.exception("visit_failed", extra={"domain": name})

    def _left(self, name: str, _task: asyncio.Task[None]) -> None:
        del self._working[name]

    async def _bring_cache_up_to_date(self) -> None:
        """Have in the cache what is in the vault, whoever committed it."""
        revision = await self._desk.vault.revision()
        if revision == self._revision:
            return
        await self._desk.authority.prepare()
        for kept in await self._desk.certificates.all():
            if await asyncio.to_thread(self._stale, kept):
                bundle = await self._desk.certificates.bundle(kept.name)
                if bundle:
                    await asyncio.to_thread(self._desk.cache.put, bundle)
        self._revision = revision

    def _stale(self, kept: Kept) -> bool:
        found = self._desk.cache.get(kept.name)
        return found is None or (found.generation, found.not_after) != (
            kept.generation,
            kept.not_after,
        )

    async def _look(self) -> None:
        """Put the overview together, and raise what is to be raised."""
        if (began := time.monotonic()) < self._look_at:
            return
        now = self._desk.clock()
        found = await standings(self._desk.vault, now)
        self.overview = dataclasses.replace(
            _overview(found, self._desk.failures, now), trouble=self.overview.trouble
        )
        for alert in alerts(found, now):
            await self._raise(alert)
        self._shout(found)
        await self._forget(now)
        took = time.monotonic() - began
        self._look_at = began + max(OVERVIEW_EVERY, OVERVIEW_REST * took)

    async def _raise(self, alert: Alert) -> None:
        key = alert.name, alert.kind, alert.occasion
        if key in self._raised:
            return
        if await Alerts(self._desk.vault).raise_(alert, deliver=self._deliver):
            level = logging.ERROR if alert.severity == "error" else logging.WARNING
            told = {"domain": alert.name, "kind": alert.kind, "says": alert.says, "fix": alert.fix}
            logger.log(level, "certificate_alert", extra=told)
        self._raised.add(key)

    def _shout(self, found: Collection[Standing]) -> None:
        """Say every few minutes which certificates are expired."""
        expired = [one for one in found if one.status == "expired"]
        if not expired or time.monotonic() - self._shouted_at < EXPIRED_EVERY:
            return
        for one in expired:
            told = {"domain": one.name, "not_after": one.not_after, "says": one.says}
            logger.error("certificate_expired", extra=told)
        self._shouted_at = time.monotonic()

    async def _forget(self, now: float) -> None:
        """Forget old history, and expired certificates of names that nobody wants any more."""
        if self._names is None or time.monotonic() - self._forgot_at < FORGET_EVERY:
            return
        await self._desk.attempts.forget(now)
        for kept in await self._desk.certificates.all():
            if kept.name not in self._names and kept.not_after < now:
                await self._desk.certificates.forget(kept.name, kept.generation)
                await asyncio.to_thread(self._desk.cache.remove, kept.name)
        self._forgot_at = time.monotonic()

    def _tell(self, trouble: str) -> None:
        """Log a trouble when it begins, changes or ends, and keep it in the overview."""
        if trouble == self.overview.trouble:
            return
        if trouble:
            logger.error("certificates_not_looked_after", extra={"why": trouble})
        else:
            logger.info("certificates_looked_after_again")
        self.overview = dataclasses.replace(self.overview, trouble=trouble)


def _overview(found: Collection[Standing], failures: Mapping[str, int], now: float) -> Overview:
    return Overview(
        at=now,
        names=len(found),
        by_phase=Counter(one.phase for one in found),
        by_stage=Counter(one.stage for one in found if one.stage),
        expired=tuple(one.name for one in found if one.status == "expired"),
        nearest=min((one.not_after for one in found if one.not_after), default=None),
        failures=dict(failures),
    )
