import asyncio
import json
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from tests.openapi.live import live
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


@pytest.mark.parametrize("headers", [{}, {"accept": "text/event-stream"}])
async def test_a_place_that_another_store_gave_is_refused_and_not_waited_for(
    store: Store, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    await store.insert([row(document(1))])
    answer = await client.get(FEED, params={"after": 2}, headers=headers)
    assert answer.status_code == 400
    assert answer.json() == {"message": "the feed of this store has come to 1, not to 2 yet"}


async def test_who_waits_is_told_as_soon_as_an_event_comes_in(
    store: Store, client: httpx.AsyncClient
) -> None:
    waiting = asyncio.create_task(client.get(FEED, params={"wait": 60}))
    others = asyncio.create_task(client.get(FEED, params={"wait": 60}))
    await store.insert([row(document(1))])
    for answer in (await waiting, await others):
        assert [item["id"] for item in answer.json()["items"]] == ["id-0001"]


async def test_who_waits_in_vain_is_told_where_to_go_on(client: httpx.AsyncClient) -> None:
    answer = await client.get(FEED, params={"wait": 1})
    assert answer.json() == {"items": [], "next": 0}


async def test_an_event_that_comes_twice_keeps_nobody_busy(
    store: Store, client: httpx.AsyncClient
) -> None:
    await store.insert([row(document(1))])
    seen = (await client.get(FEED)).json()["next"]
    await store.insert([row(document(1))])
    answer = (await client.get(FEED, params={"after": seen, "wait": 1})).json()
    assert answer["items"] == []
    assert answer["next"] == await store.last() > seen


async def test_everybody_is_let_go_when_the_api_ends(
    app: Starlette, client: httpx.AsyncClient
) -> None:
    waiting = asyncio.create_task(client.get(FEED, params={"wait": 60}))
    while not app.state.arrivals._waiting:
        await asyncio.sleep(0)
    app.state.arrivals.close()
    assert (await waiting).json() == {"items": [], "next": 0}
    assert (await client.get(FEED, params={"wait": 60})).status_code == 200


async def streamed(client: httpx.AsyncClient, count: int, **headers: str) -> list[tuple[int, str]]:
    """Follow the stream until so many events have come; return their places and ids."""
    headers = {"Accept": "text/event-stream", **headers}
    found: list[tuple[int, str]] = []
    async with client.stream("GET", FEED, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        place = 0
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                place = int(value)
            elif name == "data":
                found.append((place, json.loads(value)["id"]))
                if len(found) == count:
                    break
    return found


async def test_a_stream_goes_on_where_it_was_cut_off_while_events_come_in(tmp_path: Path) -> None:
    async with live(tmp_path, events=0) as api, api.client() as client:
        inserting = asyncio.create_task(_insert(api.store, range(200)))
        seen: list[str] = []
        last = 0
        for count in (1, 7, 50, 142):
            part = await streamed(client, count, **({"Last-Event-ID": str(last)} if last else {}))
            seen += [event for _, event in part]
            last = part[-1][0]
        await inserting
    assert seen == [f"id-{number:04}" for number in range(200)]


async def test_a_key_for_one_domain_follows_that_one_alone(tmp_path: Path) -> None:
    async with live(tmp_path, events=0) as api:
        for number, domain in ((1, "a.example"), (2, "b.example"), (3, "a.example")):
            await api.store.insert([row(document(number), domain)])
        key = await api.key_for("read", "a.example")
        async with api.client(key) as client:
            page = (await client.get(FEED)).json()
            told = await streamed(client, 2)
    assert [item["id"] for item in page["items"]] == ["id-0001", "id-0003"]
    assert page["next"] == 3
    assert [event for _, event in told] == ["id-0001", "id-0003"]


@pytest.mark.parametrize("place", ["-1", "x", "9" * 20])
async def test_an_id_that_was_never_given_is_refused(tmp_path: Path, place: str) -> None:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": place}
    async with live(tmp_path, events=0) as api, api.client() as client:
        assert (await client.get(FEED, headers=headers)).status_code == 400


async def _insert(store: Store, numbers: range) -> None:
    for number in numbers:
        await store.insert([row(document(number))])
