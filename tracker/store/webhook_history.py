"""The history of deliveries: what was posted where, when, and what was said to it.

Promise: it names no recipient and no secret of ours. It ends with the event that is erased, and
after some days by itself.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import ColumnElement, Select, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store.audit import entry, record
from tracker.store.database import Store
from tracker.store.schema import event
from tracker.store.webhook_schema import delivery_table, webhook_table

MOST: Final = 1_000

State = Literal["waiting", "delivered", "refused", "failed", "gone"]
STATES: Final[tuple[State, ...]] = get_args(State)


class NoDelivery(LookupError):
    """There is no such delivery, or nothing to deliver any more; the message says which."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one URL. Times are in microseconds; `due` is None once it is over.

    `status` is that of the last answer, 0 where there was none, `said` its beginning, or why there
    was none, `took` its milliseconds.
    """

    number: int
    kind: str
    url: str
    event: str
    revision: int
    state: State
    attempt: int
    status: int
    took: int
    said: str
    created_at: int
    tried_at: int | None
    due: int | None


class History:
    """The deliveries of a store. Every method raises StoreUnavailable; domains are canonical."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def newest(
        self,
        domain: str,
        limit: int,
        *,
        before: int | None = None,
        kind: str | None = None,
        state: State | None = None,
    ) -> list[Delivery]:
        """Return a domain's last deliveries, newest first; those before a number, if given."""
        number = delivery_table.c.number
        wanted = _deliveries(domain).order_by(number.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(number < before)
        if kind is not None:
            wanted = wanted.where(webhook_table.c.kind == kind)
        if state is not None:
            wanted = wanted.where(_is(state))
        async with self._store.reading() as connection:
            return [_delivery(row) for row in await connection.execute(wanted)]

    async def redeliver(self, domain: str, number: int, now: int, *, who: str) -> Delivery:
        """Let a delivery begin anew, with the event as it is now. Raises NoDelivery."""
        async with self._store.writing() as connection:
            its = _deliveries(domain).where(delivery_table.c.number == number)
            found = (await connection.execute(its)).first()
            if found is None:
                raise NoDelivery(f"{domain} has no delivery with the number {number}")
            revision = await _revision(connection, domain, found)
            again = (
                update(delivery_table)
                .where(delivery_table.c.number == number)
                .values(due=now, attempt=0, outcome="", revision=revision)
            )
            await connection.execute(again)
            subject = f"{domain} {found.kind}"
            await record(connection, entry(who, "webhook.redeliver", subject, after=number))
            return _delivery((await connection.execute(its)).one())

    async def redeliver_failed(self, domain: str, now: int, *, who: str) -> int:
        """Let every delivery of a domain that has failed begin anew; return how many there are."""
        delivery = delivery_table.c
        again = (
            update(delivery_table)
            .where(delivery.domain == domain, _is("failed"))
            .values(due=now, created_at=now, attempt=0, outcome="")
        )
        async with self._store.writing() as connection:
            number = (await connection.execute(again)).rowcount
            if number:
                told = {"deliveries": number}
                await record(connection, entry(who, "webhook.redeliver", domain, after=told))
        return number


def _deliveries(domain: str) -> Select[Any]:
    delivery = delivery_table.c
    columns = (delivery[name] for name in COLUMNS)
    joined = delivery_table.join(webhook_table, webhook_table.c.id == delivery.webhook)
    return (
        select(webhook_table.c.kind, webhook_table.c.url, *columns)
        .select_from(joined)
        .where(delivery.domain == domain)
    )


COLUMNS: Final = (
    *("number", "event", "revision", "outcome", "attempt", "status", "took", "said"),
    *("created_at", "tried_at", "due", "at"),
)


def _is(state: State) -> ColumnElement[bool]:
    if state == "waiting":
        return delivery_table.c.due.is_not(null())
    return delivery_table.c.outcome == state


async def _revision(connection: AsyncConnection, domain: str, found: Any) -> int:
    key = (event.c.domain == domain, event.c.at == found.at, event.c.id == found.event)
    revision: int | None = await connection.scalar(select(event.c.revision).where(*key))
    if revision is None:
        raise NoDelivery("the event was erased or has expired: there is nothing to deliver")
    return revision


def _delivery(row: Any) -> Delivery:
    values = dict(row._mapping)
    del values["at"]
    return Delivery(state=values.pop("outcome") or "waiting", **values)
