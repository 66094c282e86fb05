"""The queue of deliveries: which event goes to which URL, when, and what came of it.

What was delivered stays for a while, as history.

Promise: who takes a delivery has it alone until its lease ends; if they die, it is due again. No
row names a recipient.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import bindparam, delete, exists, func, null, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store.change import parts
from tracker.store.database import Store
from tracker.store.document import Damaged, unpacked
from tracker.store.row import Row
from tracker.store.schema import event
from tracker.store.webhook_schema import delivery_table, feed_table, webhook_table

AT_ONCE: Final = 1_000  # deliveries that one transaction forgets

# "" is a delivery that waits. What was refused won't be tried again, nor what has failed for hours;
# what is gone was erased, expired or replaced by a later revision before it could be delivered.
Outcome = Literal["", "delivered", "refused", "failed", "gone"]

Place = tuple[str, int, str]  # an event's key: domain, microseconds, id


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that was taken; `lease` ends the time for which it is ours, in microseconds.

    `revision` is the one that was queued; the document may be of a later one. None says that the
    event is gone, or can't be read.
    """

    number: int
    webhook: int
    event: str
    revision: int
    created_at: int
    attempt: int
    lease: int
    document: bytes | None
    document_revision: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a claim: `due` is when it is tried again, None for never. Microseconds."""

    number: int
    lease: int
    due: int | None
    attempt: int
    outcome: Outcome
    status: int
    took: int  # milliseconds
    said: str
    tried_at: int


@dataclass(frozen=True, slots=True)
class Health:
    """How a URL does from now on: since when it fails, in Unix seconds, None if it doesn't."""

    webhook: int
    failing_since: int | None
    trouble: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits: how many deliveries, and since when the oldest, in microseconds."""

    number: int
    oldest: int | None


class Deliveries:
    """The queue in a store. Every method raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def due(self, now: int) -> Collection[int]:
        """Return the webhooks that have something due."""
        delivery = delivery_table.c
        any_due = exists().where(delivery.webhook == webhook_table.c.id, delivery.due <= now)
        async with self._store.reading() as connection:
            return set(await connection.scalars(select(webhook_table.c.id).where(any_due)))

    async def exchange(
        self,
        settled: Sequence[Settled],
        healths: Iterable[Health],
        wanted: Mapping[int, int],
        now: int,
        lease: int,
    ) -> list[Claim]:
        """Note what came of claims, and take what is due: for each webhook at most so many.

        What was claimed is ours until `lease`.
        """
        async with self._store.writing() as connection:
            if settled:
                await connection.execute(_SETTLE, list(map(_noted, settled)))
            for one in healths:
                told = {"failing_since": one.failing_since, "trouble": one.trouble}
                its = webhook_table.c.id == one.webhook
                await connection.execute(update(webhook_table).where(its).values(told))
            taken: list[Any] = []
            for webhook, most in wanted.items():
                taken += (await connection.execute(_claim(webhook, most, now, lease))).all()
        async with self._store.reading() as connection:
            documents = await _documents(connection, [_its(row) for row in taken])
        claims = (_claimed(row, lease, documents.get(_its(row))) for row in taken)
        return sorted(claims, key=lambda claim: claim.number)

    async def waiting(self) -> Mapping[int, Waiting]:
        """Return what waits for each webhook."""
        delivery = delivery_table.c
        counted = (
            select(delivery.webhook, func.count(), func.min(delivery.created_at))
            .where(delivery.due.is_not(null()))
            .group_by(delivery.webhook)
        )
        async with self._store.reading() as connection:
            found = await connection.execute(counted)
            return {webhook: Waiting(number, oldest) for webhook, number, oldest in found}

    async def give_up(self, before: int) -> int:
        """End what was queued before a time and couldn't be tried often enough; return how many."""
        delivery = delivery_table.c
        late = (
            update(delivery_table)
            .where(delivery.created_at < before, delivery.due.is_not(null()))
            .values(due=None, outcome="failed", said="its time was over")
        )
        async with self._store.writing() as connection:
            return (await connection.execute(late)).rowcount

    async def forget_before(self, before: int, most: int) -> int:
        """Remove history from before a time, and beyond the newest `most`; return how much."""
        removed = 0
        while gone := await self._forget(before, most):
            removed += gone
        return removed

    async def _forget(self, before: int, most: int) -> int:
        delivery = delivery_table.c
        async with self._store.reading() as connection:
            newest = await connection.scalar(select(func.max(delivery.number)))
            over = (delivery.created_at < before) | (delivery.number <= (newest or 0) - most)
            old = (
                select(delivery.number, delivery.at, delivery.created_at)
                .where(delivery.due.is_(null()), over)
                .order_by(delivery.number)
                .limit(AT_ONCE)
            )
            rows = (await connection.execute(old)).all()
        if not rows:
            return 0
        # Events that were posted in may be dated ahead of their time.
        last = max(min(row.at, row.created_at) for row in rows)
        async with self._store.writing() as connection:
            # A revision of an event from before this time was delivered, as far as anybody knows.
            known = feed_table.c.forgotten < last
            await connection.execute(update(feed_table).where(known).values(forgotten=last))
            await connection.execute(_REMOVE, [{"its_number": row.number} for row in rows])
        return len(rows)


async def forget(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Remove every trace of events that go, within the transaction that removes them.

    What a URL answered may have named the recipient.
    """
    places = [{"its_domain": row.domain, "its_at": row.at, "its_event": row.id} for row in rows]
    if places:
        await connection.execute(_FORGET, places)


def _claim(webhook: int, most: int, now: int, lease: int) -> Any:
    delivery = delivery_table.c
    its = (delivery.webhook == webhook, delivery.due <= now)
    oldest = select(delivery.number).where(*its).order_by(delivery.due).limit(most)
    # `due` is asked for once more: where two take at the same time, the second one waits for the
    # first one's transaction and then finds that these aren't due any more.
    return (
        update(delivery_table)
        .where(delivery.number.in_(oldest.scalar_subquery()), delivery.due <= now)
        .values(due=lease)
        .returning(*(delivery[name] for name in CLAIMED))
    )


CLAIMED: Final = (
    *("number", "webhook", "domain", "at", "event"),
    *("revision", "created_at", "attempt"),
)


async def _documents(
    connection: AsyncConnection, places: Sequence[Place]
) -> dict[Place, tuple[int, bytes]]:
    """Return the revision and the document of events that are there and can be read."""
    key = tuple_(event.c.domain, event.c.at, event.c.id)
    columns = (event.c.domain, event.c.at, event.c.id, event.c.revision, event.c.document)
    found = {}
    for some in parts(places):
        for row in await connection.execute(select(*columns).where(key.in_(some))):
            try:
                found[row.domain, row.at, row.id] = row.revision, unpacked(row.document)
            except Damaged:
                continue
    return found


def _claimed(row: Any, lease: int, found: tuple[int, bytes] | None) -> Claim:
    revision, document = found or (0, None)
    own = (row.number, row.webhook, row.event, row.revision, row.created_at, row.attempt)
    return Claim(*own, lease, document, revision)


def _noted(one: Settled) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in Settled.__slots__}
    return values | {"its_number": values.pop("number"), "its_lease": values.pop("lease")}


def _its(row: Any) -> Place:
    return row.domain, row.at, row.event


# Whoever was late and lost the lease has nothing to say any more.
_SETTLE: Final = update(delivery_table).where(
    delivery_table.c.number == bindparam("its_number"),
    delivery_table.c.due == bindparam("its_lease"),
)
_REMOVE: Final = delete(delivery_table).where(delivery_table.c.number == bindparam("its_number"))
_FORGET: Final = delete(delivery_table).where(
    delivery_table.c.domain == bindparam("its_domain"),
    delivery_table.c.at == bindparam("its_at"),
    delivery_table.c.event == bindparam("its_event"),
)
