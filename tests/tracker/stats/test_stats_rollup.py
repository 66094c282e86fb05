"""Figures say what the events say: each once, in its own hour, whatever order they came in."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tracker.stats.happenings import DOMAIN, HOUR, MONDAY, happened
from tracker.store import pairs
from tracker.store.database import Store
from tracker.store.figures import Told
from tracker.store.pair import key
from tracker.store.row import Row
from tracker.store.stats import Stats

pytestmark = pytest.mark.anyio

FIRST = MONDAY // HOUR


async def figures(
    store: Store, tag: str = "", *, hours: tuple[int, int] = (0, 1 << 30)
) -> Counter[str]:
    found = await Stats(store).totals(DOMAIN, tag, *hours)
    return +Counter(found)


async def test_an_event_that_comes_twice_counts_once(store: Store) -> None:
    opened = happened("opened", tags=("sale",))
    await store.insert([opened, opened])
    await store.insert([opened])
    expected = {"opened.person": 1, "unique.opened": 1, "stray.readers": 1}
    assert await figures(store) == expected
    assert await figures(store, "sale") == expected


async def test_a_recipient_who_comes_back_is_one_recipient(store: Store) -> None:
    await store.insert([happened("opened", 0), happened("opened", 5), happened("opened", 30)])
    assert await figures(store) == {
        "opened.person": 3,
        "unique.opened": 1,
        "stray.readers": 1,
    }


async def test_an_event_that_comes_late_counts_in_its_own_hour(store: Store) -> None:
    await store.insert([happened("opened", 30)])
    await store.insert([happened("opened", 2)])
    stats = Stats(store)
    by_hour = await stats.by_hour(DOMAIN, "", FIRST, FIRST + 48, ["opened.person", "unique.opened"])
    assert by_hour[FIRST + 30] == {"opened.person": 1, "unique.opened": 0}
    assert by_hour[FIRST + 2] == {"opened.person": 1, "unique.opened": 1}


async def test_a_revision_moves_a_click_from_a_person_to_a_machine(store: Store) -> None:
    await store.insert([happened("delivered"), happened("clicked", 1)])
    before = await figures(store)
    assert (before["clicked.person"], before["sent.clickers"]) == (1, 1)
    await store.insert([happened("clicked", 1, who="machine", reason="burst: 9", revision=1)])
    assert await figures(store) == {
        "delivered.smtp": 1,
        "sent.delivered": 1,
        "clicked.machine": 1,
        "reason.clicked.burst": 1,
        "unique.clicked": 1,
    }


async def test_a_person_whose_other_click_was_a_machines_stays_a_clicker(store: Store) -> None:
    await store.insert([happened("clicked", 1), happened("clicked", 4), happened("delivered")])
    await store.insert([happened("clicked", 1, who="machine", reason="burst: 9", revision=1)])
    found = await figures(store)
    assert (found["sent.clickers"], found["unique.clicked"]) == (1, 1)


async def test_a_readers_hour_is_that_of_the_delivery(store: Store) -> None:
    await store.insert([happened("opened", 40)])
    await store.insert([happened("delivered", 0)])
    first_day = await figures(store, hours=(FIRST, FIRST + 23))
    assert first_day == {"delivered.smtp": 1, "sent.delivered": 1, "sent.readers": 1}


async def test_a_tags_readers_are_set_against_deliveries_that_had_the_tag(store: Store) -> None:
    await store.insert([happened("delivered"), happened("opened", 1, tags=("sale",))])
    assert (await figures(store))["sent.readers"] == 1
    assert await figures(store, "sale") == {
        "opened.person": 1,
        "unique.opened": 1,
        "stray.readers": 1,
    }


async def test_what_was_erased_stays_counted(store: Store) -> None:
    opened = happened("opened")
    await store.insert([opened])
    before = await figures(store)
    async with store.writing() as connection:
        await pairs.forget(connection, [opened])
    assert await figures(store) == before
    known = key(opened)
    assert known is not None
    assert await Stats(store).pairs([known]) == {}


async def test_a_tags_aggregates_count_each_recipient_once(store: Store) -> None:
    place = {"geolocation": {"country": "US"}, "client-info": {"device-type": "mobile"}}
    await store.insert(
        [
            happened("opened", 0, tags=("sale",), more=place),
            happened("opened", 1, tags=("sale",), more=place),
            happened("opened", 1, to="bob@example.org", tags=("sale",)),
            happened("delivered", 0, tags=("sale",)),
        ]
    )
    stats = Stats(store)
    assert await stats.aggregates(DOMAIN, "sale", "country") == {
        "us": {"opened": 2, "unique_opened": 1},
        "unknown": {"opened": 1, "unique_opened": 1},
    }
    assert (await stats.aggregates(DOMAIN, "sale", "device"))["mobile"]["opened"] == 2
    assert await stats.aggregates(DOMAIN, "sale", "provider") == {
        "example.net": {"opened": 2, "unique_opened": 1, "delivered": 1},
        "example.org": {"opened": 1, "unique_opened": 1},
    }


@pytest.mark.parametrize(
    ("more", "who"),
    [
        ({"verdict": {"kind": "person", "reasons": []}}, "person"),
        ({"verdict": {"kind": "proxy", "reasons": []}}, "proxy"),
        (
            {"verdict": {"kind": "proxy", "reasons": []}, "client-info": {"bot": "apple"}},
            "prefetch",
        ),
        ({"verdict": {"kind": "machine", "reasons": []}}, "machine"),
        ({"client-info": {"bot": "apple"}}, "prefetch"),
        ({"client-info": {"bot": "generic"}}, "machine"),
        ({"client-info": {"bot": ""}}, "unjudged"),
        ({}, "unjudged"),
        ({"verdict": "a person, surely", "client-info": ["odd"]}, "unjudged"),
    ],
)
def test_who_it_was_is_what_the_document_can_show(more: dict[str, object], who: str) -> None:
    document = happened("opened", more={"verdict": None, **more}).document
    assert Told(document).who == who


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"severity": "temporary", "reason": "generic"}, "failed.temporary.other"),
        ({"severity": "temporary", "reason": "espblock"}, "failed.temporary.espblock"),
        (
            {"severity": "permanent", "reason": "suppress-bounce"},
            "failed.permanent.suppress-bounce",
        ),
        ({"severity": "permanent", "reason": "generic"}, "failed.permanent.bounce"),
        (
            {"severity": "permanent", "reason": "generic", "flags": {"is-delayed-bounce": True}},
            "failed.permanent.delayed-bounce",
        ),
        ({"severity": "permanent", "reason": "old"}, "failed.permanent.other"),
    ],
)
def test_a_failure_is_counted_by_its_reason(more: dict[str, object], name: str) -> None:
    assert Told(happened("failed", more=more).document).names() == (name,)


def test_a_reason_that_is_no_name_is_counted_as_other() -> None:
    odd = happened("clicked", who="machine", reason="<b>'; drop table figure")
    assert Told(odd.document).names() == ("clicked.machine", "reason.clicked.other")


@pytest.mark.parametrize("kind", ["sent.readers", "opened.person", "unique.opened", "rejected"])
def test_a_kind_of_elsewhere_passes_for_no_figure(kind: str) -> None:
    assert Told(happened(kind).document).names() == (f"other.{kind}",)


async def test_a_value_without_an_end_is_counted_as_unknown(store: Store) -> None:
    place = {"geolocation": {"country": "x" * 1000}}
    await store.insert([happened("opened", tags=("sale",), more=place)])
    assert list(await Stats(store).aggregates(DOMAIN, "sale", "country")) == ["unknown"]


EVENTS = st.builds(
    happened,
    st.sampled_from(["opened", "clicked", "delivered"]),
    st.integers(0, 3),
    message=st.integers(1, 2),
    to=st.sampled_from(["ann@example.net", "bob@example.org"]),
    who=st.sampled_from(["person", "proxy", "machine"]),
    tags=st.just(("sale",)),
    revision=st.integers(0, 2),
)


def counted_afresh(rows: Iterable[Row]) -> Counter[tuple[int, str]]:
    """Count what a store holds in the end, the slow and plain way."""
    highest: dict[str, Row] = {}
    for each in rows:
        if each.id not in highest or each.revision > highest[each.id].revision:
            highest[each.id] = each
    counts: Counter[tuple[int, str]] = Counter()
    by_pair: dict[tuple[str, str], list[tuple[int, str, str]]] = defaultdict(list)
    for each in highest.values():
        hour, who = each.at // HOUR // 1_000_000, Told(each.document).who
        for name in Told(each.document).names():
            counts[hour, name] += 1
        by_pair[each.message_id, each.recipient].append((hour, each.kind, who))
    for theirs in by_pair.values():
        opens = [hour for hour, kind, _ in theirs if kind == "opened"]
        clicks = [hour for hour, kind, _ in theirs if kind == "clicked"]
        sent = [hour for hour, kind, _ in theirs if kind == "delivered"]
        clickers = [hour for hour, kind, who in theirs if (kind, who) == ("clicked", "person")]
        readers = [
            hour for hour, kind, who in theirs if kind == "opened" and who in {"person", "proxy"}
        ]
        for name, hours in (("opened", opens), ("clicked", clicks)):
            if hours:
                counts[min(hours), f"unique.{name}"] += 1
        cohort = "sent" if sent else "stray"
        hour = min(sent or opens + clickers or [0])
        counts[hour, f"{cohort}.readers"] += bool(readers or clickers)
        counts[hour, f"{cohort}.hidden"] += bool(opens and not (readers or clickers))
        counts[hour, f"{cohort}.clickers"] += bool(clickers)
        counts[hour, "sent.delivered"] += bool(sent)
    return +counts


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example has its own domain
)
@given(batches=st.lists(st.lists(EVENTS, max_size=8), max_size=5))
async def test_figures_are_what_counting_afresh_would_give(
    store: Store, batches: Sequence[list[Row]]
) -> None:
    domain = f"{uuid4()}.example"
    for batch in batches:
        await store.insert([msgspec.structs.replace(each, domain=domain) for each in batch])
    expected = counted_afresh(each for batch in batches for each in batch)
    names = {name for _, name in expected} | {"sent.readers", "stray.hidden"}
    for tag in ("", "sale"):
        found = await Stats(store).by_hour(domain, tag, 0, 1 << 30, names)
        counts = {(hour, name): n for hour, by in found.items() for name, n in by.items()}
        assert +Counter(counts) == expected
