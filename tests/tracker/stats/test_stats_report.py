"""The report tells people from machines, says how sure it is, and shows the events behind it."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.stats.happenings import DOMAIN, HOUR, MONDAY, happened
from tracker.api.honest import estimate, wilson
from tracker.store.database import Store

pytestmark = pytest.mark.anyio
REPORT = f"/v1/{DOMAIN}/report"
DAY = {"start": str(MONDAY), "end": str(MONDAY + 23 * HOUR)}


async def reported(client: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    answer = await client.get(REPORT, params={**DAY, **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def campaign(store: Store) -> None:
    """Send to 200: 60 read it themselves, 10 of them and 5 more click, a machine opens for 40."""
    everybody = [f"reader-{n}@example.net" for n in range(200)]
    await store.insert([happened("delivered", to=to, tags=("sale",)) for to in everybody])
    people = {"tags": ("sale",), "hour": 3.0}
    await store.insert(
        [
            *(happened("opened", to=to, **people) for to in everybody[:60]),  # type: ignore[arg-type]  # of the two types each takes
            *(happened("clicked", 30, to=to, tags=("sale",)) for to in everybody[50:65]),
            *(
                happened(
                    "opened", 1, to=to, tags=("sale",), who="machine", reason="network: gateway"
                )
                for to in everybody[100:140]
            ),
            happened("clicked", 1, to=everybody[0], who="machine", reason="burst: 5 links"),
            happened("opened", 2, message=2),
        ]
    )


async def test_floor_estimate_and_ceiling_stand_together(
    client: httpx.AsyncClient, store: Store
) -> None:
    await campaign(store)
    for tag in ("", "sale"):
        found = await reported(client, tag=tag)
        assert found["readers"]["floor"] == {"count": 65, "of": 200, "rate": 0.325}
        assert found["readers"]["ceiling"] == {"count": 105, "of": 200, "rate": 0.525}
        assert found["readers"]["estimate"]["rate"] == 0.40625
        assert found["readers"]["estimate"]["low"] == pytest.approx(0.33321, abs=1e-4)
        assert found["readers"]["estimate"]["high"] == pytest.approx(0.48368, abs=1e-4)
        assert found["readers"]["estimate"]["withheld"] == ""
        assert found["click_to_open"] == {"count": 15, "of": 65, "rate": 0.230769}


async def test_machines_are_counted_by_what_gave_them_away(
    client: httpx.AsyncClient, store: Store
) -> None:
    await campaign(store)
    machines = (await reported(client))["machines"]
    assert {name: one["count"] for name, one in machines["clicked"].items()} == {"burst": 1}
    assert {name: one["count"] for name, one in machines["opened"].items()} == {"network": 40}


async def test_readers_whose_delivery_nobody_told_of_are_in_no_rate(
    client: httpx.AsyncClient, store: Store
) -> None:
    await campaign(store)
    assert (await reported(client))["stray"]["readers"]["count"] == 1


FIGURES = [
    *[("sent", name) for name in ("delivered", "readers", "hidden", "clickers")],
    *[("stray", name) for name in ("readers", "hidden", "clickers")],
    *[(kind, who) for kind in ("opened", "clicked") for who in ("person", "machine")],
    ("machines", "opened", "network"),
    ("machines", "clicked", "burst"),
    ("unique", "opened"),
    ("unique", "clicked"),
]


@pytest.mark.parametrize("path", FIGURES, ids="-".join)
async def test_each_figure_leads_to_the_events_that_it_counts(
    client: httpx.AsyncClient, store: Store, path: tuple[str, ...]
) -> None:
    await campaign(store)
    one: Any = await reported(client)
    for name in path:
        one = one[name]
    there: list[dict[str, Any]] = []
    url = one["events"]
    while url:
        page = (await client.get(url)).json()
        there += page["items"]
        url = page["next"]
    if path[0] in {"sent", "stray", "unique"}:
        pairs = {(e["message"]["headers"]["message-id"], e["recipient"]) for e in there}
        assert len(pairs) == one["count"]
    else:
        assert len(there) == one["count"]


async def test_without_deliveries_there_is_no_rate(client: httpx.AsyncClient, store: Store) -> None:
    await store.insert([happened("opened")])
    found = (await reported(client))["readers"]
    assert found["floor"] == {"count": 0, "of": 0, "rate": None}
    assert found["estimate"]["withheld"].startswith("no delivery is known: post `delivered`")


@pytest.mark.parametrize(
    ("delivered", "readers", "hidden", "says"),
    [
        (150, 20, 51, "of 99 recipients it could be seen; below 100 that is chance"),
        (1000, 20, 701, "machines hide 701 of 1000 recipients; above 70 %"),
        (0, 0, 0, "no delivery is known"),
    ],
)
def test_an_estimate_that_would_mislead_is_withheld(
    delivered: int, readers: int, hidden: int, says: str
) -> None:
    found = estimate(delivered, readers, hidden)
    assert (found.rate, found.low, found.high) == (None, None, None)
    assert found.withheld.startswith(says)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_an_interval_holds_its_rate_and_stays_between_none_and_all(of: int, share: float) -> None:
    count = round(share * of)
    low, high = wilson(count, of)
    assert 0 <= low <= count / of + 1e-9
    assert count / of - 1e-9 <= high <= 1


def test_the_interval_is_wilsons() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"figure": "delivered.smtp"}, "`figure` is one of the report's"),
        ({"figure": "opened.person", "after": "x.y"}, "`after` is that of a `next`"),
        ({"figure": "opened.person", "start": "8e9", "end": "1"}, "`start` is later"),
    ],
)
async def test_a_trace_that_leads_nowhere_says_why(
    client: httpx.AsyncClient, query: dict[str, str], says: str
) -> None:
    answer = await client.get(f"{REPORT}/events", params=query)
    assert (answer.status_code, answer.json()["message"][: len(says)]) == (400, says)
