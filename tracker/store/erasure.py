"""Erasures: who was erased, and when, so that nothing of before comes in behind it.

In: recipients as they are erased; rows as they are about to be stored. Out: the rows that may be.
Hits wait in spools, events on the bus, in archives and in files of other systems; what is asked is
when a thing happened, not when it comes.

No address is kept: a digest, under a key that the store makes at its first erasure, of the address
and the sending domain that it was erased for. Whoever has the store can ask it about an address
that they know, as we do, and can't read one out of it.

Promise: once `note` is committed, no process stores an event of the recipient that happened before.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import schema
from tracker.store.dialect import write
from tracker.store.merge import Merge
from tracker.store.row import Row

KEY_BYTES: Final = 32
DIGEST_BYTES: Final = 16  # with a million erasures, one event in 10^32 is taken for an erased one
EVERY: Final = ""  # in place of a sending domain: erased for all of them

erasure_table = Table(
    "erasure",
    schema.metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("erasure_by_at", erasure_table.c.at)

key_table = Table(
    "erasure_key",
    schema.metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False),
)

_PUT: Final = Merge(erasure_table, lambda put: {"at": put["at"]})


@dataclass(frozen=True, slots=True)
class Erasures:
    """The erasures of a store up to the `newest`, as the times of digests, in microseconds."""

    key: bytes = b""
    newest: int = 0
    times: Mapping[bytes, int] = field(default_factory=dict)

    def parted(self, rows: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
        """Return the rows that may be stored, and those that come too late to be."""
        if not self.times:
            return rows, ()
        named = {(row.domain, name) for row in rows for name in _names(row)}
        erased = {each: at for each in named if (at := self._erased(*each))}
        late = {id(row) for row in rows if erased and self._is_late(row, erased)}
        return (
            [row for row in rows if id(row) not in late],
            [row for row in rows if id(row) in late],
        )

    def _erased(self, domain: str, name: str) -> int:
        return max(self.times.get(_digest(self.key, each, name), 0) for each in (domain, EVERY))

    def _is_late(self, row: Row, erased: Mapping[tuple[str, str], int]) -> bool:
        return any(row.at <= erased.get((row.domain, name), -1) for name in _names(row))


async def note(connection: AsyncConnection, domain: str | None, name: str, now: int) -> None:
    """Note that a recipient was erased `now`, for a sending domain or for all of them."""
    key = await _key(connection)
    if not key:
        key = secrets.token_bytes(KEY_BYTES)
        await write(connection, Merge(key_table), [(1, key)])
    # Each erasure has a later time than any before, whatever the clock says: whoever knows the
    # newest one knows them all.
    at = max(now, await newest(connection) + 1)
    await write(connection, _PUT, [(_digest(key, domain or EVERY, name), at)])


async def newest(connection: AsyncConnection) -> int:
    """Return the time of the newest erasure, 0 if there is none."""
    return int(await connection.scalar(select(func.max(erasure_table.c.at))) or 0)


async def current(connection: AsyncConnection, known: Erasures) -> Erasures:
    """Return all erasures: those that are known, where there are no others."""
    if await newest(connection) == known.newest:
        return known
    behind = select(erasure_table).where(erasure_table.c.at > known.newest)
    found = {row.digest: row.at for row in await connection.execute(behind)}
    if not found:  # they were forgotten
        return Erasures()
    times = {**known.times, **found}
    return Erasures(known.key or await _key(connection), max(found.values()), times)


async def forget(connection: AsyncConnection, before: int) -> None:
    """Forget the erasures before a time, from before which no event is kept anyway."""
    await connection.execute(delete(erasure_table).where(erasure_table.c.at < before))


async def _key(connection: AsyncConnection) -> bytes:
    return bytes(await connection.scalar(select(key_table.c.key)) or b"")


def _digest(key: bytes, domain: str, name: str) -> bytes:
    # No domain has a NUL in it, so that no two pairs make one text.
    told = f"{domain}\0{name}".encode()
    return blake2b(told, key=key, digest_size=DIGEST_BYTES).digest()


def _names(row: Row) -> Iterator[str]:
    """Yield whoever an erasure finds the event by: see `recipient.erase_recipient`."""
    if row.recipient:
        yield row.recipient
    if row.recipients or row.to_header:
        yield from row.recipients.split()
        yield from row.to_header.split()
