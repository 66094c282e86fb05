"""API keys: who may ask what. A key is kept as its digest alone.

Those of the key file open everything. All others are in the store, with a scope, domains and
perhaps an end. A key file that can't be used opens nothing until it is mended; the others do.

Promise: a key that was revoked opens nothing FRESH_FOR later. While the store can't answer, the
keys that it named last, to this process or to this machine's copy, go on opening what they opened,
for HONOURED_FOR and no longer; of any other it can't be told.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from tracker.api.grant import BOOTSTRAP, Grant
from tracker.api.keyfile import KeyFileError, read_keys
from tracker.health import Check
from tracker.shared.copy import Copy, CopyUnavailable
from tracker.store.access import KeyRecord, KeyRecords, Scope
from tracker.store.database import StoreUnavailable

FRESH_FOR: Final = 1.0  # seconds
AGAIN_AFTER: Final = 5.0  # seconds after which a store that is away is asked again
HONOURED_FOR: Final = 86_400.0  # seconds: within a day somebody will have seen to the store

logger = logging.getLogger(__name__)


class ApiKeys:
    """The keys that open the API: those of a file, and those of a store if one is given."""

    def __init__(
        self,
        digests: Iterable[bytes],
        records: KeyRecords | None = None,
        clock: Callable[[], float] = time.time,
        *,
        copy: Copy | None = None,
    ) -> None:
        self._everything = dict.fromkeys(digests, BOOTSTRAP)
        self._file: Path | None = None
        self._trouble = ""  # why the key file can't be used
        self._records = records
        self._copy = copy
        self._clock = clock
        self._live: dict[bytes, KeyRecord] = {}
        self._as_of = 0.0
        self._looked_at = 0.0
        self._away = ""  # why the store didn't answer when it was asked last
        self._looking = asyncio.Lock()
        self._noted: dict[str, int] = {}

    @classmethod
    def of(cls, *keys: str) -> Self:
        """Return keys that open everything, hashed."""
        return cls(map(digest, keys))

    @classmethod
    def load(cls, path: Path, records: KeyRecords | None = None, copy: Copy | None = None) -> Self:
        """Take the keys of a file, which is made first if it is missing."""
        keys = cls((), records, copy=copy)
        keys._file = path
        keys._read()
        if keys._trouble:
            logger.error("key_file_refused", extra={"why": keys._trouble})
        return keys

    def checks(self) -> Mapping[str, Check]:
        """Tell of the key file, where it can't be used."""
        self._read()
        if not self._trouble:
            return {}
        return {"api keys": Check("degraded", f"{self._trouble}; until then no key in it opens")}

    async def grant(self, key: str) -> Grant | None:
        """Return what a key opens, None if it is no key of ours.

        Raises StoreUnavailable where only the store could tell.
        """
        # How long a look-up takes tells nothing: nobody can choose what a digest begins with.
        found = digest(key)
        self._read()
        if everything := self._everything.get(found):
            return everything
        await self._refresh()
        record = self._live.get(found)
        now = self._clock()
        if self._away and (record is None or now - self._as_of > HONOURED_FOR):
            raise StoreUnavailable(f"{self._away}; so it can't be told what this key opens")
        if record is None or record.state(now) != "live":
            return None
        self._noted[record.id] = int(now)
        return Grant(record.id, record.scope, frozenset(record.domains))

    async def note_use(self) -> None:
        """Write down which keys were used lately. Raises StoreUnavailable."""
        if self._records and self._noted:
            used, self._noted = self._noted, {}
            await self._records.used(used)

    def _read(self) -> None:
        """Read the key file, until it could be."""
        if self._file is None:
            return
        try:
            self._everything = dict.fromkeys(map(digest, read_keys(self._file)), BOOTSTRAP)
            self._file, self._trouble = None, ""
        except KeyFileError as error:
            self._trouble = str(error)

    async def _refresh(self) -> None:
        if self._records is None:
            return
        async with self._looking:
            within = AGAIN_AFTER if self._away else FRESH_FOR
            if abs(self._clock() - self._looked_at) < within:
                return
            try:
                self._take(await self._records.all(), self._clock())
                self._away = ""
            except StoreUnavailable as error:
                self._away = str(error)
                await self._recall()
            self._looked_at = self._clock()

    def _take(self, records: Iterable[KeyRecord], as_of: float) -> None:
        self._live = {one.digest: one for one in records if one.revoked_at is None}
        self._as_of = as_of

    async def _recall(self) -> None:
        """Take the keys from this machine's copy, where that is newer than what is known."""
        if self._copy is None:
            return
        try:
            as_of = (await asyncio.to_thread(self._copy.current)).get("API keys", 0.0)
            if as_of > self._as_of:
                self._take(await asyncio.to_thread(self._copy.keys), as_of)
        except CopyUnavailable as error:
            self._away = f"{self._away}; {error}"


def fresh(
    name: str, scope: Scope, domains: Iterable[str], now: int, expires_at: int | None = None
) -> tuple[str, KeyRecord]:
    """Make a key: return it, to be shown once, and what is kept of it."""
    key = secrets.token_urlsafe(32)
    record = KeyRecord(
        secrets.token_hex(4), name, digest(key), scope, tuple(domains), now, expires_at
    )
    return key, record


def digest(key: str) -> bytes:
    """Return what is kept of a key. Keys are random: a plain digest of one tells nothing."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()
