"""Pairs: what is known of one message to one recipient, kept for the uniques among the figures.

In: keys as `figures.key` makes them. Out: pairs. No address is kept: a key ends in a digest, and
begins with digits of the message id.
Promise: of a pair, what was kept under its key of before revision 0006 is found, and goes over to
its new key with the first change.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from msgspec.structs import astuple
from sqlalchemy import Boolean, Column, Integer, LargeBinary, Table, Text, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import schema
from tracker.store.change import parts
from tracker.store.dialect import of, write
from tracker.store.merge import Merge
from tracker.store.pair import AS_MANY, NEAR_BYTES, SLOTS, Pair, key
from tracker.store.row import Row

# SQLite's zeros take no byte: a row has some 50.
pair_table = Table(
    "pair",
    schema.metadata,
    Column("key", LargeBinary, primary_key=True),
    *(Column(name, Integer, nullable=False) for name in SLOTS),
    Column("tags", Text, nullable=False),
    Column("tagged_delivery", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# What a key of before revision 0006, a digest alone, was given in front: behind all others.
BEFORE_0006: Final = b"\xff" * NEAR_BYTES


async def pairs_of(connection: AsyncConnection, keys: Sequence[bytes]) -> dict[bytes, Pair]:
    """Return what is known of pairs, by their keys."""
    asked = list(dict.fromkeys(keys))
    found = await _kept(connection, asked)
    if asked and await _any_before_0006(connection):
        earlier = {_before_0006(known): known for known in asked if known not in found}
        kept = await _kept(connection, list(earlier))
        found |= {earlier[known]: pair for known, pair in kept.items()}
    return found


async def keep(
    connection: AsyncConnection, pairs: Mapping[bytes, Pair], before: Mapping[bytes, Pair]
) -> None:
    """Keep what is known of pairs now; `before` is what `pairs_of` found of them."""
    new = [(known, *_values(pair)) for known, pair in pairs.items() if known not in before]
    others = [(known, *_values(pair)) for known, pair in pairs.items() if known in before]
    await write(connection, _ADD, sorted(new))
    await write(connection, _PUT, sorted(others))
    if pairs and await _any_before_0006(connection):
        await _remove(connection, list(map(_before_0006, pairs)))


async def forget(connection: AsyncConnection, rows: Iterable[Row]) -> None:
    """Forget the pairs that events of these were about; the figures stay.

    For erasure: an event that comes in for such a pair later counts as its first.
    """
    keys = [known for row in rows if (known := key(row)) is not None]
    await _remove(connection, [*keys, *map(_before_0006, keys)])


async def _kept(connection: AsyncConnection, keys: Sequence[bytes]) -> dict[bytes, Pair]:
    found: dict[bytes, Pair] = {}
    asked, columns = [(known,) for known in keys], list(pair_table.columns)
    for row in await of(connection).find(connection, pair_table, columns, asked):
        values: tuple[Any, ...] = tuple(row)
        known, *hours, tags, tagged_delivery = values
        told = tuple(tags.split("\n")) if tags else ()
        slots = dict(zip(SLOTS, hours, strict=True))
        found[known] = Pair(**slots, tags=told, tagged_delivery=bool(tagged_delivery))
    return found


async def _remove(connection: AsyncConnection, keys: Sequence[bytes]) -> None:
    for part in parts(keys):
        await connection.execute(delete(pair_table).where(pair_table.c.key.in_(part)))


async def _any_before_0006(connection: AsyncConnection) -> bool:
    # No max(): PostgreSQL has none of bytes before version 18.
    last = select(pair_table.c.key).order_by(pair_table.c.key.desc()).limit(1)
    highest = await connection.scalar(last)
    return highest is not None and bool(highest.startswith(BEFORE_0006))


def _before_0006(known: bytes) -> bytes:
    return BEFORE_0006 + known[NEAR_BYTES:]


@lru_cache(AS_MANY)
def _values(pair: Pair) -> tuple[Any, ...]:
    *hours, tags, tagged_delivery = astuple(pair)
    return (*hours, "\n".join(tags), tagged_delivery)


_ADD: Final = Merge(pair_table, new=True)
_PUT: Final = Merge(
    pair_table, lambda put: {name: put[name] for name in (*SLOTS, "tags", "tagged_delivery")}
)
