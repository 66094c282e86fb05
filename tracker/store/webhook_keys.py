"""The keys that webhooks are signed under: one for all domains, and a domain's own if it has one.

A key is made when it is first needed, and replaced by a new one with a time in which both hold. Its
secret has to be kept, since it signs; it is given out once.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store.audit import entry, record
from tracker.store.database import Store
from tracker.store.webhook_schema import key_table

EVERY: Final = ""  # in the place of a domain: all that have no key of their own
BYTES: Final = 32  # Standard Webhooks ask for 24 to 64
MOST_OVERLAP: Final = 30 * 86_400  # seconds


class AlreadyShown(Exception):
    """The key was given out before; the message says when, and what would be right."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key. Times are in Unix seconds; `ends_at` is None while it isn't replaced.

    Where only one signature has room, it signs from `signs_from` on.
    """

    id: str
    domain: str
    secret: bytes
    created_at: int
    signs_from: int
    ends_at: int | None = None
    shown_at: int | None = None


class SigningKeys:
    """The keys in a store. Every method raises StoreUnavailable; domains are canonical."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    async def of(self, domain: str) -> Sequence[SigningKey]:
        """Return the keys that sign for a domain now, newest first; one at least.

        They are its own, else those of all. The first one is made here.
        """
        now = int(self._clock())
        async with self._store.reading() as connection:
            for owner in dict.fromkeys((domain, EVERY)):
                if found := await _living(connection, owner, now):
                    return found
        async with self._store.writing() as connection:
            return await _living(connection, EVERY, now) or [await _made(connection, EVERY, now)]

    async def show(self, domain: str, *, who: str) -> SigningKey:
        """Return the newest key of a domain, or of EVERY, this once. Raises AlreadyShown.

        A domain without one gets its own: that of all others isn't for who may see this one alone.
        """
        now = int(self._clock())
        async with self._store.writing() as connection:
            found = await _living(connection, domain, now)
            key = found[0] if found else await _made(connection, domain, now)
            if key.shown_at is not None:
                day = time.strftime("%Y-%m-%d", time.gmtime(key.shown_at))
                raise AlreadyShown(
                    f"the signing key was given out on {day} and isn't given out again: make a new"
                    " one, and both hold for as long as you say"
                )
            shown = update(key_table).where(key_table.c.id == key.id).values(shown_at=now)
            await connection.execute(shown)
            await record(connection, entry(who, "webhook.key.show", domain or "every domain"))
        return key

    async def rotate(self, domain: str, overlap: int, *, who: str) -> SigningKey:
        """Make a new key, shown this once; those before it end after `overlap` seconds.

        Until then they go on signing where there is room for one signature only, so that receivers
        have that long to take up the new one.
        """
        if not 0 <= overlap <= MOST_OVERLAP:
            raise ValueError(f"two keys hold together for 0 to {MOST_OVERLAP // 86_400} days")
        now = int(self._clock())
        ends = now + overlap
        async with self._store.writing() as connection:
            found = await _living(connection, domain, now)
            for key in found:
                sooner = min(ends, key.ends_at) if key.ends_at is not None else ends
                its = update(key_table).where(key_table.c.id == key.id)
                await connection.execute(its.values(ends_at=sooner))
            made = await _made(connection, domain, now, ends if found else now, shown_at=now)
            told = {"id": made.id, "before_ends_at": ends if found else None}
            change = entry(who, "webhook.key.new", domain or "every domain", after=told)
            await record(connection, change)
        return made


async def _living(connection: AsyncConnection, domain: str, now: int) -> list[SigningKey]:
    keys = key_table.c
    its = (
        select(key_table)
        .where(keys.domain == domain, keys.ends_at.is_(None) | (keys.ends_at > now))
        .order_by(keys.created_at.desc(), keys.signs_from.desc())
    )
    return [SigningKey(**row._mapping) for row in await connection.execute(its)]


async def _made(
    connection: AsyncConnection,
    domain: str,
    now: int,
    signs_from: int | None = None,
    shown_at: int | None = None,
) -> SigningKey:
    key = SigningKey(
        secrets.token_hex(4),
        domain,
        secrets.token_bytes(BYTES),
        now,
        now if signs_from is None else signs_from,
        shown_at=shown_at,
    )
    await connection.execute(insert(key_table).values(asdict(key)))
    return key
