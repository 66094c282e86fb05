"""The query: a walk through one domain's events, past those that meet a tree of conditions.

In: a Walk, whose values come from a request. Out: one SELECT with every value bound.
Promise: a walk follows one index from its first event to its limit, so that a page costs the same
in a table of a thousand events and of ten million. Where conditions are left that no index knows,
`selective` says so, and `milestone` parts the walk into stretches that end in known time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Table,
    and_,
    select,
    tuple_,
    union,
    union_all,
)

from tracker.store import sqlite
from tracker.store.period import Period, Present
from tracker.store.row import LATEST
from tracker.store.schema import event, tag
from tracker.store.tree import EVERYTHING, FIELDS, AllOf, AnyOf, Match, Tree, condition, same_event

Page = Select[int, str, bytes]


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """An event's place among its domain's events: time in microseconds, then id."""

    at: int
    id: str


@dataclass(frozen=True, slots=True)
class Walk:
    """At most `limit` events between two times (microseconds, both included), in one direction.

    It starts behind `start`, or at it if `inclusive`; without a start, at the range's own end. With
    a `stop` it goes no further than that event.
    """

    domain: str
    ascending: bool
    limit: int
    low: int = 0
    high: int = LATEST
    tree: Tree = EVERYTHING
    start: Key | None = None
    inclusive: bool = False
    stop: Key | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A tree on disk that holds one domain's events, or those of one value, in a page's order.

    It is an index of the table, or the table itself; or as many of them as there are periods.
    """

    table: Table
    index: str = ""
    periods: bool = False


EVERY_EVENT: Final = Way(event)

# The fields that have a way of their own, those with the fewest events a value first.
WAYS: Final[Mapping[str, Way]] = MappingProxyType(
    {
        "message-id": Way(event, "event_by_message", periods=True),
        "recipient": Way(event, "event_by_recipient", periods=True),
        "tags": Way(tag),
        "event": Way(event, "event_by_kind"),
    }
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """Texts of one field that has a way; every event that is looked for holds one of them."""

    field: str
    texts: frozenset[str]


def page(walk: Walk) -> Page:
    """Return the statement for a walk's events: time, id and document, in the walk's order."""
    anchor = anchored(walk.tree)
    return _walked(walk, anchor, _rest(walk.tree, anchor))


def selective(walk: Walk) -> bool:
    """Tell whether events may be passed by on the way, and any number of them."""
    return _rest(walk.tree, anchored(walk.tree)) != EVERYTHING


def milestone(walk: Walk, events: int) -> Select[Any]:
    """Return the statement for the last of so many events along the way: its time and id.

    They need not meet the conditions. Where the way ends before, it gives nothing. On a way of
    several legs there are fewer events, so that it takes as long as on any other.
    """
    anchor = anchored(walk.tree)
    events = max(1, events // len(anchor.texts)) if anchor else events
    along = _walked(replace(walk, limit=events), anchor, EVERYTHING, documents=False)
    return along.limit(1).offset(events - 1)


def _walked(
    walk: Walk, anchor: Anchor | None, rest: Tree, *, documents: bool = True
) -> Select[Any]:
    if anchor is None:
        return _leg(walk, EVERY_EVENT, rest, documents)
    way, column = WAYS[anchor.field], FIELDS[anchor.field].column
    legs = [_leg(walk, way, rest, documents).where(column == text) for text in sorted(anchor.texts)]
    if len(legs) == 1:
        return legs[0]
    # Each leg stops at the limit, and the legs are merged. One walk for all values would read and
    # sort every event that has any of them. An event with two of the tags is on two legs.
    joined = union if way.table is tag else union_all
    merged = joined(*(select(leg.subquery()) for leg in legs)).subquery()
    return _ordered(walk, select(*merged.c), merged)


def anchored(tree: Tree) -> Anchor | None:
    """Find the fewest values to walk along that lead past every event the tree is true of."""
    match tree:
        case Match(field, text) if field in WAYS:
            return Anchor(field, frozenset({FIELDS[field].fold(text)}))
        case AllOf(parts):
            return min(filter(None, map(anchored, parts)), key=_cost, default=None)
        case AnyOf(parts):
            return _joined([anchored(part) for part in parts])
        case _:
            return None


def _cost(anchor: Anchor) -> tuple[int, int]:
    return list(WAYS).index(anchor.field), len(anchor.texts)


def _joined(anchors: list[Anchor | None]) -> Anchor | None:
    """Join the anchors of alternatives: all of them count, if all are of one field."""
    known = [anchor for anchor in anchors if anchor]
    if len(known) < len(anchors) or len({anchor.field for anchor in known}) != 1:
        return None
    return Anchor(known[0].field, frozenset().union(*(anchor.texts for anchor in known)))


def _rest(tree: Tree, anchor: Anchor | None) -> Tree:
    """Return what is left to ask of events that hold one of the anchor's texts."""
    if anchor and _plain(tree) and anchored(tree) == anchor:
        return EVERYTHING
    if isinstance(tree, AllOf):
        left = (_rest(part, anchor) for part in tree.parts)
        return AllOf(tuple(part for part in left if part != EVERYTHING))
    return tree


def _plain(tree: Tree) -> bool:
    return isinstance(tree, Match) or (isinstance(tree, AnyOf) and all(map(_plain, tree.parts)))


def _leg(walk: Walk, way: Way, tree: Tree, documents: bool) -> Select[Any]:
    along = way.table
    columns = (along.c.at, along.c.id, *((event.c.document,) if documents else ()))
    statement = (
        select(*columns)
        .select_from(along)
        .with_hint(along, sqlite.along(along, way.index), "sqlite")
        .where(along.c.domain == walk.domain, *_range(walk, along), condition(tree))
    )
    if documents and along is not event:
        statement = statement.join(event, and_(*same_event(along)))
    if way.periods:
        statement = statement.where(Present(along.c.at, *_ends(walk)))
    return _ordered(walk, statement, along, periods=way.periods)


def _ends(walk: Walk) -> tuple[int, int]:
    """Return the earliest and the latest time that an event of the walk may have."""
    first, last = (walk.start, walk.stop) if walk.ascending else (walk.stop, walk.start)
    low = walk.low if first is None else max(walk.low, first.at)
    return low, walk.high if last is None else min(walk.high, last.at)


def _range(walk: Walk, table: Table) -> Iterator[ColumnElement[bool]]:
    """Give one bound at each end: of two at one end SQLite might seek the farther one."""
    at, key, start, stop = table.c.at, tuple_(table.c.at, table.c.id), walk.start, walk.stop
    if walk.ascending:
        yield at <= walk.high if stop is None else key <= tuple_(stop.at, stop.id)
        if start is None or start.at < walk.low:
            yield at >= walk.low
        else:
            place = tuple_(start.at, start.id)
            yield key >= place if walk.inclusive else key > place
    else:
        yield at >= walk.low if stop is None else key >= tuple_(stop.at, stop.id)
        if start is None or start.at > walk.high:
            yield at <= walk.high
        else:
            place = tuple_(start.at, start.id)
            yield key <= place if walk.inclusive else key < place


def _ordered(
    walk: Walk, statement: Select[Any], keyed: Table | Subquery, *, periods: bool = False
) -> Select[Any]:
    before = (Period(keyed.c.at),) if periods else ()
    columns = (*before, keyed.c.at, keyed.c.id)
    order = columns if walk.ascending else tuple(column.desc() for column in columns)
    return statement.order_by(*order).limit(walk.limit)
