"""PostgreSQL's events lie in partitions by time: made before they are needed, dropped when over."""

import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.stores import changed, counted, only_postgresql
from tests.tracker.store.documents import DOMAIN, START, document
from tracker.store import partition
from tracker.store.database import Store, StoreUnavailable
from tracker.store.partition import DAY, Span, around, busy, missing
from tracker.store.query import Walk
from tracker.store.retention import expire
from tracker.store.row import LATEST, SECOND, row

pytestmark = pytest.mark.anyio


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


NOW = at("2026-11-21T08:15")
TODAY = around(NOW, "day")
NOVEMBER = around(NOW, "month")


@pytest.mark.parametrize(
    ("times", "there", "is_busy", "expected"),
    [
        (["2026-11-21"], [], False, ["2026_11"]),
        (["2026-11-01", "2026-11-30T23:59:59"], [], False, ["2026_11"]),
        (["2026-11-21", "2026-12-01"], [], False, ["2026_11", "2026_12"]),
        (["2026-11-21"], [NOVEMBER], False, []),
        (["2026-11-21", "2026-11-22"], [], True, ["2026_11_21", "2026_11_22"]),
        (["2026-11-21", "2026-11-22"], [NOVEMBER], True, []),
        (["2026-11-22"], [TODAY], False, ["2026_11_22"]),
        (["2026-12-31"], [TODAY], False, ["2026_12"]),
        # A clock that jumped: a whole year of such events is one table.
        (["1970-01-01", "1970-07-01"], [], False, ["1970"]),
        (["2242-03-16"], [], True, ["2242"]),
        (["2027-06-01"], [], True, ["2027"]),
        (["2027-06-01"], [around(at("2027-01-05"), "month")], True, ["2027_06"]),
        (["2025-01-15"], [], False, ["2025_01"]),
    ],
)
def test_a_time_that_no_partition_holds_gets_one(
    times: list[str], there: list[Span], is_busy: bool, expected: list[str]
) -> None:
    made = missing(map(at, times), there, NOW, busy=is_busy)
    assert [span.name for span in made] == expected


days = st.integers(0, LATEST)


@given(st.lists(days, max_size=9), st.lists(st.tuples(st.lists(days), st.booleans()), max_size=3))
def test_partitions_never_overlap_and_hold_every_time(
    times: list[int], earlier: list[tuple[list[int], bool]]
) -> None:
    there: list[Span] = []
    for some, was_busy in (*earlier, (times, False)):
        there += missing(some, there, NOW, busy=was_busy)
    assert all(any(span.holds(time) for span in there) for time in times)
    assert all(one.high <= other.low for one, other in pairwise(sorted(there)))
    assert len({span.name for span in there}) == len(there)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ({}, False),
        ({NOVEMBER: -1}, False),  # PostgreSQL hasn't counted yet
        ({NOVEMBER: 90_000_000}, False),
        ({NOVEMBER: 110_000_000}, True),
        ({TODAY: 2_000_000}, True),
        ({TODAY: 1_000_000}, False),
        ({NOVEMBER: 110_000_000, around(NOW + 40 * DAY, "month"): 5}, True),
    ],
)
def test_a_store_is_busy_by_what_its_newest_partition_took(
    spans: dict[Span, float], expected: bool
) -> None:
    assert busy(spans, NOW) is expected


async def names(store: Store) -> list[str]:
    async with store.reading() as connection:
        return [span.name for span in sorted(await partition._there(connection))]


@only_postgresql
async def test_the_partition_of_tomorrow_is_there_before_its_first_event(store: Store) -> None:
    before = time.time()
    await store.insert([row(document(1))])
    # A month may begin meanwhile.
    ahead = [moment + partition.AHEAD / SECOND for moment in (before, time.time())]
    wanted = [f"{datetime.fromtimestamp(moment, UTC):%Y_%m}" for moment in ahead]
    assert await names(store) in [["2023", name] for name in wanted]


@only_postgresql
async def test_what_is_too_old_goes_with_its_partition_and_its_tags(store: Store) -> None:
    old = [row(document(number, tags=["sale", "news"])) for number in range(20)]
    young = row(document(0, timestamp=NOW / SECOND, tags=["sale"]))
    await store.insert([*old, young])
    assert await expire(store, NOW / SECOND) == 20
    assert (await names(store))[0] != "2023"
    assert await counted(store, "tag") == 1
    found = await store.page(Walk(DOMAIN, ascending=True, limit=10))
    assert [each.document for each in found] == [young.document]
    await store.insert([old[0]])
    assert await counted(store, "event") == 2


@only_postgresql
async def test_a_partition_that_another_process_dropped_is_made_at_the_next_try(
    store: Store, store_url: str
) -> None:
    await store.insert([row(document(1))])
    other = await Store.open(store_url)
    await other.insert([row(document(2))])
    assert await expire(other, NOW / SECOND) == 2
    await other.close()
    with pytest.raises(StoreUnavailable, match="no partition"):
        await store.insert([row(document(3))])
    await store.insert([row(document(3))])
    assert await counted(store, "event") == 1


@only_postgresql
async def test_a_day_s_partition_goes_whole_when_it_is_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "NEAR", (-(1 << 62), 1 << 62))
    monkeypatch.setattr(partition, "BUSY", -(1 << 62))
    await store.insert([row(document(0, timestamp=START - 10_000_000))])  # what it was busy with
    hours = [row(document(0, timestamp=START + 3600 * hour)) for hour in range(48)]
    await store.insert(hours)
    assert (await names(store))[1:3] == ["2023_11_14", "2023_11_15"]
    midnight = at("2023-11-15") / SECOND
    before = sum(each.at < midnight * SECOND for each in hours)
    assert await expire(store, midnight + 7200) == 1 + before
    assert await counted(store, "event") == 48 - before


@only_postgresql
async def test_nothing_is_lost_where_no_partition_can_be_made(store: Store) -> None:
    await store.insert([row(document(1))])
    await changed(store, "CREATE VIEW event_2024 AS SELECT 1")
    late = row(document(1, timestamp=at("2024-05-05") / SECOND))
    with pytest.raises(StoreUnavailable, match=r"event_2024.* already exists"):
        await store.insert([row(document(2)), late])
    assert await counted(store, "event") == 1
    await changed(store, "DROP VIEW event_2024")
    await store.insert([row(document(2)), late])
    assert await counted(store, "event") == 3
