"""A copy: all that one store holds, in another, empty one; read back and compared when it is there.

In: two stores, which this program's version has brought up to date. Out: how far it has come.
Promise: how far it came lies in the target, in the transaction that wrote the rows, so that a copy
which was cut short goes on there. The source is left as it is, and nobody may change it meanwhile:
that is noticed and said. Keys and sequence numbers stay, so whoever follows the feed goes on with
the cursor they have.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib import import_module
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    delete,
    func,
    insert,
    inspect,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import dialect, schema
from tracker.store.database import Store
from tracker.store.merge import Merge

AT_ONCE: Final = 2_000  # rows, which are a megabyte of events

# Every module that adds tables to the store's; `tables` is complete once they are imported.
OF_TABLES: Final = (
    "access",
    "audit",
    "decision",
    "domains",
    "erasure",
    "rollup",
    "signing",
    "webhook_schema",
)

BY_TIME: Final = (schema.event, schema.tag)  # what a database may keep in parts by time

# In the target while a copy is under way, and only then: a row for each table that was begun.
copying = Table(
    "copying",
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("last", LargeBinary, nullable=False),  # the key of the last row
)
SOURCE: Final = ""  # the name of the row whose `digest` tells the source as it was at the beginning

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


class CopyRefused(Exception):
    """The copy can't be made, or isn't one; the message is a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Part:
    """What of a table was read: rows, their digest in whatever order, the key of the last."""

    rows: int = 0
    digest: int = 0
    last: tuple[Any, ...] = ()

    def and_then(self, table: Table, rows: Sequence[Sequence[Any]]) -> "Part":
        """Return the part with further rows of the table, which hold all of its columns."""
        digest = (self.digest + sum(map(_digest, rows))) % (1 << 64)
        return Part(self.rows + len(rows), digest, _key(table, rows[-1]))


@dataclass(frozen=True, slots=True)
class Step:
    """Some more rows of a table were written or, of `checked` ones, read back."""

    table: str
    rows: int
    checked: bool = False


class Copy:
    """A copy that is being made, of so many `rows`."""

    def __init__(self, source: Store, target: Store, mark: str, rows: int, at_once: int) -> None:
        self._source = source
        self._target = target
        self._mark = mark
        self._at_once = at_once
        self._parts: dict[str, Part] = {}
        self.rows = rows

    @classmethod
    async def begin(cls, source: Store, target: Store, at_once: int = AT_ONCE) -> "Copy":
        """Begin a copy, or go on with one. Raises CopyRefused and StoreUnavailable."""
        async with source.reading() as connection:
            mark = await _mark(connection)
            rows = sum([await _count(connection, table) for table in tables()])
        copy = cls(source, target, mark, rows, at_once)
        async with target.writing() as connection:
            if await connection.run_sync(_is_there):
                copy._parts = await _begun(connection, mark)
            else:
                await _begin(connection, mark)
        return copy

    @property
    def done(self) -> int:
        """How many rows are in the target."""
        return sum(part.rows for part in self._parts.values())

    async def run(self) -> AsyncIterator[Step]:
        """Copy what is missing, read everything back, and take the marks of the copy away.

        Raises CopyRefused if the two differ in the end, and StoreUnavailable.
        """
        for table in tables():
            async for rows in self._rows(self._source, table, self._part(table).last):
                self._parts[table.name] = part = self._part(table).and_then(table, rows)
                async with self._target.writing() as connection:
                    await _write(connection, table, rows)
                    await _note(connection, table, part)
                yield Step(table.name, len(rows))
        for table in tables():
            found = Part()
            async for rows in self._rows(self._target, table):
                found = found.and_then(table, rows)
                yield Step(table.name, len(rows), checked=True)
            self._compare(table, found)
        await self._end()

    def _part(self, table: Table) -> Part:
        return self._parts.get(table.name, Part())

    async def _rows(
        self, store: Store, table: Table, last: tuple[Any, ...] = ()
    ) -> AsyncIterator[Sequence[Sequence[Any]]]:
        """Give a table in pages; the next one is read while the last is dealt with."""
        reading = asyncio.ensure_future(self._read(store, table, last))
        try:
            while rows := await reading:
                last = _key(table, rows[-1])
                reading = asyncio.ensure_future(self._read(store, table, last))
                yield rows
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _read(
        self, store: Store, table: Table, last: tuple[Any, ...]
    ) -> Sequence[Sequence[Any]]:
        page = _page(table, last).limit(self._at_once)
        async with store.reading() as connection:
            return [*await connection.execute(page)]

    def _compare(self, table: Table, found: Part) -> None:
        read = self._part(table)
        if (found.rows, found.digest) != (read.rows, read.digest):
            raise CopyRefused(
                f"{table.name} holds {found.rows} rows, and {read.rows} were read from the source;"
                " or some are others: somebody changed the target meanwhile. Empty it and begin"
                " again; the source is as it was"
            )

    async def _end(self) -> None:
        async with self._source.reading() as connection:
            if await _mark(connection) != self._mark:
                raise _changed()
        async with self._target.writing() as connection:
            await connection.run_sync(copying.drop)


def tables() -> list[Table]:
    """Return every table of a store."""
    for name in OF_TABLES:
        import_module(f"tracker.store.{name}")
    return schema.metadata.sorted_tables


def _page(table: Table, last: tuple[Any, ...]) -> Select[Any]:
    keys = list(table.primary_key.columns)
    page = select(table).order_by(*keys)
    if not last:
        return page
    after = (literal(value, column.type) for value, column in zip(last, keys, strict=True))
    return page.where(tuple_(*keys) > tuple_(*after))


def _key(table: Table, row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(row[place] for place, one in enumerate(table.columns) if one.primary_key)


def _digest(row: Sequence[Any]) -> int:
    return int.from_bytes(blake2b(_encode(tuple(row)), digest_size=8).digest())


async def _write(connection: AsyncConnection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    if table in BY_TIME:
        at = table.columns.keys().index("at")
        await dialect.of(connection).make_room(connection, {row[at] for row in rows})
    await dialect.write(connection, Merge(table), [tuple(row) for row in rows])


async def _note(connection: AsyncConnection, table: Table, part: Part) -> None:
    told = {"rows": part.rows, "digest": f"{part.digest:x}", "last": _encode(part.last)}
    noted = await connection.execute(
        update(copying).where(copying.c.name == table.name).values(told)
    )
    if not noted.rowcount:
        await connection.execute(insert(copying).values(name=table.name, **told))


async def _count(connection: AsyncConnection, table: Table) -> int:
    counted = select(func.count()).select_from(table)
    return int((await connection.execute(counted)).scalar_one())


async def _mark(connection: AsyncConnection) -> str:
    """Return what differs as soon as somebody stored an event or changed anything else."""
    audit = schema.metadata.tables["audit"]
    last = (await connection.execute(select(schema.ingested.c.last))).scalar_one()
    changes = (await connection.execute(select(func.max(audit.c.number)))).scalar()
    return f"{last} events, {changes or 0} changes"


def _is_there(connection: Connection) -> bool:
    return inspect(connection).has_table(copying.name)


async def _begun(connection: AsyncConnection, mark: str) -> dict[str, Part]:
    """Return how far a copy came. Raises CopyRefused if it was one of something else."""
    parts = {}
    for name, rows, digest, last in await connection.execute(select(copying)):
        if name != SOURCE:
            parts[name] = Part(rows, int(digest, 16), _decode(last))
        elif digest != mark:
            raise _changed()
    return parts


async def _begin(connection: AsyncConnection, mark: str) -> None:
    """Make the target ready. Raises CopyRefused if it holds anything."""
    held = [table.name for table in tables() if not await _new(connection, table)]
    if held:
        raise CopyRefused(
            f"the target is no new store: it has rows in {', '.join(held)}. Name an empty database"
        )
    for table in tables():
        await connection.execute(delete(table))
    await connection.run_sync(copying.create)
    source = {"name": SOURCE, "rows": 0, "digest": mark, "last": b""}
    await connection.execute(insert(copying).values(source))


async def _new(connection: AsyncConnection, table: Table) -> bool:
    """Tell whether a table is as a new store has it: empty, or one counter that stands at 0."""
    rows = (await connection.execute(select(table).limit(2))).all()
    values = [column.name for column in table.columns if not column.primary_key]
    return not rows or (
        len(rows) == 1 and bool(values) and not any(getattr(rows[0], name) for name in values)
    )


def _changed() -> CopyRefused:
    return CopyRefused(
        "the source has changed since the copy began: stop every back office that uses it, empty"
        " the target and begin again"
    )
