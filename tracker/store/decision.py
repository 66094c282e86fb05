"""Decisions: what recipients want, of all mail, of a tag or of a list; the last one holds.

In: unsubscribed and resubscribed events as they are stored, and what is decided by API or command.
Out: one row for each recipient and scope. A decision that is taken back stays as a row that says
so: of two events that come in the wrong order, the later one in time still wins.

Promise: whoever has seen all changes up to a number misses none by asking for higher ones.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Final

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import schema
from tracker.store.change import Change
from tracker.store.dialect import write
from tracker.store.merge import Merge
from tracker.store.row import Row, exact

ALL: Final = "*"  # every mail of the sending domain
LIST: Final = "list:"  # before a list's name, which no tag can then be mistaken for

suppression_table = Table(
    "suppression",
    schema.metadata,
    Column("domain", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("suppressed", Boolean, nullable=False),
    Column("change", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)
_t = suppression_table.c
Index("suppression_by_change", _t.change, _t.domain, _t.address, _t.tag)

# The last number that was given to a change; one row.
change_table = Table(
    "suppression_change",
    schema.metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What holds for a recipient from `at` on, in microseconds. `tag` is a tag, a list or ALL."""

    domain: str
    address: str
    tag: str
    at: int
    suppressed: bool


class _Link(msgspec.Struct, frozen=True):
    name: str = ""
    category: str = ""


class _Asked(msgspec.Struct, frozen=True):
    """What an event tells of the scope; a link's category is that of `rewriter.unsubscribe`."""

    link: _Link = _Link()


KINDS: Final = {"unsubscribed": True, "resubscribed": False}
_asked = msgspec.json.Decoder(_Asked)


async def follow(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    """Take up what recipients decided, as their events are stored."""
    await heed(connection, [change.row for change in changes if change.before is None])


async def heed(connection: AsyncConnection, rows: Iterable[Row]) -> None:
    """Take up what recipients decided, whether or not their events are stored."""
    asked = [row for row in rows if row.kind in KINDS]
    await decide(connection, [one for row in asked for one in _decisions(row)])


async def decide(connection: AsyncConnection, decisions: Iterable[Decision]) -> None:
    """Have decisions hold, but where a later one does already."""
    last: dict[tuple[str, str, str], Decision] = {}
    for one in decisions:
        key = one.domain, one.address, one.tag
        if key not in last or one.at >= last[key].at:
            last[key] = one
    if not last:
        return
    # The counter's row is locked until the transaction ends, in every database: no number becomes
    # visible after a higher one.
    number = (await connection.execute(_NUMBERED)).scalar_one()
    await write(connection, _DECIDE, [(*astuple(one), number) for one in last.values()])


def _decisions(row: Row) -> Iterator[Decision]:
    if row.recipient:
        for tag in _tags(row):
            yield Decision(row.domain, row.recipient, tag, row.at, KINDS[row.kind])


def _tags(row: Row) -> Sequence[str]:
    """Return what the recipient meant; all mail, where a tag or a list is meant but not named."""
    try:
        link = _asked.decode(row.document).link
    except msgspec.MsgspecError:  # an event from elsewhere may have any link
        return (ALL,)
    if link.category == "list" and (name := exact(link.name)):
        return (LIST + name,)
    if link.category == "tag" and row.tags:
        return row.tags
    return (ALL,)


_NUMBERED: Final = (
    update(change_table).values(last=change_table.c.last + 1).returning(change_table.c.last)
)
_DECIDE: Final = Merge(
    suppression_table,
    lambda new: {name: new[name] for name in ("at", "suppressed", "change")},
    where=lambda new: new["at"] >= suppression_table.c.at,
)
