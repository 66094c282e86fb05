"""API keys as the store holds them: who may ask what, until when; of the key itself, its digest.

Promise: a key that was revoked or has expired is never among the living again.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text, insert, null, select, update

from tracker.store import schema
from tracker.store.database import Store

Scope = Literal["read", "write", "send"]

key_table = Table(
    "api_key",
    schema.metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("scope", Text, nullable=False),
    Column("domains", Text, nullable=False),  # a JSON list; an empty one means every domain
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("used_at", BigInteger),
)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key but for its secret. Times are in Unix seconds; None says never."""

    id: str
    name: str
    digest: bytes
    scope: Scope
    domains: tuple[str, ...]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    used_at: int | None = None

    def state(self, now: float) -> Literal["live", "expired", "revoked"]:
        """Tell whether it opens anything at a time in Unix seconds."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "live"


class KeyRecords:
    """The keys in a store. Every method raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> list[KeyRecord]:
        """Return every key that was ever made, oldest first."""
        ordered = select(key_table).order_by(key_table.c.created_at, key_table.c.id)
        async with self._store.reading() as connection:
            return [_record(row._mapping) for row in await connection.execute(ordered)]

    async def add(self, record: KeyRecord) -> None:
        """Keep a new key."""
        values = dataclasses.asdict(record)
        values["domains"] = msgspec.json.encode(record.domains).decode()
        async with self._store.writing() as connection:
            await connection.execute(insert(key_table).values(values))

    async def revoke(self, key: str, at: int) -> bool:
        """Revoke a key for good; tell whether there was one of this id that wasn't revoked."""
        revoked = (
            update(key_table)
            .where(key_table.c.id == key, key_table.c.revoked_at.is_(null()))
            .values(revoked_at=at)
        )
        async with self._store.writing() as connection:
            return (await connection.execute(revoked)).rowcount == 1

    async def used(self, keys: dict[str, int]) -> None:
        """Note when keys were last used: Unix seconds by id."""
        async with self._store.writing() as connection:
            for key, at in keys.items():
                await connection.execute(
                    update(key_table).where(key_table.c.id == key).values(used_at=at)
                )


def _record(row: Any) -> KeyRecord:
    values = dict(row)
    values["domains"] = tuple(msgspec.json.decode(values["domains"], type=list[str]))
    return KeyRecord(**values)
