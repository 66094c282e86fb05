"""PostgreSQL's own: everything about the store that another database would say otherwise.

In: a URL as libpq takes it. Out: two engines, one for the connection that writes and a few that
read; and the statements that SQLAlchemy has no common word for.
Promise: of all processes one writes at a time, in the order in which they asked. So whoever reads
and then writes in one transaction overwrites nobody, and no sequence number comes out behind a
higher one.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import asyncpg
from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Row,
    Table,
    TableValuedAlias,
    and_,
    bindparam,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.masked import masked
from tracker.store.dialect import Trouble
from tracker.store.merge import Merge, Values, Where
from tracker.store.partition import drop_before, make_room
from tracker.store.server import BROKEN, cancelled, engines, meaning, reason

# What a dialect must have; some of it is made elsewhere.
__all__ = [
    "BROKEN",
    "claim",
    "drop_before",
    "engines",
    "find",
    "make",
    "make_room",
    "ours",
    "purge",
    "reason",
    "shown",
    "unfit",
    "write",
]

OLDEST: Final = 14  # the oldest version that PostgreSQL's own project still looks after
OURS: Final = "ingested"  # a table that every store has, and hardly any other program
TAKEN: Final = ("alembic_version", "event", "tag")  # names that another program may have taken


def shown(where: str) -> str:
    """Name a store to people: without a password."""
    return masked(where)


def make(where: str) -> None:
    """Do nothing: a database is made by whoever runs the server."""


def unfit(connection: Connection) -> str:
    """Say in a clause why no store can be in this database."""
    asked = text(
        "SELECT current_setting('server_version_num')::int / 10000,"
        " current_setting('server_encoding'), pg_is_in_recovery()"
    )
    version, encoding, replica = connection.execute(asked).one()
    if version < OLDEST:
        return f"its server is PostgreSQL {version}, and it takes {OLDEST} or newer"
    if encoding != "UTF8":
        return f"its encoding is {encoding}, and texts are of every language: make one with UTF8"
    if replica:
        return "its server is a replica, which only reads: name the primary"
    return ""


def ours(connection: Connection) -> bool | None:
    """Tell whether there is a store; None if the database, or the schema, can take one."""
    there = set(inspect(connection).get_table_names())
    if OURS in there:
        return True
    return None if there.isdisjoint(TAKEN) else False


def claim(connection: Connection) -> None:
    """Do nothing: the tables tell it."""


async def purge(connection: AsyncConnection) -> None:
    """Have the rows that were removed taken out of tables and indices (docs/store.md).

    For as long as a statement may take. What is left then, PostgreSQL does by itself in time.
    """
    try:
        await connection.exec_driver_sql("VACUUM (INDEX_CLEANUP ON, SKIP_LOCKED) event, tag, pair")
    except DBAPIError as error:
        if not cancelled(error):
            raise


async def write(connection: AsyncConnection, merge: Merge, rows: Sequence[tuple[Any, ...]]) -> int:
    """Merge rows into their table; return how many were inserted or changed."""
    if merge.new:
        return await _copy(connection, merge.table, rows)
    if merge.values is None:
        return await _add(connection, merge.table, rows)
    done = await connection.exec_driver_sql(
        _text(connection.dialect, merge.table, merge.values, merge.where),
        tuple(zip(*rows, strict=True)),
    )
    return done.rowcount


async def _add(connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert those rows whose key isn't there.

    Nobody else writes, so it can be asked beforehand, and COPY takes them: twice as many a second
    as INSERT … ON CONFLICT, which looks each up in the index while it inserts it (docs/store.md).
    """
    places = [place for place, column in enumerate(table.columns) if column.primary_key]
    keys = [tuple(row[place] for place in places) for row in rows]
    there = set(map(tuple, await find(connection, table, list(table.primary_key.columns), keys)))
    new = [row for key, row in zip(keys, rows, strict=True) if key not in there] if there else rows
    return await _copy(connection, table, new) if new else 0


async def _copy(connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows whose keys aren't there."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    try:
        await driver.copy_records_to_table(table.name, columns=table.columns.keys(), records=rows)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise Trouble(meaning(error)) from error
    if (number := table.autoincrement_column) is not None:
        # Rows that bring their own numbers: the next one is to come behind them.
        sequence = func.pg_get_serial_sequence(table.name, number.name)
        await connection.execute(select(func.setval(sequence, func.max(number))))
    return len(rows)


async def find(
    connection: AsyncConnection,
    table: Table,
    columns: Sequence[Column[Any]],
    keys: Sequence[tuple[Any, ...]],
) -> Sequence[Row[Any]]:
    """Return columns of the rows that have one of the keys.

    Joined with a table of keys: a list of them would be looked for by as many ORs.
    """
    if not keys:
        return []
    key = list(table.primary_key.columns)
    asked = _rows(key)
    found = select(*columns).join(asked, and_(*(asked.c[each.name] == each for each in key)))
    values = dict(zip((each.name for each in key), zip(*keys, strict=True), strict=True))
    return (await connection.execute(found, values)).all()


def _rows(columns: Iterable[Column[Any]]) -> TableValuedAlias:
    """Return the table that arrays make, one for each column and called as it is."""
    arrays = {column.name: bindparam(column.name, type_=ARRAY(column.type)) for column in columns}
    named = func.unnest(*arrays.values()).table_valued(*arrays)
    return named.render_derived(name="given")


@cache
def _text(dialect: Dialect, table: Table, values: Values, where: Where | None) -> str:
    """Write a merge of rows, which come as an array for each column."""
    columns = table.columns
    into = insert(table).from_select(columns.keys(), select(*_rows(columns).c))
    changed = into.on_conflict_do_update(
        index_elements=table.primary_key.columns,
        set_=values(into.excluded),
        where=None if where is None else where(into.excluded),
    )
    return str(changed.compile(dialect=dialect))
