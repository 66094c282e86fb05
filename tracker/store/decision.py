"""Decisions: what recipients want, of all mail, of a tag or of a list; the last one holds.

In: unsubscribed and resubscribed events as they are stored, and what is decided by API or command.
Out: one row for each recipient and scope. A decision that is taken back stays as a row that says
so: of two events that come in the wrong order, the later one in time still wins.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Final

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Table, Text
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store import schema
from tracker.store.change import Change
from tracker.store.row import Row, exact
from tracker.store.sqlite import upsert, write

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
    sqlite_with_rowid=False,
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
    new = [change.row for change in changes if change.before is None and change.row.kind in KINDS]
    await decide(connection, [one for row in new for one in _decisions(row)])


async def decide(connection: AsyncConnection, decisions: Iterable[Decision]) -> None:
    """Have decisions hold, but where a later one does already."""
    await write(connection, _DECIDE, [astuple(one) for one in decisions])


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


_DECIDE: Final = upsert(
    suppression_table,
    lambda new: {"at": new["at"], "suppressed": new["suppressed"]},
    where=lambda new: new["at"] >= suppression_table.c.at,
)
