import re
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous.encoding import base64_encode

from tests.servers.stores import changed
from tests.tracker.api.caller import KEY
from tests.tracker.store.documents import DOMAIN, START, document
from tracker.api.answer import Refused
from tracker.api.app import api
from tracker.api.keys import ApiKeys
from tracker.api.listing import Listing
from tracker.api.paging import Cursor, opened, sealed
from tracker.health import Health
from tracker.store.database import Store
from tracker.store.row import LATEST, row

pytestmark = pytest.mark.anyio

EVENTS = f"/v3/{DOMAIN}/events"


async def fill(store: Store, *numbers: int) -> None:
    await store.insert([row(document(number)) for number in numbers])


def numbers(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(item["id"].removeprefix("id-")) for item in answer.json()["items"]]


async def follow(client: httpx.AsyncClient, answer: httpx.Response, link: str) -> httpx.Response:
    return await client.get(answer.json()["paging"][link])


async def test_an_event_comes_back_as_it_was_stored(
    store: Store, client: httpx.AsyncClient
) -> None:
    stored = document(1, user_variables={"née": [1, None]}, url="https://example.com/?a=1&b=2")
    await store.insert([row(stored)])
    answer = await client.get(EVENTS)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["items"] == [msgspec.json.decode(stored)]


async def test_the_latest_events_come_first_unless_asked_otherwise(
    store: Store, client: httpx.AsyncClient
) -> None:
    await fill(store, 2, 3, 1)
    assert numbers(await client.get(EVENTS)) == [3, 2, 1]
    assert numbers(await client.get(EVENTS, params={"ascending": "yes"})) == [1, 2, 3]


async def test_links_begin_with_where_the_api_is_reached(store: Store) -> None:
    async def well() -> Health:
        return Health("ok", {})

    behind = api(store, ApiKeys.of(KEY), well, bytes, public_url="https://api.example.com/mail")
    transport = httpx.ASGITransport(behind)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://10.0.0.7:8026", auth=("api", KEY)
    ) as client:
        paging = (await client.get(EVENTS)).json()["paging"]
    for link in paging.values():
        assert link.startswith(f"https://api.example.com/mail{EVENTS}/")


async def test_both_ends_of_a_range_are_in_it(store: Store, client: httpx.AsyncClient) -> None:
    await fill(store, *range(1, 6))
    up = {"begin": str(START + 2), "end": formatdate(START + 4)}
    assert numbers(await client.get(EVENTS, params=up)) == [2, 3, 4]
    down = {"begin": up["end"], "end": up["begin"]}
    assert numbers(await client.get(EVENTS, params=down)) == [4, 3, 2]


async def test_a_domain_sees_its_own_events_alone_however_it_is_written(
    store: Store, client: httpx.AsyncClient
) -> None:
    await fill(store, 1)
    await store.insert([row(document(2), "other.example")])
    assert numbers(await client.get("/v3/Other.Example/events")) == [2]
    assert numbers(await client.get("/v3/none.example/events")) == []


@pytest.mark.parametrize("ascending", ["yes", "no"])
@pytest.mark.parametrize("tags", [None, "summer OR sale"])
async def test_pages_lead_through_a_listing_and_back(
    store: Store, client: httpx.AsyncClient, ascending: str, tags: str | None
) -> None:
    # Two events a second, so that pages break between events of one time too.
    await store.insert(
        [
            row(document(number, timestamp=START + number // 2, tags=["summer", "sale"]))
            for number in range(10)
        ]
    )
    params = {"ascending": ascending, "limit": "3"} | ({"tags": tags} if tags else {})
    answer = await client.get(EVENTS, params=params)
    pages = []
    while numbers(answer):
        pages.append(numbers(answer))
        answer = await follow(client, answer, "next")
    everything = list(range(10)) if ascending == "yes" else list(range(9, -1, -1))
    assert pages == [everything[:3], everything[3:6], everything[6:9], everything[9:]]

    back: list[list[int]] = []
    answer = await follow(client, answer, "previous")
    while numbers(answer):
        back.insert(0, numbers(answer))
        answer = await follow(client, answer, "previous")
    assert back == [everything[:1], everything[1:4], everything[4:7], everything[7:]]
    assert numbers(await follow(client, answer, "next")) == everything[:3]


async def test_the_page_before_the_first_and_behind_the_last_is_empty(
    store: Store, client: httpx.AsyncClient
) -> None:
    await fill(store, 1, 2)
    first = await client.get(EVENTS)
    for link in ("previous", "next"):
        assert numbers(await follow(client, first, link)) == []
    empty = await client.get(EVENTS, params={"event": "none"})
    for link in ("previous", "next"):
        assert numbers(await follow(client, empty, link)) == []


@pytest.mark.parametrize("there", [[], [1, 2]])
async def test_an_open_ascending_range_can_be_resumed(
    store: Store, client: httpx.AsyncClient, there: list[int]
) -> None:
    await fill(store, *there)
    answer = await client.get(EVENTS, params={"begin": str(START), "ascending": "yes"})
    assert numbers(answer) == there
    for number in (3, 4):
        answer = await follow(client, answer, "next")
        assert numbers(answer) == []
        await fill(store, number)
        answer = await follow(client, answer, "next")
        assert numbers(answer) == [number]


async def test_a_link_leads_back_to_where_the_request_was_sent(client: httpx.AsyncClient) -> None:
    paging = (await client.get(EVENTS)).json()["paging"]
    for link in ("next", "previous"):
        url = urlsplit(paging[link])
        assert (url.scheme, url.netloc) == ("http", "api.test:8026")
        assert url.path.startswith(f"{EVENTS}/")


async def test_a_link_can_be_followed_by_its_path_or_its_query_alone(
    store: Store, client: httpx.AsyncClient
) -> None:
    await fill(store, 1, 2, 3)
    params = {"limit": "2", "ascending": "yes"}
    url = urlsplit((await client.get(EVENTS, params=params)).json()["paging"]["next"])
    assert numbers(await client.get(url.path)) == [3]
    page = dict(parse_qsl(url.query))
    assert numbers(await client.get(EVENTS, params={"ascending": "no"} | page)) == [3]


async def test_the_longest_filter_still_has_links_that_are_answered(
    store: Store, client: httpx.AsyncClient
) -> None:
    longest = ".".join(["d" * 62] * 4)
    await store.insert([row(document(1, id="é" * 128), longest)])
    params = {"subject": f"NOT {'é' * 748}", "ascending": "yes"}
    answer = await client.get(f"/v3/{longest}/events", params=params)
    assert len(answer.json()["items"]) == 1
    assert numbers(await follow(client, answer, "next")) == []


DELIVERED: dict[str, Any] = {
    "event": "failed",
    "severity": "permanent",
    "tags": ["Newsletter"],
    "mailing_list": {"address": "list@example.com"},
    "message": {
        "headers": {
            "from": "Ann <ann@example.com>",
            "to": "bob@example.com, eve@example.com",
            "subject": "Hello World",
            "message-id": "20261121.1@news.example",
        },
        "attachments": [{"filename": "report.pdf"}],
        "recipients": ["bob@example.com", "eve@example.com"],
        "size": 15_000,
    },
    "recipient": "bob@example.com",
}


@pytest.mark.parametrize(
    ("field", "found", "missed"),
    [
        ("event", "rejected OR failed", "NOT failed"),
        ("list", "list@example.com", "other@example.com"),
        ("attachment", "report.pdf", "report"),
        ("from", "ann@example.com", "bob@example.com"),
        ("message-id", "<20261121.1@news.example>", "1@news.example"),
        ("subject", '"hello world"', '"world hello"'),
        ("to", "eve@example.com AND bob@example.com", "ann@example.com"),
        ("size", ">10000 <20000", ">15000"),
        ("recipient", "Bob@Example.com", "eve@example.com"),
        ("recipients", "eve@example.com", "ann@example.com"),
        ("tags", "newsletter NOT sale", "news"),
        ("severity", "permanent", "temporary"),
    ],
)
async def test_every_filter_field_finds_and_passes_by(
    store: Store, client: httpx.AsyncClient, field: str, found: str, missed: str
) -> None:
    await store.insert([row(document(1, **DELIVERED))])
    assert numbers(await client.get(EVENTS, params={field: found})) == [1]
    assert numbers(await client.get(EVENTS, params={field: missed})) == []


@pytest.mark.parametrize("field", ["list", "attachment", "from", "subject", "to", "size", "tags"])
async def test_what_an_event_lacks_it_does_not_contain(
    store: Store, client: httpx.AsyncClient, field: str
) -> None:
    await fill(store, 1)
    assert numbers(await client.get(EVENTS, params={field: "NOT 5"})) == [1]


async def test_a_field_given_twice_must_meet_both(store: Store, client: httpx.AsyncClient) -> None:
    await store.insert([row(document(1, tags=["a", "b"])), row(document(2, tags=["a"]))])
    assert numbers(await client.get(f"{EVENTS}?tags=a&tags=b")) == [1]


@pytest.mark.parametrize(
    "query",
    [
        "begin=1&end=2&ascending=no",
        "begin=1",
        "limit=301",
        "subject=(",
        "tags=a&tags=%22",
        "colour=blue",
    ],
)
async def test_a_wrong_request_is_told_so_in_mailguns_form(
    client: httpx.AsyncClient, query: str
) -> None:
    answer = await client.get(f"{EVENTS}?{query}")
    assert answer.status_code == 400
    assert list(answer.json()) == ["message"]


@pytest.mark.parametrize("path", [EVENTS, "/v1/events/feed", "/v1/events/feed?after=now"])
async def test_a_store_that_breaks_answers_503_and_when_to_come_again(
    store: Store, client: httpx.AsyncClient, path: str
) -> None:
    for table in ("event", "ingested"):
        await changed(store, f"DROP TABLE {table}")
    answer = await client.get(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert re.match(
        "the store can't answer: (no such table|relation .* does not exist)",
        answer.json()["message"],
    )


LISTING = Listing(0, LATEST, ascending=True, limit=10, filters=(("tags", "a OR b"),))
cursors = st.builds(
    Cursor,
    listing=st.just(LISTING),
    back=st.booleans(),
    place=st.none()
    | st.tuples(
        st.integers(0, LATEST),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=128),
    ),
    inclusive=st.booleans(),
)


@given(cursors)
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert opened(sealed(cursor)) == cursor


@given(cursors.filter(lambda cursor: cursor.place is not None))
def test_an_empty_page_is_left_the_way_it_was_reached(cursor: Cursor) -> None:
    onward, backward = cursor.around([])
    there = backward if cursor.back else onward
    assert there == cursor


def altered(**fields: Any) -> str:
    return sealed(Cursor(msgspec.structs.replace(LISTING, **fields)))


@pytest.mark.parametrize(
    "page",
    [
        "x",
        "W3siY",
        "%00",
        "é",
        "=" * 100,
        base64_encode(b"\xc1").decode(),
        base64_encode(b"\x90").decode(),
        base64_encode(b"\x93" * 5000).decode(),
        base64_encode(msgspec.msgpack.encode([[1, 2]])).decode(),
        sealed(Cursor(LISTING)) + "AAAA",
        altered(limit=0),
        altered(limit=301),
        altered(limit=1 << 62),
        altered(low=-1),
        altered(high=LATEST + 1),
        altered(filters=(("tags", "("),)),
        altered(filters=(("colour", "blue"),)),
        sealed(Cursor(LISTING, place=(1 << 62, "x"))),
        sealed(Cursor(LISTING, place=(1, "x" * 129))),
    ],
)
async def test_a_link_that_was_tampered_with_is_refused(
    client: httpx.AsyncClient, page: str
) -> None:
    answer = await client.get(f"{EVENTS}/{page}")
    assert answer.status_code in {400, 414}
    assert list(answer.json()) == ["message"]


@given(st.binary())
def test_bytes_that_are_no_cursor_are_refused(content: bytes) -> None:
    with pytest.raises(Refused, match="there is no such page"):
        opened(base64_encode(content).decode())
