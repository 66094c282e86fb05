import httpx
import pytest

from tests.tracker.store.documents import document
from tracker.store.database import Store
from tracker.store.row import row

pytestmark = pytest.mark.anyio

FEED = "/v1/events/feed"


async def test_the_feed_is_in_the_order_of_insertion_over_all_domains(
    store: Store, client: httpx.AsyncClient
) -> None:
    for number, domain in ((3, "a.example"), (1, "b.example"), (2, "a.example")):
        await store.insert([row(document(number), domain)])
    first = (await client.get(FEED, params={"limit": 2})).json()
    second = (await client.get(FEED, params={"limit": 2, "after": first["next"]})).json()
    end = (await client.get(FEED, params={"limit": 2, "after": second["next"]})).json()
    seen = [[item["id"] for item in page["items"]] for page in (first, second, end)]
    assert seen == [["id-0003", "id-0001"], ["id-0002"], []]
    assert end["next"] == second["next"]


async def test_whoever_starts_now_sees_what_comes_from_now_on(
    store: Store, client: httpx.AsyncClient
) -> None:
    await store.insert([row(document(1))])
    start = (await client.get(FEED, params={"after": "now"})).json()
    assert start["items"] == []
    await store.insert([row(document(2))])
    answer = await client.get(FEED, params={"after": start["next"]})
    assert [item["id"] for item in answer.json()["items"]] == ["id-0002"]


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=x", "after=", "after=99999999999999999999", "limit=0", "limit=1001"],
)
async def test_a_wrong_number_is_named(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"{FEED}?{query}")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"`{query.partition('=')[0]}` is a number from ")
