"""An insertion: rows into their tables, each once, the highest revision in place of lower ones.

In: rows, and a connection in a transaction. Out: what has changed, for all that is kept in step.
Promise: it takes sequence numbers first, which holds every other insertion off until the end of
the transaction. So none is given out behind a higher one, and what is found to be new is new.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import sqlite
from tracker.store.change import Change, parts
from tracker.store.document import Damaged, packed, unpacked
from tracker.store.row import Row
from tracker.store.schema import event, ingested, tag

Place = tuple[str, int, str]
COLUMNS: Final = tuple(column.name for column in event.columns if column.name != "sequence")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows, each place once, and the values they are stored as but for their sequence numbers."""

    rows: Sequence[Row]
    values: Sequence[dict[str, Any]]


def prepared(rows: Iterable[Row]) -> Prepared:
    """Do all that needs no database: it takes as long as the insertion itself."""
    highest: dict[Place, Row] = {}
    for row in rows:
        found = highest.setdefault(_place(row), row)
        if row.revision > found.revision:
            highest[_place(row)] = row
    kept = list(highest.values())
    return Prepared(kept, list(map(_values, kept)))


async def store(connection: AsyncConnection, batch: Prepared) -> list[Change]:
    """Store what is new or of a higher revision, and return it in the order it was given."""
    first = await _advance(connection, len(batch.rows)) - len(batch.rows) + 1
    numbered = [
        values | {"sequence": sequence} for sequence, values in enumerate(batch.values, first)
    ]
    done = await connection.execute(_INSERT, numbered, execution_options=_COUNTED)
    if done.rowcount == len(numbered):
        changes = [Change(row) for row in batch.rows]
    else:
        changes = await _told_apart(connection, batch, first)
    if tags := list(_tags(change.row for change in changes if change.before is None)):
        await connection.execute(insert(tag), tags)
    return changes


_COUNTED: Final = {"preserve_rowcount": True}
_INSERT: Final = sqlite.insert_if_absent(event)
REVISED: Final = ("revision", "document")
_REVISE: Final = (
    update(event)
    .where(*(event.c[name] == bindparam(f"its_{name}") for name in ("domain", "at", "id")))
    .values({name: bindparam(name) for name in (*REVISED, "sequence")})
)


async def _told_apart(connection: AsyncConnection, batch: Prepared, first: int) -> list[Change]:
    """Return the changes of an insertion that found some events there; revise what is higher."""
    new = set(await connection.scalars(select(event.c.sequence).where(event.c.sequence >= first)))
    there = [row for sequence, row in enumerate(batch.rows, first) if sequence not in new]
    stored = await _stored(connection, there)
    changes, revisions = [], []
    for sequence, (row, values) in enumerate(zip(batch.rows, batch.values, strict=True), first):
        if sequence in new:
            changes.append(Change(row))
        elif row.revision > stored[_place(row)][0]:
            changes.append(Change(row, _before(row, stored[_place(row)][1])))
            revisions.append(_revision(values, sequence))
    if revisions:
        await connection.execute(_REVISE, revisions)
    return changes


async def _stored(
    connection: AsyncConnection, rows: Sequence[Row]
) -> dict[Place, tuple[int, bytes]]:
    """Return revision and document of events that are there."""
    key = tuple_(event.c.domain, event.c.at, event.c.id)
    columns = (event.c.domain, event.c.at, event.c.id, event.c.revision, event.c.document)
    found = {}
    for some in parts(list(map(_place, rows))):
        for each in await connection.execute(select(*columns).where(key.in_(some))):
            found[each.domain, each.at, each.id] = each.revision, each.document
    return found


def _before(row: Row, stored: bytes) -> bytes:
    """Return what a revision replaces; if that is damaged, take it to have said the same."""
    try:
        return unpacked(stored)
    except Damaged:
        return row.document


def _revision(values: Mapping[str, Any], sequence: int) -> dict[str, Any]:
    where = {f"its_{name}": values[name] for name in ("domain", "at", "id")}
    return (
        where | {name: values[name] for name in ("revision", "document")} | {"sequence": sequence}
    )


def _values(row: Row) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in COLUMNS}
    values["document"] = packed(row.document)
    return values


def _tags(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    for row in rows:
        for each in row.tags:
            yield {"domain": row.domain, "tag": each, "at": row.at, "id": row.id}


def _place(row: Row) -> Place:
    return row.domain, row.at, row.id


async def _advance(connection: AsyncConnection, count: int) -> int:
    """Take `count` sequence numbers; return the last one."""
    advanced = update(ingested).values(last=ingested.c.last + count).returning(ingested.c.last)
    return int((await connection.execute(advanced)).scalar_one())
