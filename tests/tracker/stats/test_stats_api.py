"""`stats/total` and tags answer as Mailgun's users know them."""

import httpx
import pytest

from tests.tracker.stats.happenings import DOMAIN, HOUR, MONDAY, happened
from tracker.store.database import Store

pytestmark = pytest.mark.anyio
STATS = f"/v3/{DOMAIN}/stats/total"
TAGS = f"/v3/{DOMAIN}/tags"
ONCE = ["unsubscribed", "complained", "stored"]
DAY = {"start": str(MONDAY), "end": str(MONDAY + 23 * HOUR)}


async def test_each_kind_has_mailguns_own_shape(client: httpx.AsyncClient, store: Store) -> None:
    failed = [
        {"severity": "permanent", "reason": "suppress-bounce"},
        {"severity": "permanent", "reason": "old"},
        {"severity": "temporary", "reason": "espblock"},
    ]
    await store.insert(
        [
            *(happened(kind) for kind in ("accepted", "delivered", "complained", "stored")),
            *(happened("failed", number=n, more=more) for n, more in enumerate(failed)),
            *(happened("opened", number=n) for n in range(3)),
            happened("clicked", who="machine"),
            happened("unsubscribed"),
        ]
    )
    kinds = ["accepted", "delivered", "failed", "opened", "clicked", *ONCE]
    answer = await client.get(STATS, params={"event": kinds, "resolution": "day", **DAY})
    assert answer.json() == {
        "start": "Mon, 16 Feb 2026 00:00:00 UTC",
        "end": "Mon, 16 Feb 2026 00:00:00 UTC",
        "resolution": "day",
        "stats": [
            {
                "time": "Mon, 16 Feb 2026 00:00:00 UTC",
                "accepted": {"incoming": 0, "outgoing": 1, "total": 1},
                "delivered": {"smtp": 1, "http": 0, "total": 1},
                "failed": {
                    "temporary": {"espblock": 1, "total": 1},
                    "permanent": {
                        "suppress-bounce": 1,
                        "suppress-unsubscribe": 0,
                        "suppress-complaint": 0,
                        "bounce": 0,
                        "delayed-bounce": 0,
                        "webhook": 0,
                        "optimized": 0,
                        "total": 2,
                    },
                },
                "opened": {"total": 3, "unique": 1},
                "clicked": {"total": 1, "unique": 1},
                "unsubscribed": {"total": 1, "unique": 1},
                "complained": {"total": 1, "unique": 1},
                "stored": {"total": 1},
            }
        ],
    }


@pytest.mark.parametrize(
    ("query", "points", "first", "resolution"),
    [
        ({"start": str(MONDAY), "end": str(MONDAY + 5 * HOUR)}, 1, "Mon, 16 Feb", "day"),
        ({**DAY, "resolution": "hour"}, 24, "Mon, 16 Feb", "hour"),
        ({"end": str(MONDAY), "duration": "24h"}, 25, "Sun, 15 Feb", "hour"),
        ({"end": str(MONDAY), "duration": "3d"}, 4, "Fri, 13 Feb", "day"),
        ({"end": str(MONDAY), "duration": "2m"}, 3, "Mon, 01 Dec", "month"),
        (
            {"end": "Mon, 16 Feb 2026 00:00:00 GMT", "resolution": "month"},
            1,
            "Sun, 01 Feb",
            "month",
        ),
        ({"end": str(MONDAY)}, 8, "Mon, 09 Feb", "day"),
    ],
)
async def test_a_period_is_given_as_mailguns_users_give_it(
    client: httpx.AsyncClient, query: dict[str, str], points: int, first: str, resolution: str
) -> None:
    answer = (await client.get(STATS, params={"event": "opened", **query})).json()
    assert len(answer["stats"]) == points
    assert answer["start"] == answer["stats"][0]["time"]
    assert answer["start"].startswith(first)
    assert answer["resolution"] == resolution


async def test_a_months_days_are_added_up(client: httpx.AsyncClient, store: Store) -> None:
    await store.insert([happened("opened", 24 * day) for day in (-20, 0, 3, 20)])
    query = {"event": "opened", "end": str(MONDAY + 30 * 24 * HOUR), "duration": "3m"}
    answer = (await client.get(STATS, params=query)).json()
    assert {point["time"][8:16]: point["opened"]["total"] for point in answer["stats"]} == {
        "Dec 2025": 0,
        "Jan 2026": 1,
        "Feb 2026": 2,
        "Mar 2026": 1,
    }


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({}, "`event` should name what to count"),
        ({"event": "read"}, "`event` is one of accepted, "),
        ({"event": "opened", "resolution": "week"}, "`resolution` is hour, day or month"),
        ({"event": "opened", "duration": "7w"}, "`duration` is a number with h, d or m"),
        ({"event": "opened", "start": "yesterday"}, "`start` is a time like `Fri, 3 May 2013"),
        ({"event": "opened", "start": "9", "end": "8", "resolution": "hour"}, None),
        ({"event": "opened", "start": "90000", "end": "8"}, "`start` is later than `end`"),
        ({"event": "opened", "start": "0", "resolution": "hour"}, "these are more than 2000"),
    ],
)
async def test_a_query_that_makes_no_sense_is_told_why(
    client: httpx.AsyncClient, query: dict[str, str], says: str | None
) -> None:
    answer = await client.get(STATS, params=query)
    assert answer.status_code == (400 if says else 200)
    assert says is None or answer.json()["message"].startswith(says)


async def test_the_accounts_figures_are_those_of_all_its_domains(
    client: httpx.AsyncClient, store: Store
) -> None:
    other = {"domain": {"name": "other.example"}}
    await store.insert([happened("opened"), happened("opened", message=2, more=other)])
    answer = await client.get("/v3/stats/total", params={"event": "opened", **DAY})
    assert answer.json()["stats"][0]["opened"] == {"total": 2, "unique": 2}


async def test_tags_are_listed_a_page_at_a_time_in_both_directions(
    client: httpx.AsyncClient, store: Store
) -> None:
    names = [f"sale-{letter}" for letter in "abcde"]
    await store.insert([happened("opened", n, tags=(name,)) for n, name in enumerate(names)])
    page = (await client.get(TAGS, params={"limit": 2})).json()
    there: list[list[str]] = []
    while page["items"]:
        there.append([tag["tag"] for tag in page["items"]])
        before, page = page, (await client.get(page["paging"]["next"])).json()
    assert there == [names[:2], names[2:4], names[4:]]
    back = (await client.get(before["paging"]["previous"])).json()
    assert [tag["tag"] for tag in back["items"]] == names[2:4]
    last = (await client.get(back["paging"]["last"])).json()
    assert [tag["tag"] for tag in last["items"]] == names[3:]


async def test_tags_are_found_by_what_they_begin_with(
    client: httpx.AsyncClient, store: Store
) -> None:
    await store.insert([happened("opened", tags=("sale-May", "sal%", "news"))])
    found = (await client.get(TAGS, params={"prefix": "Sale"})).json()["items"]
    assert [tag["tag"] for tag in found] == ["sale-may"]


async def test_a_tag_tells_when_it_was_first_and_last_seen(
    client: httpx.AsyncClient, store: Store
) -> None:
    await store.insert([happened("opened", 3, tags=("sale",))])
    await store.insert([happened("opened", 1, tags=("sale",))])
    for path in (f"{TAGS}/Sale", f"/v3/{DOMAIN}/tag?tag=sale"):
        assert (await client.get(path)).json() == {
            "tag": "sale",
            "description": "",
            "first-seen": "2026-02-16T01:00:00Z",
            "last-seen": "2026-02-16T03:00:00Z",
        }


@pytest.mark.parametrize(
    "form", [{"data": {"description": "Ü"}}, {"files": {"description": (None, "Ü")}}]
)
async def test_a_tag_is_described_by_either_kind_of_form(
    client: httpx.AsyncClient, store: Store, form: dict[str, object]
) -> None:
    await store.insert([happened("opened", tags=("sale",))])
    answer = await client.request("PUT", f"{TAGS}/sale", **form)  # type: ignore[arg-type]  # data or json
    assert answer.json() == {"message": "Tag updated"}
    await store.insert([happened("opened", 2, tags=("sale",))])
    assert (await client.get(f"{TAGS}/sale")).json()["description"] == "Ü"


async def test_a_tag_that_is_deleted_comes_back_with_its_next_event(
    client: httpx.AsyncClient, store: Store
) -> None:
    await store.insert([happened("opened", tags=("sale",))])
    assert (await client.delete(f"{TAGS}/sale")).json() == {"message": "Tag deleted"}
    assert (await client.get(f"{TAGS}/sale")).status_code == 404
    await store.insert([happened("opened", 1, tags=("sale",))])
    answer = await client.get(f"{TAGS}/sale/stats", params={"event": "opened", **DAY})
    assert answer.json()["tag"] == "sale"
    assert answer.json()["stats"][0]["opened"] == {"total": 2, "unique": 1}


async def test_a_tags_aggregates_have_mailguns_shape(
    client: httpx.AsyncClient, store: Store
) -> None:
    place = {"geolocation": {"country": "US"}, "client-info": {"device-type": "tablet"}}
    await store.insert([happened("opened", tags=("sale",), more=place)])
    counts = {
        "accepted": 0,
        "delivered": 0,
        "opened": 1,
        "unique_opened": 1,
        "clicked": 0,
        "unique_clicked": 0,
        "unsubscribed": 0,
        "complained": 0,
    }
    for listing, dimension, value in (
        ("countries", "country", "us"),
        ("providers", "provider", "example.net"),
        ("devices", "device", "tablet"),
    ):
        answer = await client.get(f"{TAGS}/sale/stats/aggregates/{listing}")
        assert answer.json() == {"tag": "sale", dimension: {value: counts}}
    answer = await client.get(f"{TAGS}/sale/stats/aggregates/moods")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", f"{TAGS}/none", 404, "no event had such a tag"),
        ("DELETE", f"{TAGS}/none", 404, "no event had such a tag"),
        ("GET", f"{TAGS}/none/stats?event=opened", 404, "no event had such a tag"),
        ("PUT", f"{TAGS}/none", 415, "the body should be a form"),
        ("GET", f"{TAGS}?page=second", 400, "`page` is one of first, next"),
        ("GET", f"{TAGS}?page=next", 400, "`page` needs the `tag`"),
        ("GET", f"{TAGS}?limit=0", 400, "`limit` is a number from 1 to 1000"),
        ("GET", f"/v3/{DOMAIN}/tag", 400, "`tag` is missing"),
    ],
)
async def test_what_cant_be_done_with_a_tag_is_said(
    client: httpx.AsyncClient, method: str, path: str, status: int, says: str
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["message"].startswith(says)
