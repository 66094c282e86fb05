"""The queue: each event for each URL once, whoever looks after it and whoever dies at it."""

import asyncio
from typing import Any

import pytest

from tests.patience import PATIENCE
from tests.servers.stores import only_sqlite
from tests.tracker.stats.happenings import DOMAIN, happened
from tracker.store.database import Store
from tracker.store.recipient import erase_recipient
from tracker.store.row import Row
from tracker.store.webhook_history import History
from tracker.store.webhook_intake import kind_of, take_up
from tracker.store.webhook_queue import Claim, Deliveries, Settled
from tracker.store.webhooks import KINDS, Kind, Webhook, Webhooks

pytestmark = pytest.mark.anyio

NOW = 1_790_000_000_000_000
SECOND = 1_000_000
LEASE = NOW + 60 * SECOND


async def registered(store: Store, kind: Kind = "opened", **options: Any) -> int:
    """Register a URL; return its number."""
    webhook = Webhook(("https://app.example.com/hook",), **options)
    await Webhooks(store).add(DOMAIN, kind, webhook, who="test")
    return max(hook.id for hook in await Webhooks(store).all())


async def taken(queue: Deliveries, webhook: int, most: int = 100, now: int = NOW) -> list[Claim]:
    return await queue.exchange([], [], {webhook: most}, now, now + 60 * SECOND)


def ended(claim: Claim, outcome: Any = "delivered", due: int | None = None) -> Settled:
    return Settled(claim.number, claim.lease, due, claim.attempt + 1, outcome, 200, 5, "ok", NOW)


def rows(count: int, start: int = 0) -> list[Row]:
    return [happened("opened", number=number) for number in range(start, start + count)]


@pytest.mark.parametrize(
    ("kind", "severity", "name"),
    [
        *((kind, "", kind) for kind in KINDS if not kind.endswith("fail")),
        ("failed", "permanent", "permanent_fail"),
        ("failed", "temporary", "temporary_fail"),
        ("failed", "", "permanent_fail"),
        ("rejected", "", None),
        ("resubscribed", "", None),
        ("permanent_fail", "", None),
    ],
)
def test_a_kind_of_event_has_mailgun_s_name(kind: str, severity: str, name: str | None) -> None:
    assert kind_of(kind, severity) == name


@only_sqlite
async def test_what_was_stored_before_a_url_was_registered_is_not_for_it(store: Store) -> None:
    queue = Deliveries(store)
    await store.insert(rows(3))
    webhook = await registered(store)
    await store.insert(rows(2, start=3))
    assert (await take_up(store, NOW)).deliveries == 2
    assert len(await taken(queue, webhook)) == 2


@only_sqlite
async def test_only_a_domain_s_own_events_of_the_kind_are_queued(store: Store) -> None:
    queue = Deliveries(store)
    webhook = await registered(store, "clicked")
    await store.insert([*rows(2), happened("clicked"), happened("clicked", more=OTHER)])
    assert (await take_up(store, NOW)).events == 4
    (claim,) = await taken(queue, webhook)
    assert claim.event == happened("clicked").id


OTHER = {"domain": {"name": "other.example"}, "id": "theirs"}


async def test_offices_that_look_at_the_same_time_queue_each_event_once(
    store: Store, store_url: str
) -> None:
    others = [await Store.open(store_url, patience=PATIENCE) for _ in range(3)]
    webhook = await registered(store)

    async def look(office: Store) -> None:
        for _ in range(30):
            await take_up(office, NOW, limit=7)

    await asyncio.gather(*(look(office) for office in others), filled(store))
    while (await take_up(store, NOW)).events:
        pass
    claims = await taken(Deliveries(store), webhook, most=1_000)
    events = [claim.event for claim in claims]
    assert len(events) == len(set(events)) == 100
    for office in others:
        await office.close()


async def filled(store: Store) -> None:
    for start in range(0, 100, 10):
        await store.insert(rows(10, start))


async def test_offices_that_take_at_the_same_time_take_each_delivery_once(
    store: Store, store_url: str
) -> None:
    others = [await Store.open(store_url, patience=PATIENCE) for _ in range(3)]
    webhook = await registered(store)
    await store.insert(rows(100))
    await take_up(store, NOW)

    async def take(office: Store) -> list[int]:
        found: list[int] = []
        while claims := await taken(Deliveries(office), webhook, most=6):
            found += [claim.number for claim in claims]
        return found

    numbers = [number for some in await asyncio.gather(*map(take, others)) for number in some]
    assert len(numbers) == len(set(numbers)) == 100
    for office in others:
        await office.close()


async def test_what_was_taken_by_who_died_is_due_again_and_the_dead_say_nothing_more(
    store: Store,
) -> None:
    queue = Deliveries(store)
    webhook = await registered(store)
    await store.insert(rows(1))
    await take_up(store, NOW)
    (first,) = await taken(queue, webhook)
    assert not await queue.due(NOW)
    assert not await taken(queue, webhook)
    later = LEASE + SECOND
    assert await queue.due(later) == {webhook}
    (second,) = await taken(queue, webhook, now=later)
    assert second.number == first.number
    await queue.exchange([ended(first)], [], {}, later, later)
    assert (await queue.waiting())[webhook].number == 1
    await queue.exchange([ended(second)], [], {}, later, later)
    assert not await queue.waiting()


@only_sqlite
async def test_a_store_that_is_restarted_in_between_goes_on_where_it_was(
    store: Store, store_url: str
) -> None:
    webhook = await registered(store)
    await store.insert(rows(5))
    await take_up(store, NOW, limit=2)
    again = await Store.open(store_url)
    assert (await take_up(again, NOW)).deliveries == 3
    assert len(await taken(Deliveries(again), webhook)) == 5
    await again.close()


@pytest.mark.parametrize(("revisions", "times"), [(False, 1), (True, 3)])
async def test_an_event_that_is_judged_anew_comes_again_only_to_who_asked(
    store: Store, revisions: bool, times: int
) -> None:
    await registered(store, revisions=revisions)
    for revision in range(3):
        await store.insert([happened("opened", who="machine", revision=revision)])
        await take_up(store, NOW)
    assert len(await History(store).newest(DOMAIN, 10)) == times


@only_sqlite
async def test_an_event_that_was_judged_anew_before_anybody_looked_comes_once(
    store: Store,
) -> None:
    queue = Deliveries(store)
    webhook = await registered(store)
    await store.insert([happened("opened"), happened("opened", number=1)])
    await store.insert([happened("opened", who="machine", revision=1)])
    await take_up(store, NOW)
    assert sorted(claim.document_revision for claim in await taken(queue, webhook)) == [0, 1]


@only_sqlite
async def test_a_revision_comes_to_nobody_again_once_its_delivery_is_forgotten(
    store: Store,
) -> None:
    queue = Deliveries(store)
    webhook = await registered(store)
    await store.insert([happened("opened")])
    await take_up(store, NOW)
    claims = await taken(queue, webhook)
    await queue.exchange([ended(claim) for claim in claims], [], {}, NOW, NOW)
    assert await queue.forget_before(NOW + 1, most=100) == 1
    await store.insert([happened("opened", who="machine", revision=1)])
    assert (await take_up(store, NOW)).deliveries == 0


@only_sqlite
async def test_an_event_that_is_dated_ahead_hides_no_other_once_it_is_forgotten(
    store: Store,
) -> None:
    queue = Deliveries(store)
    webhook = await registered(store)
    await store.insert([happened("opened", more={"timestamp": 2 * NOW / SECOND})])
    await take_up(store, NOW)
    claims = await taken(queue, webhook)
    await queue.exchange([ended(claim) for claim in claims], [], {}, NOW, NOW)
    await queue.forget_before(NOW + 1, most=100)
    later = {"timestamp": NOW / SECOND + 60}
    await store.insert([happened("opened", number=1, who="machine", revision=1, more=later)])
    assert (await take_up(store, NOW)).deliveries == 1


async def test_history_is_bounded_by_age_and_by_number_and_what_waits_stays(store: Store) -> None:
    queue, history = Deliveries(store), History(store)
    webhook = await registered(store)
    await store.insert(rows(10))
    await take_up(store, NOW)
    claims = await taken(queue, webhook)
    await queue.exchange([ended(claim) for claim in claims[:8]], [], {}, NOW, NOW)
    assert await queue.forget_before(NOW, most=100) == 0
    assert await queue.forget_before(NOW, most=5) == 5
    assert len(await history.newest(DOMAIN, 100)) == 5
    assert await queue.forget_before(NOW + 1, most=100) == 3
    assert {one.state for one in await history.newest(DOMAIN, 100)} == {"waiting"}


@only_sqlite
async def test_what_had_no_turn_for_long_is_given_up(store: Store) -> None:
    queue = Deliveries(store)
    await registered(store)
    await store.insert(rows(2))
    await take_up(store, NOW)
    assert await queue.give_up(NOW) == 0
    assert await queue.give_up(NOW + 1) == 2
    assert {one.state for one in await History(store).newest(DOMAIN, 10)} == {"failed"}


async def test_erasing_a_recipient_leaves_nothing_to_be_posted_and_nothing_that_was_said(
    store: Store,
) -> None:
    queue = Deliveries(store)
    webhook = await registered(store)
    theirs = [happened("opened", to="eve@example.net", number=number) for number in range(2)]
    await store.insert([*rows(1), *theirs])
    await take_up(store, NOW)
    claims = {claim.event: claim for claim in await taken(queue, webhook)}
    await queue.exchange([ended(claims[theirs[0].id])], [], {}, NOW, NOW)
    await erase_recipient(store, "eve@example.net")
    assert [one.event for one in await History(store).newest(DOMAIN, 10)] == [rows(1)[0].id]


async def test_what_waits_for_a_url_goes_with_it(store: Store) -> None:
    queue = Deliveries(store)
    await registered(store)
    await store.insert(rows(3))
    await take_up(store, NOW)
    urls = ("https://app.example.com/other",)
    await Webhooks(store).change(DOMAIN, "opened", who="test", urls=urls)
    assert not await queue.waiting()
    assert (await take_up(store, NOW)).events == 0
    await store.insert(rows(1, start=3))
    assert (await take_up(store, NOW)).deliveries == 1


@only_sqlite
async def test_a_delivery_names_no_recipient(store: Store, store_url: str) -> None:
    await registered(store)
    await store.insert([happened("opened", to="eve@example.net", more={"id": "an id"})])
    await take_up(store, NOW)
    async with store.reading() as connection:
        found = await connection.exec_driver_sql("SELECT * FROM webhook_delivery")
        assert not [value for row in found for value in row if "eve" in str(value)]
