"""The intake of deliveries: what has come into the feed is queued for the URLs that hear of it.

Promise: the feed's position moves in the transaction that queues. No event is missed, and none is
queued twice for a URL, however many offices look at one store and wherever they die.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store.change import parts
from tracker.store.database import Store
from tracker.store.schema import event
from tracker.store.webhook_queue import Place
from tracker.store.webhook_schema import delivery_table, feed_table
from tracker.store.webhooks import KINDS, Hook, Kind, hooks

AT_ONCE: Final = 1_000  # events that one transaction queues
FAILS: Final[tuple[Kind, ...]] = ("permanent_fail", "temporary_fail")  # both of kind `failed`


class Queued(NamedTuple):
    """How many events were looked at, and how many deliveries that made."""

    events: int
    deliveries: int


def kind_of(kind: str, severity: str) -> Kind | None:
    """Return what Mailgun's webhooks call an event of a kind; None where they have none."""
    if kind == "failed":
        return "temporary_fail" if severity == "temporary" else "permanent_fail"
    return next((known for known in KINDS if known == kind and kind not in FAILS), None)


async def take_up(store: Store, now: int, limit: int = AT_ONCE) -> Queued:
    """Queue what has come into the feed, at most `limit` events, for who wants to hear of it.

    Returns no events when there are none, and when another office is at it.
    """
    async with store.reading() as connection:
        wanted = await hooks(connection)
        if not wanted:
            return Queued(0, 0)
        feed = (await connection.execute(select(feed_table))).one()
        start = max(feed.position, min(hook.since for hook in wanted))
        came = (await connection.execute(_feed(start, limit))).all()
        if not came:
            return Queued(0, 0)
        # Once more, behind the events: who was registered after them isn't to hear of them, and
        # who was before is known now.
        wanted = await hooks(connection)
        revised = [_place(row) for row in came if row.revision]
        queued = await _queued(connection, revised)
    rows = list(_rows(came, wanted, queued, feed.forgotten, now))
    moved = (
        update(feed_table)
        .where(feed_table.c.position == feed.position)
        .values(position=came[-1].sequence)
    )
    async with store.writing() as connection:
        if not (await connection.execute(moved)).rowcount:
            return Queued(0, 0)
        if rows:
            await connection.execute(insert(delivery_table), rows)
    return Queued(len(came), len(rows))


def _feed(after: int, limit: int) -> Any:
    wanted = ("sequence", "domain", "at", "id", "kind", "severity", "revision")
    ordered = select(*(event.c[name] for name in wanted)).order_by(event.c.sequence)
    return ordered.where(event.c.sequence > after).limit(limit)


async def _queued(
    connection: AsyncConnection, places: Sequence[Place]
) -> Collection[tuple[int, Place]]:
    """Return which webhooks some events have been queued for."""
    delivery = delivery_table.c
    key = tuple_(delivery.domain, delivery.at, delivery.event)
    columns = (delivery.webhook, delivery.domain, delivery.at, delivery.event)
    found: set[tuple[int, Place]] = set()
    for some in parts(places):
        rows = await connection.execute(select(*columns).where(key.in_(some)))
        found |= {(webhook, (domain, at, id_)) for webhook, domain, at, id_ in rows}
    return found


def _rows(
    came: Iterable[Any],
    wanted: Iterable[Hook],
    queued: Collection[tuple[int, Place]],
    forgotten: int,
    now: int,
) -> Iterable[dict[str, Any]]:
    by_place: dict[tuple[str, str], list[Hook]] = {}
    for hook in wanted:
        by_place.setdefault((hook.domain, hook.kind), []).append(hook)
    for row in came:
        kind = kind_of(row.kind, row.severity)
        for hook in by_place.get((row.domain, kind or ""), ()):
            known = (hook.id, _place(row)) in queued or row.at <= forgotten
            again = bool(row.revision) and known and not hook.revisions
            if row.sequence > hook.since and not again:
                yield _new(row, hook, now)


def _new(row: Any, hook: Hook, now: int) -> dict[str, Any]:
    return {
        "webhook": hook.id,
        "domain": row.domain,
        "at": row.at,
        "event": row.id,
        "revision": row.revision,
        "created_at": now,
        "due": now,
        "attempt": 0,
        "outcome": "",
        "status": 0,
        "took": 0,
        "said": "",
    }


def _place(row: Any) -> Place:
    return row.domain, row.at, row.id
