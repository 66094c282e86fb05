"""API keys: who may ask what. A key is kept as its digest alone.

Those of the key file open everything. All others are in the store, with a scope, domains and
perhaps an end.

Promise: a key that was revoked opens nothing FRESH_FOR later. While the store can't answer, the
keys that it named last go on opening what they opened.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from tracker.api.grant import BOOTSTRAP, Grant
from tracker.api.keyfile import read_keys
from tracker.store.access import KeyRecord, KeyRecords, Scope
from tracker.store.database import StoreUnavailable

FRESH_FOR: Final = 1.0  # seconds


class ApiKeys:
    """The keys that open the API: those of a file, and those of a store if one is given."""

    def __init__(
        self,
        digests: Iterable[bytes],
        records: KeyRecords | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._everything = dict.fromkeys(digests, BOOTSTRAP)
        self._records = records
        self._clock = clock
        self._live: dict[bytes, KeyRecord] = {}
        self._looked_at = 0.0
        self._looking = asyncio.Lock()
        self._noted: dict[str, int] = {}

    @classmethod
    def of(cls, *keys: str) -> Self:
        """Return keys that open everything, hashed."""
        return cls(map(digest, keys))

    @classmethod
    def load(cls, path: Path, records: KeyRecords | None = None) -> Self:
        """Read the key file, making it first if it is missing. Raises KeyFileError."""
        return cls(map(digest, read_keys(path)), records)

    async def grant(self, key: str) -> Grant | None:
        """Return what a key opens, None if it is no key of ours."""
        # How long a look-up takes tells nothing: nobody can choose what a digest begins with.
        found = digest(key)
        if everything := self._everything.get(found):
            return everything
        await self._refresh()
        record = self._live.get(found)
        now = self._clock()
        if record is None or record.state(now) != "live":
            return None
        self._noted[record.id] = int(now)
        return Grant(record.id, record.scope, frozenset(record.domains))

    async def note_use(self) -> None:
        """Write down which keys were used lately. Raises StoreUnavailable."""
        if self._records and self._noted:
            used, self._noted = self._noted, {}
            await self._records.used(used)

    async def _refresh(self) -> None:
        if self._records is None:
            return
        async with self._looking:
            if abs(self._clock() - self._looked_at) < FRESH_FOR:
                return
            with contextlib.suppress(StoreUnavailable):
                records = await self._records.all()
                self._live = {one.digest: one for one in records if one.revoked_at is None}
            self._looked_at = self._clock()


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
