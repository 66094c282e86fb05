"""Stats: figures read back, by the hour or summed over days, and what tags are known.

In: a sending domain, a tag or none, a range of hours. Out: counts by name. Times are in hours since
1970 but for a tag's, which are in microseconds.
"""

import sys
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, ColumnElement, Select, cast, delete, func, select, update

from tracker.store.database import Store
from tracker.store.pair import Pair
from tracker.store.pairs import pairs_of
from tracker.store.rollup import UNIQUE, aggregate, figure, known_tag

HOURS_A_DAY: Final = 24
MOST_VALUES: Final = 1_000  # of a dimension: recipients' domains have a long tail

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class KnownTag:
    """A tag that events had, in small letters; when the first and the last of them happened."""

    tag: str
    description: str
    first_seen: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class TagPage:
    """Which tags: at most `limit` of those with a prefix, behind or before another."""

    limit: int
    prefix: str = ""
    after: str | None = None
    before: str | None = None
    last: bool = False


class Stats:
    """The figures in a store. Every method raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def by_hour(
        self, domain: str, tag: str, low: int, high: int, names: Collection[str], *, step: int = 1
    ) -> dict[int, Counts]:
        """Return counts by name for each `step` hours between two hours, both included.

        The keys are the hours that the steps begin with, multiples of `step`; what has no events
        isn't there.
        """
        begun = figure.c.hour - figure.c.hour % step
        count = figure.c["count"]
        found = select(begun, figure.c.name, _sum(count) if step > 1 else count).where(
            figure.c.domain == domain,
            figure.c.tag == tag,
            figure.c.name.in_(sorted(names)),
            figure.c.hour.between(low, high),
        )
        if step > 1:
            found = found.group_by(figure.c.name, begun)
        counts: dict[int, dict[str, int]] = defaultdict(dict)
        async with self._store.reading() as connection:
            for hour, name, total in await connection.execute(found):
                counts[hour][name] = total
        return dict(counts)

    async def totals(self, domain: str, tag: str, low: int, high: int) -> Counts:
        """Return all counts by name between two hours, both included."""
        found = (
            select(figure.c.name, _sum(figure.c["count"]).label("total"))
            .where(
                figure.c.domain == domain,
                figure.c.tag == tag,
                figure.c.hour.between(low, high),
            )
            .group_by(figure.c.name)
        )
        async with self._store.reading() as connection:
            return {row.name: row.total for row in await connection.execute(found)}

    async def domains(self) -> list[str]:
        """Return the sending domains that have figures."""
        # One seek a domain: DISTINCT would read every figure there is.
        found: list[str] = []
        async with self._store.reading() as connection:
            while domain := await connection.scalar(
                select(func.min(figure.c.domain)).where(figure.c.domain > (found or [""])[-1])
            ):
                found.append(domain)
        return found

    async def aggregates(self, domain: str, tag: str, dimension: str) -> dict[str, Counts]:
        """Return a tag's counts by name for each value of a dimension, the largest first."""
        wanted = (
            aggregate.c.domain == domain,
            aggregate.c.tag == tag,
            aggregate.c.dimension == dimension,
        )
        values = (
            select(aggregate.c.value)
            .where(*wanted)
            .group_by(aggregate.c.value)
            .order_by(func.sum(aggregate.c.events).desc(), aggregate.c.value)
            .limit(MOST_VALUES)
        )
        async with self._store.reading() as connection:
            counts: dict[str, dict[str, int]] = {
                value: {} for value in await connection.scalars(values)
            }
            columns = (aggregate.c[name] for name in ("value", "kind", "events", "uniques"))
            for row in await connection.execute(select(*columns).where(*wanted)):
                if row.value in counts:
                    counts[row.value][row.kind] = row.events
                    if row.kind in UNIQUE and row.uniques:
                        counts[row.value][f"unique_{row.kind}"] = row.uniques
        return dict(counts)

    async def pairs(self, keys: Collection[bytes]) -> dict[bytes, Pair]:
        """Return what is known of pairs of message and recipient, by their keys."""
        async with self._store.reading() as connection:
            return await pairs_of(connection, list(keys))

    async def tags(self, domain: str, page: TagPage) -> list[KnownTag]:
        """Return a page of a domain's tags in the order of their names."""
        found = select(*known_tag.columns).where(known_tag.c.domain == domain)
        if page.prefix:
            # A range and no LIKE, which SQLite would look for in every tag.
            beyond = page.prefix + chr(sys.maxunicode)
            found = found.where(known_tag.c.tag.between(page.prefix, beyond))
        if page.after is not None:
            found = found.where(known_tag.c.tag > page.after)
        if page.before is not None:
            found = found.where(known_tag.c.tag < page.before)
        backwards = page.last or page.before is not None
        tags = await self._tags(
            found.order_by(known_tag.c.tag.desc() if backwards else known_tag.c.tag).limit(
                page.limit
            )
        )
        return tags[::-1] if backwards else tags

    async def tag(self, domain: str, tag: str) -> KnownTag | None:
        """Return what is known of a tag, None if nothing is."""
        named = select(*known_tag.columns).where(
            known_tag.c.domain == domain, known_tag.c.tag == tag
        )
        return next(iter(await self._tags(named)), None)

    async def describe(self, domain: str, tag: str, description: str) -> bool:
        """Give a tag another description; tell whether there is such a tag."""
        described = (
            update(known_tag)
            .where(known_tag.c.domain == domain, known_tag.c.tag == tag)
            .values(description=description)
        )
        async with self._store.writing() as connection:
            return (await connection.execute(described)).rowcount == 1

    async def drop(self, domain: str, tag: str) -> bool:
        """Take a tag off the list until an event has it again; tell whether it was there.

        Its events and figures stay.
        """
        dropped = delete(known_tag).where(known_tag.c.domain == domain, known_tag.c.tag == tag)
        async with self._store.writing() as connection:
            return (await connection.execute(dropped)).rowcount == 1

    async def _tags(self, found: Select[tuple[object, ...]]) -> list[KnownTag]:
        async with self._store.reading() as connection:
            return [
                KnownTag(row.tag, row.description, row.first_seen, row.last_seen)
                for row in await connection.execute(found)
            ]


def _sum(count: Column[int]) -> ColumnElement[int]:
    # What PostgreSQL sums up of BIGINT is NUMERIC, which Python takes for a Decimal.
    return cast(func.sum(count), BigInteger)
