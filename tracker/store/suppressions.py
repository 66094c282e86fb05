"""Suppressions: who is not to be written to, as it was decided last.

In: a sending domain and addresses. Out: what each has unsubscribed from. Unsubscribed events become
decisions by themselves (`decision`); here they are asked for, added and taken back by hand.

Promise: every change made here stands in the audit log, in the same transaction. Whoever follows
the changes from the beginning ends up with the same suppressions.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select, tuple_

from tracker.store import audit
from tracker.store.change import parts
from tracker.store.database import Store
from tracker.store.decision import ALL, Decision, change_table, decide, suppression_table
from tracker.store.row import exact

MOST: Final = 1_000  # addresses a page
AT_ONCE: Final = 1_000  # decisions of one transaction

_t = suppression_table.c


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address, what it has unsubscribed from, and since when, in microseconds."""

    address: str
    tags: tuple[str, ...]
    at: int

    def covers(self, tags: Iterable[str]) -> bool:
        """Tell whether mail of these tags is not to be sent to the address."""
        return ALL in self.tags or not set(self.tags).isdisjoint(tags)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind an address, or before it; without one, at that end."""

    way: Literal["after", "before"] = "after"
    address: str = ""


class Mark(NamedTuple):
    """How far changes were followed: to the number of one, and within it to the key of a row."""

    change: int
    domain: str
    address: str
    tag: str


BEGINNING: Final = Mark(-1, "", "", "")


@dataclass(frozen=True, slots=True)
class Changed:
    """What was decided of an address and a tag, `at` a time in microseconds."""

    mark: Mark
    at: int
    suppressed: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """What it was decided of."""
        return self.mark[1:]


class Suppressions:
    """The suppressions in a store. Every method raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, domain: str, addresses: Sequence[str]) -> dict[str, Suppression]:
        """Return what is suppressed among some addresses, by address as it is kept."""
        found: dict[str, Suppression] = {}
        async with self._store.reading() as connection:
            for some in parts(sorted({exact(address) for address in addresses})):
                there = _live(domain).where(_t.address.in_(some)).order_by(_t.address, _t.tag)
                found |= grouped(await connection.execute(there))
        return found

    async def page(
        self, domain: str, place: Place, limit: int, prefix: str = ""
    ) -> list[Suppression]:
        """Return up to `limit` suppressions beside a place, in the order of their addresses."""
        backward = place.way == "before"
        wanted = _conditions(domain, place, prefix)
        order = _t.address.desc() if backward else _t.address
        addresses = (
            select(_t.address).where(*wanted).group_by(_t.address).order_by(order).limit(limit)
        )
        async with self._store.reading() as connection:
            some = list(await connection.scalars(addresses))
            there = _live(domain).where(_t.address.in_(some)).order_by(_t.address, _t.tag)
            return list(grouped(await connection.execute(there)).values())

    async def changes(self, after: Mark, limit: int) -> list[Changed]:
        """Return what was decided behind a mark; of several decisions of one key, the last."""
        mark = tuple_(_t.change, _t.domain, _t.address, _t.tag)
        following = (
            select(_t.change, _t.domain, _t.address, _t.tag, _t.at, _t.suppressed)
            .where(mark > tuple_(*after))
            .order_by(_t.change, _t.domain, _t.address, _t.tag)
            .limit(limit)
        )
        async with self._store.reading() as connection:
            found = await connection.execute(following)
            return [Changed(Mark(*row[:4]), row.at, row.suppressed) for row in found]

    async def last_change(self) -> int:
        """Return the number of the last change."""
        async with self._store.reading() as connection:
            return int((await connection.execute(select(change_table.c.last))).scalar_one())

    async def add(self, domain: str, rows: Sequence[Suppression], who: str) -> None:
        """Suppress addresses, whatever was decided before, AT_ONCE of them in one transaction.

        A row's own time only says since when; it counts as decided no earlier than what is there.
        What fails halfway is done by doing it again.
        """
        for some in parts(rows, AT_ONCE):
            async with self._store.writing() as connection:
                latest = await self._latest(connection, domain, some)
                since = {row.address: max(row.at, latest.get(row.address, 0)) for row in some}
                decisions = [
                    Decision(domain, row.address, tag, since[row.address], True)
                    for row in some
                    for tag in row.tags
                ]
                await decide(connection, decisions)
                for row in some if len(rows) == 1 else ():
                    change = audit.entry(who, "suppression.add", domain, after=_told(row))
                    await audit.record(connection, change)
        if len(rows) > 1:
            await audit.Audit(self._store).add(
                audit.entry(who, "suppression.import", domain, after={"addresses": len(rows)})
            )

    async def remove(self, domain: str, address: str, who: str, tag: str | None = None) -> bool:
        """Let mail be sent to an address again; tell whether there was anything to take back."""
        found = (await self.of(domain, [address])).get(exact(address))
        tags = [one for one in found.tags if tag in {None, one}] if found else []
        if found is None or not tags:
            return False
        now = max(time.time_ns() // 1_000, found.at)
        async with self._store.writing() as connection:
            await decide(
                connection, [Decision(domain, found.address, one, now, False) for one in tags]
            )
            change = audit.entry(who, "suppression.remove", domain, before=_told(found))
            await audit.record(connection, change)
        return True

    async def _latest(
        self, connection: Any, domain: str, rows: Sequence[Suppression]
    ) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for some in parts(sorted({row.address for row in rows})):
            newest = (
                select(_t.address, func.max(_t.at).label("at"))
                .where(_t.domain == domain, _t.address.in_(some))
                .group_by(_t.address)
            )
            found |= {row.address: row.at for row in await connection.execute(newest)}
        return found


def _live(domain: str) -> Select[Any]:
    live = _t.suppressed.is_(True)
    return select(_t.address, _t.tag, _t.at).where(_t.domain == domain, live)


def _conditions(domain: str, place: Place, prefix: str) -> list[ColumnElement[bool]]:
    wanted = [_t.domain == domain, _t.suppressed.is_(True)]
    if place.address:
        beside = _t.address > place.address if place.way == "after" else _t.address < place.address
        wanted.append(beside)
    if prefix := exact(prefix):
        # A range, which the key's own order answers; LIKE would read every address.
        wanted += [_t.address >= prefix, _t.address < prefix + "\U0010ffff"]
    return wanted


def grouped(rows: Iterable[Any]) -> dict[str, Suppression]:
    """Put the rows of each address together, which have `address`, `tag` and `at`."""
    found: dict[str, Suppression] = {}
    for row in rows:
        known = found.get(row.address)
        tags = (*known.tags, row.tag) if known else (row.tag,)
        at = max(known.at, row.at) if known else row.at
        found[row.address] = Suppression(row.address, tags, at)
    return found


def _told(row: Suppression) -> dict[str, object]:
    # Without the address: the log outlives what a person may ask to have erased.
    return {"tags": row.tags}
