"""Sharing: keeps what this machine has of the shared store as it is there, for as long as it runs.

In: the store. Out: this machine's keyring and copy, which work on while the store is away, and
since when it is.

Promise: what can't be done now is tried again every EVERY seconds; what was copied stays meanwhile,
and as of when is told. No trouble with one part holds up another.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from rewriter.keyring import Keyring, KeyringError
from tracker.health import Check
from tracker.shared import keyring as shared
from tracker.shared.copy import Copy, CopyUnavailable, Part
from tracker.shared.keys import SharedKeys
from tracker.shared.told import told
from tracker.store.access import KeyRecord, KeyRecords
from tracker.store.database import Store, StoreUnavailable
from tracker.store.signing import Machine, Outdated
from tracker.store.suppressions import Suppressions

EVERY: Final = 2.0  # seconds between two looks at the store
TELL_EVERY: Final = 60.0  # seconds after which a machine says again that it is there
# From when every machine has a key until it signs: what takes up a new keyring does so within
# some seconds, be it edge workers, which are replaced, or rewriters.
SETTLE: Final = 30.0
AT_ONCE: Final = 5_000  # changes of suppressions

logger = logging.getLogger(__name__)


class Sharing:
    """What all machines share, followed. `away_since` is 0 while the store answers."""

    def __init__(
        self,
        store: Store,
        keys: SharedKeys,
        copy: Copy,
        machine: str,
        *,
        settings: Callable[[], float] = lambda: 0.0,
        settle: float = SETTLE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take this machine's name, and what tells when the settings were published last.

        Raises CopyUnavailable.
        """
        self.away_since = 0.0
        self.trouble: dict[str, str] = {}
        self.as_of: dict[Part, float] = copy.current()
        self._keys = keys
        self._copy = copy
        self._suppressions = Suppressions(store)
        self._records = KeyRecords(store)
        self._machine = machine
        self._settings = settings
        self._settle = settle
        self._clock = clock
        self._told: Machine | None = None
        self._known_since: dict[int, float] = {}
        self._kept: list[KeyRecord] | None = None

    @property
    def away(self) -> bool:
        """Tell whether the store didn't answer when it was asked last."""
        return self.away_since > 0

    def check(self) -> Check:
        """Tell what of this machine is as of when, for `/readyz`."""
        return told(self.as_of, self.trouble, self.away_since)

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self.turn()
            except Exception:
                # Whatever it is, hits are forwarded and the copies are there all the same.
                logger.exception("sharing_failed")
                self.trouble["sharing"] = "a fault of the program, which the log shows"
            else:
                self.trouble.pop("sharing", None)
            await asyncio.sleep(EVERY)

    async def turn(self) -> None:
        """Look at the store once."""
        began = self._clock()
        current: dict[Part, float] = {}
        try:
            if await self._keyring():
                current["keyring"] = began
            await self._follow()
            await self._remember()
            current |= {"suppressions": began, "API keys": began}
            if published := self._settings():
                current["settings"] = published
            await asyncio.to_thread(self._copy.note_current, current)
        except StoreUnavailable as error:
            self._note("store", str(error))
            self.away_since = self.away_since or began
            return
        except CopyUnavailable as error:
            self._note("copy", str(error))
        else:
            self._note("copy", "")
            self.as_of |= current
        self._note("store", "")
        self.away_since = 0.0

    async def _keyring(self) -> bool:
        """Bring the keyrings together; tell whether they are the same now."""
        try:
            keyring = await self._keys.join(f"machine {self._machine}")
            await self._tell(frozenset(key.id for key in keyring.keys))
            await self._release(keyring)
        except KeyringError as error:
            self._note("keyring", str(error))
            return False
        except Outdated:
            return False  # another machine was quicker, and the next turn sees what it did
        self._note("keyring", "")
        return True

    async def _tell(self, holds: Collection[int]) -> None:
        told, now = self._told, int(self._clock())
        if told and told.holds == holds and abs(now - told.seen_at) < TELL_EVERY:
            return
        telling = Machine(self._machine, frozenset(holds), now)
        await self._keys.tell(telling)
        self._told = telling

    async def _release(self, keyring: Keyring) -> None:
        """Let keys sign that every machine has had for long enough."""
        if not (waiting := shared.waiting(keyring)):
            self._known_since.clear()
            return
        machines, now = await self._keys.machines(), self._clock()
        everywhere = [key for key in waiting if not shared.lacking(key, machines, now)]
        steady = time.monotonic()
        self._known_since = {key: self._known_since.get(key, steady) for key in everywhere}
        ripe = [key for key, since in self._known_since.items() if steady - since >= self._settle]
        if ripe:
            await self._keys.release(ripe, f"machine {self._machine}")
            logger.info("keys_sign", extra={"keys": ripe})

    async def _follow(self) -> None:
        """Copy what was decided of suppressions since the last look."""
        mark = await asyncio.to_thread(self._copy.mark)
        if await self._suppressions.last_change() < mark.change:
            # The store was put back from a backup: what it forgot can't be followed.
            await asyncio.to_thread(self._copy.clear)
            self.as_of.pop("suppressions", None)
            mark = await asyncio.to_thread(self._copy.mark)
        while changes := await self._suppressions.changes(mark, AT_ONCE):
            await asyncio.to_thread(self._copy.take, changes)
            mark = changes[-1].mark

    async def _remember(self) -> None:
        """Copy the API keys that are live, but for when they were used."""
        live = [
            replace(one, used_at=None)
            for one in await self._records.all()
            if one.revoked_at is None
        ]
        if live != self._kept:
            await asyncio.to_thread(self._copy.keep_keys, live)
            self._kept = live

    def _note(self, part: str, trouble: str) -> None:
        """Log a trouble when it begins, changes or ends."""
        if trouble == self.trouble.get(part, ""):
            return
        if trouble:
            self.trouble[part] = trouble
            logger.error("not_shared", extra={"part": part, "why": trouble})
        else:
            del self.trouble[part]
            logger.info("shared_again", extra={"part": part})
