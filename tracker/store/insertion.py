"""An insertion: rows into their tables, each once, the highest revision in place of lower ones.

In: rows, and a connection in a transaction. Out: what has changed, for all that is kept in step.
Promise: it takes sequence numbers first, which holds every other insertion off until the end of
the transaction. So none is given out behind a higher one, and what is found to be new is new.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store.change import Change
from tracker.store.dialect import of, write
from tracker.store.document import Damaged, packed, unpacked
from tracker.store.erasure import Erasures
from tracker.store.figures import Counted, counted
from tracker.store.merge import Merge
from tracker.store.row import Row
from tracker.store.schema import event, ingested, tag

Place = tuple[str, int, str]
COLUMNS: Final = tuple(column.name for column in event.columns)
BEHIND: Final = COLUMNS[COLUMNS.index("sequence") + 1 : -1]  # after it come these and the document


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows, each place once, and the values they are stored as but for their sequence numbers.

    Those that come too `late`, behind the erasure of their recipient, aren't among them.
    """

    rows: Sequence[Row]
    counted: Sequence[Counted]
    places: Sequence[Place]
    values: Sequence[tuple[Any, ...]]
    tags: Sequence[tuple[str, str, int, str]]
    late: Sequence[Row]


def prepared(rows: Sequence[Row], erasures: Erasures) -> Prepared:
    """Do all that needs no database: it takes as long as the insertion itself."""
    fit, late = erasures.parted(rows)
    highest: dict[Place, Row] = {}
    for row in fit:
        place = _place(row)
        found = highest.setdefault(place, row)
        if row.revision > found.revision:
            highest[place] = row
    kept = list(highest.values())
    documents = packed([row.document for row in kept])
    values = [(*_behind(row), each) for row, each in zip(kept, documents, strict=True)]
    return Prepared(kept, list(map(counted, kept)), list(highest), values, _tags(kept), late)


async def store(connection: AsyncConnection, batch: Prepared) -> list[Change]:
    """Store what is new or of a higher revision, and return it in the order it was given."""
    if not batch.rows:
        return []
    first = await _advance(connection, len(batch.rows)) - len(batch.rows) + 1
    numbered = [
        (*place, sequence, *values)
        for sequence, (place, values) in enumerate(
            zip(batch.places, batch.values, strict=True), first
        )
    ]
    if await write(connection, _INSERT, numbered) == len(numbered):
        changes, tags = list(map(Change, batch.rows, batch.counted)), batch.tags
    else:
        changes = await _told_apart(connection, batch, first)
        tags = _tags(change.row for change in changes if change.before is None)
    await write(connection, _TAG, tags)
    return changes


_INSERT: Final = Merge(event)
_TAG: Final = Merge(tag)
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
    each = zip(batch.rows, batch.counted, batch.values, strict=True)
    for sequence, (row, told, values) in enumerate(each, first):
        if sequence in new:
            changes.append(Change(row, told))
        elif row.revision > stored[_place(row)][0]:
            changes.append(Change(row, told, _before(row, stored[_place(row)][1])))
            revisions.append(_revision(row, values[-1], sequence))
    if revisions:
        await connection.execute(_REVISE, revisions)
    return changes


async def _stored(
    connection: AsyncConnection, rows: Sequence[Row]
) -> dict[Place, tuple[int, bytes]]:
    """Return revision and document of events that are there."""
    columns = (event.c.domain, event.c.at, event.c.id, event.c.revision, event.c.document)
    found = await of(connection).find(connection, event, columns, list(map(_place, rows)))
    return {(each.domain, each.at, each.id): (each.revision, each.document) for each in found}


def _before(row: Row, stored: bytes) -> bytes:
    """Return what a revision replaces; if that is damaged, take it to have said the same."""
    try:
        return unpacked(stored)
    except Damaged:
        return row.document


def _revision(row: Row, document: bytes, sequence: int) -> dict[str, Any]:
    where = {"its_domain": row.domain, "its_at": row.at, "its_id": row.id}
    return where | {"revision": row.revision, "document": document, "sequence": sequence}


def _tags(rows: Iterable[Row]) -> list[tuple[str, str, int, str]]:
    return sorted((row.domain, each, row.at, row.id) for row in rows for each in row.tags)


_place: Final[Callable[[Row], Place]] = attrgetter("domain", "at", "id")
_behind: Final[Callable[[Row], tuple[Any, ...]]] = attrgetter(*BEHIND)


async def _advance(connection: AsyncConnection, count: int) -> int:
    """Take `count` sequence numbers; return the last one."""
    advanced = update(ingested).values(last=ingested.c.last + count).returning(ingested.c.last)
    return int((await connection.execute(advanced)).scalar_one())
