"""Events reach the URLs that wait for them: as Mailgun would do it, whatever breaks."""

import asyncio
import hmac
import itertools
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
import standardwebhooks

from tests.patience import PATIENCE, until
from tests.servers.receiver import HANG, Receiver
from tests.tracker.ingest.samples import SAMPLES
from tests.tracker.stats.happenings import DOMAIN, happened
from tests.tracker.webhooks.world import HOUR, World, opens
from tracker.store.database import Store
from tracker.store.posted import posted
from tracker.store.recipient import erase_recipient
from tracker.store.webhook_history import History
from tracker.store.webhook_intake import take_up
from tracker.store.webhooks import KINDS, Kind, Webhooks
from tracker.webhooks.room import A_HOST
from tracker.webhooks.signature import mailgun_key, standard_key

pytestmark = pytest.mark.anyio

# The samples that webhooks hear of, by what they call them.
HEARD: dict[Kind, str] = {
    "accepted": "accepted",
    "clicked": "clicked",
    "complained": "complained",
    "delivered": "delivered",
    "opened": "opened",
    "permanent_fail": "failed, permanently",
    "temporary_fail": "failed, for now",
    "unsubscribed": "unsubscribed",
}


@pytest.fixture
async def world(tmp_path: Path, receiver: Receiver, migrated_file: Path) -> AsyncIterator[World]:
    shutil.copy(migrated_file, tmp_path / "world.db")
    world = World(await Store.open(tmp_path / "world.db", patience=PATIENCE), receiver)
    yield world
    await world.store.close()


async def test_every_kind_is_posted_in_mailgun_s_form_and_signed_in_both_ways(
    world: World,
) -> None:
    for kind in KINDS:
        await world.register(f"/{kind}", kind)
    rows = [posted(json.dumps(SAMPLES[name]).encode(), "api", DOMAIN) for name in HEARD.values()]
    await world.store.insert(rows)
    async with world.office():
        await world.settled(len(KINDS))
    key = mailgun_key(await world.secret())
    verifier = standardwebhooks.Webhook(standard_key(await world.secret()))
    for kind, name in HEARD.items():
        (request,) = world.receiver.got(f"/{kind}")
        body = json.loads(request.body)
        assert request.headers["Content-Type"] == "application/json"
        assert body["event-data"].items() >= SAMPLES[name].items()
        assert body["event-data"]["domain"] == {"name": DOMAIN}
        signed = (body["signature"]["timestamp"] + body["signature"]["token"]).encode()
        made = hmac.new(key.encode(), signed, sha256).hexdigest()
        assert body["signature"]["signature"] == made
        verifier.verify(request.body, dict(request.headers))
        assert request.headers["webhook-id"] == body["event-data"]["id"]


async def test_each_of_three_urls_gets_each_event(world: World) -> None:
    urls = [world.receiver.url(f"/{number}") for number in range(3)]
    await world.register("/0")
    await Webhooks(world.store).change(DOMAIN, "opened", who="test", urls=urls)
    await world.store.insert(opens(4))
    async with world.office():
        await world.settled(12)
    for number in range(3):
        ids = [one.headers["webhook-id"] for one in world.receiver.got(f"/{number}")]
        assert len(ids) == len(set(ids)) == 4


async def test_what_fails_is_tried_again_after_mailgun_s_waits_and_then_no_more(
    world: World,
) -> None:
    world.receiver.answers("/hook", 500)
    await world.register("/hook")
    await world.store.insert(opens(1))
    async with world.office():
        for attempts in range(1, 9):
            await until(lambda: len(world.receiver.got("/hook")) == attempts)  # noqa: B023 - called at once
            await until(lambda: _attempts(world, attempts))  # noqa: B023 - called at once
            (one,) = await world.deliveries()
            world.passed += (one.due - world.clock() * 1e6) / 1e6 + 1 if one.due else 0
    (one,) = await world.deliveries()
    assert (one.state, one.status, one.attempt, one.due) == ("failed", 500, 8, None)
    requests = [json.loads(request.body)["signature"] for request in world.receiver.got("/hook")]
    assert len({signature["token"] for signature in requests}) == 8
    ends = [int(signature["timestamp"]) for signature in requests]
    waits = [later - earlier for earlier, later in itertools.pairwise(ends)]
    for wait, minutes in zip(waits, (10, 10, 15, 30, 60, 120, 240), strict=True):
        # Nobody is this late on the busiest machine, and the next longer wait isn't either.
        assert minutes * 60 <= wait < minutes * 60 + 240


async def _attempts(world: World, count: int) -> bool:
    return (await world.deliveries())[0].attempt == count


@pytest.mark.parametrize(
    ("answers", "state", "requests"), [((406,), "refused", 1), ((500, 200), "delivered", 2)]
)
async def test_an_answer_decides(
    world: World, answers: tuple[int, ...], state: str, requests: int
) -> None:
    world.receiver.answers("/hook", *answers)
    await world.register("/hook")
    await world.store.insert(opens(1))
    async with world.office():
        for number in range(1, requests + 1):
            await until(lambda: _attempts(world, number) if world.receiver.posted else False)  # noqa: B023 - called at once
            world.passed += HOUR / 4
    (one,) = await world.deliveries()
    assert (one.state, one.status, one.said) == (state, answers[-1], f"said with {answers[-1]}")
    assert len(world.receiver.got("/hook")) == requests


async def test_one_that_hangs_costs_the_others_nothing(world: World) -> None:
    """A hundred events wait for it, and all that others get is there before it says anything."""
    world.receiver.answers("/hangs", HANG)
    await world.register("/hangs", "opened")
    others = Receiver()
    try:
        await world.register("/hangs", "clicked")
        await Webhooks(world.store).change(
            DOMAIN, "clicked", who="test", urls=[others.url("/a"), others.url("/b")]
        )
        clicks = [happened("clicked", number=number) for number in range(100)]
        await world.store.insert([*opens(100), *clicks])
        async with world.office(within=PATIENCE):
            await until(lambda: len(others.posted) == 200)
            assert not [
                one for one in await world.deliveries() if one.kind == "opened" and one.said
            ]
            assert 0 < len(world.receiver.got("/hangs")) <= A_HOST
            world.receiver.release()
    finally:
        others.close()


async def test_one_that_failed_is_asked_by_one_request_at_a_time(world: World) -> None:
    world.receiver.answers("/hook", HANG)
    await world.register("/hook")
    await world.store.insert(opens(A_HOST + 100))
    async with world.office(within=0.5):
        await world.settled(A_HOST)
        before = len(world.receiver.got("/hook"))
        await until(lambda: len(world.receiver.got("/hook")) > before)
        (hook,) = await Webhooks(world.store).all()
        assert (hook.failing_since is None, hook.trouble) == (False, "no answer within 0.5 s")
    tried = [one for one in await world.deliveries() if one.attempt]
    assert len(tried) < A_HOST + 100
    world.receiver.answers("/hook", 200)
    world.receiver.release()
    world.passed += HOUR
    async with world.office():
        await until(lambda: _all_delivered(world))
    (hook,) = await Webhooks(world.store).all()
    assert (hook.failing_since, hook.trouble) == (None, "")


async def _all_delivered(world: World) -> bool:
    return {one.state for one in await world.deliveries()} == {"delivered"}


async def test_two_offices_on_one_store_post_each_event_once(world: World) -> None:
    await world.register("/hook")
    async with world.office(), world.office():
        for start in range(0, 200, 20):
            await world.store.insert(opens(20, start))
        await until(lambda: _all_there(world, 200))
    ids = [one.headers["webhook-id"] for one in world.receiver.got("/hook")]
    assert len(ids) == len(set(ids)) == 200


async def _all_there(world: World, count: int) -> bool:
    return len([one for one in await world.deliveries() if one.state == "delivered"]) == count


async def test_an_office_that_dies_in_the_middle_leaves_nothing_out(world: World) -> None:
    world.receiver.answers("/hook", HANG)
    await world.register("/hook")
    await world.store.insert(opens(5))
    async with world.office(within=PATIENCE) as posting:
        await until(lambda: len(world.receiver.got("/hook")) == 5)
        for task in list(posting._under_way):
            task.cancel()  # what SIGKILL leaves: taken, and nothing said
    world.receiver.answers("/hook", 200)
    world.passed += 61
    async with world.office():
        await until(lambda: _all_there(world, 5))
    ids = {one.headers["webhook-id"] for one in world.receiver.got("/hook")}
    assert len(ids) == 5


async def test_batches_are_for_who_asked_and_one_answer_is_for_all_in_it(world: World) -> None:
    await world.register("/hook", batch=40)
    world.receiver.answers("/hook", 500, 200)
    await world.store.insert(opens(30))
    async with world.office():
        await world.settled(30)
        assert {one.status for one in await world.deliveries()} == {500}
        world.passed += HOUR
        await until(lambda: _all_there(world, 30))
    events = [json.loads(request.body) for request in world.receiver.got("/hook")]
    assert [len(batch) for batch in events] == [30, 30]
    assert {request.headers["Content-Type"] for request in world.receiver.posted} == {
        "application/vnd.tracking-edge.events+json"
    }


async def test_who_was_erased_is_not_posted_any_more(world: World) -> None:
    world.receiver.answers("/hook", 500)
    await world.register("/hook")
    await world.store.insert([happened("opened", to="eve@example.net")])
    async with world.office():
        await world.settled(1)
        await erase_recipient(world.store, "eve@example.net")
        world.passed += 12 * HOUR
        await world.store.insert(opens(1))
        await world.settled(1)
    assert [b"eve@" in one.body for one in world.receiver.posted] == [True, False]


async def test_a_delivery_can_begin_anew(world: World) -> None:
    world.receiver.answers("/hook", 406, 200)
    await world.register("/hook")
    await world.store.insert(opens(1))
    async with world.office():
        (first,) = await world.settled(1)
        now = round(world.clock() * 1e6)
        await History(world.store).redeliver(DOMAIN, first.number, now, who="test")
        await until(lambda: _all_delivered(world))
    assert len(world.receiver.got("/hook")) == 2


async def test_a_revision_that_is_overtaken_is_posted_once(world: World) -> None:
    """The document is read when it is posted: what was queued before it changed is left out."""
    await world.register("/hook", revisions=True)
    await world.store.insert([happened("opened", number=1)])
    await _queued(world)
    await world.store.insert([happened("opened", who="machine", revision=1, number=1)])
    async with world.office():
        await until(lambda: _states(world, {"gone", "delivered"}))
    (request,) = world.receiver.got("/hook")
    assert json.loads(request.body)["event-data"]["verdict"]["kind"] == "machine"


async def _queued(world: World) -> None:
    await take_up(world.store, round(world.clock() * 1e6))


async def _states(world: World, states: set[str]) -> bool:
    return {one.state for one in await world.deliveries()} == states


async def test_while_the_store_is_away_nothing_is_lost(world: World, tmp_path: Path) -> None:
    await world.register("/hook")
    await world.store.insert(opens(20))
    await world.store.close()
    world.store = await Store.open(tmp_path / "world.db", patience=0.05)
    other = sqlite3.connect(tmp_path / "world.db", isolation_level=None)
    async with world.office() as posting:
        other.execute("BEGIN IMMEDIATE")
        await until(lambda: posting.overview().trouble)
        assert posting.overview().trouble.startswith("the store can't answer")
        other.execute("ROLLBACK")
        await until(lambda: _all_there(world, 20))
        await until(lambda: not posting.overview().trouble)
    other.close()
    assert len(world.receiver.got("/hook")) == 20


async def test_stopping_lets_what_is_under_way_come_to_its_end(world: World) -> None:
    world.receiver.answers("/hook", HANG)
    await world.register("/hook")
    await world.store.insert(opens(3))
    async with world.office(within=PATIENCE):
        await until(lambda: len(world.receiver.got("/hook")) == 3)
        asyncio.get_running_loop().call_later(0.05, world.receiver.release)
    assert await _all_delivered(world)
