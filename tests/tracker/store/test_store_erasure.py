"""What an erased recipient did before comes in no more; what they do afterwards does."""

from pathlib import Path

import pytest

from tests.servers.stores import counted
from tests.tracker.store.documents import DOMAIN, START, document
from tracker.store.copying import Copy
from tracker.store.database import Store
from tracker.store.query import Walk
from tracker.store.recipient import erase_recipient
from tracker.store.retention import expire
from tracker.store.row import SECOND, Row, row
from tracker.store.suppressions import Suppressions

pytestmark = pytest.mark.anyio

ANN, BOB, OTHER = "ann@example.com", "bob@example.com", "other.example"
ERASED = 100  # the number of the event that happens as Ann is erased
NOW = (START + ERASED) * SECOND


def event(number: int, recipient: str = ANN, domain: str = DOMAIN, **fields: object) -> Row:
    return row(document(number, recipient=recipient, **fields), domain)


async def ids(store: Store, domain: str = DOMAIN) -> list[str]:
    return [found.key.id for found in await store.page(Walk(domain, ascending=True, limit=300))]


async def test_what_waited_is_not_stored_and_what_comes_after_is(store: Store) -> None:
    await store.insert([event(1), event(2, BOB)])
    assert await erase_recipient(store, " Ann@Example.com", now=NOW) == 1
    waited = [event(3), event(4, BOB), event(ERASED, ANN.upper()), event(ERASED + 1)]
    changes = await store.insert(waited)
    assert await ids(store) == ["id-0002", "id-0004", "id-0101"]
    assert [change.row.id for change in changes] == ["id-0004", "id-0101"]
    assert store.late == 2


async def test_a_batch_that_is_all_too_late_leaves_the_feed_where_it_is(store: Store) -> None:
    await erase_recipient(store, ANN, now=NOW)
    assert await store.insert([event(1), event(2)]) == []
    assert (await store.last(), await store.feed(0, 10), store.late) == (0, [], 2)
    await store.insert([event(3, BOB)])
    assert await store.last() == 1


async def test_another_process_knows_it_with_its_next_batch(store: Store, store_url: str) -> None:
    other = await Store.open(store_url)
    await other.insert([event(1, BOB)])
    await erase_recipient(store, ANN, now=NOW)
    await other.insert([event(2)])
    await erase_recipient(store, BOB, now=NOW)
    await other.insert([event(3, BOB), event(4, "eve@example.com")])
    await other.close()
    assert await ids(store) == ["id-0004"]


async def test_who_is_erased_for_one_domain_is_kept_for_others(store: Store) -> None:
    await erase_recipient(store, ANN, DOMAIN.upper(), now=NOW)
    await store.insert([event(1), event(2, domain=OTHER)])
    assert (await ids(store), await ids(store, OTHER)) == ([], ["id-0002"])
    await erase_recipient(store, ANN, now=NOW)
    await store.insert([event(1), event(3, domain=OTHER)])
    assert (await ids(store), await ids(store, OTHER)) == ([], [])


@pytest.mark.parametrize(
    "message",
    [
        {"recipients": [BOB, ANN], "headers": {}},
        {"headers": {"to": f"Ann <{ANN}>, Bob <{BOB}>"}},
    ],
)
async def test_an_event_that_only_names_them_comes_too_late_as_well(
    store: Store, message: dict[str, object]
) -> None:
    """An erasure removes such events, too."""
    named = event(1, BOB, message=message)
    await store.insert([named])
    assert await erase_recipient(store, ANN, now=NOW) == 1
    await store.insert([named, event(2, BOB)])
    assert await ids(store) == ["id-0002"]


async def test_who_asked_for_no_more_mail_before_they_were_erased_gets_none(store: Store) -> None:
    await erase_recipient(store, ANN, now=NOW)
    await store.insert([event(1, event="unsubscribed")])
    assert await ids(store) == []
    assert list(await Suppressions(store).of(DOMAIN, [ANN])) == [ANN]


async def test_a_revision_of_what_is_gone_is_gone_too(store: Store) -> None:
    await store.insert([event(1)])
    await erase_recipient(store, ANN, now=NOW)
    assert await store.insert([event(1, revision=1)]) == []
    assert await ids(store) == []


async def test_who_is_erased_again_is_erased_up_to_then(store: Store) -> None:
    await erase_recipient(store, ANN, now=NOW)
    await erase_recipient(store, ANN, now=NOW + 10 * SECOND)
    await store.insert([event(ERASED + 5), event(ERASED + 15)])
    assert await ids(store) == ["id-0115"]


async def test_a_clock_that_goes_back_hides_no_erasure(store: Store, store_url: str) -> None:
    other = await Store.open(store_url)
    await erase_recipient(store, ANN, now=NOW)
    await other.insert([event(1)])
    await erase_recipient(store, BOB, now=NOW - SECOND)
    await other.insert([event(2, BOB)])
    await other.close()
    assert await ids(store) == []


async def test_no_address_is_kept(store: Store) -> None:
    await erase_recipient(store, ANN, now=NOW)
    async with store.reading() as connection:
        kept = [
            value
            for table in ("erasure", "erasure_key")
            for found in await connection.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608 - ours
            for value in found
            if isinstance(value, bytes)
        ]
    assert sorted(map(len, kept)) == [16, 32]
    assert not any(b"ann" in value for value in kept)


async def test_digests_go_once_what_they_hold_off_would_be_removed_anyway(store: Store) -> None:
    await erase_recipient(store, ANN, now=NOW)
    await erase_recipient(store, BOB, now=NOW + 10 * SECOND)
    await expire(store, START + ERASED + 5)
    assert await counted(store, "erasure") == 1
    await store.insert([event(1, BOB), event(2)])
    assert await ids(store) == ["id-0002"]
    await expire(store, START + ERASED + 50)
    assert await counted(store, "erasure") == 0


async def test_a_copy_of_the_store_knows_who_was_erased(store: Store, tmp_path: Path) -> None:
    await erase_recipient(store, ANN, now=NOW)
    copied = await Store.open(tmp_path / "copy.db")
    async for _ in (await Copy.begin(store, copied)).run():
        pass
    await copied.insert([event(1), event(2, BOB)])
    assert await ids(copied) == ["id-0002"]
    await copied.close()
