"""Texts that no database takes: refused in every place of every route, and said where they are."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers.stores import only_sqlite
from tests.tracker.api.caller import calling, serving
from tests.tracker.store.documents import DOMAIN
from tracker.api.listing import Listing
from tracker.api.paging import Cursor, sealed
from tracker.nul import place_of_nul
from tracker.store.database import Store
from tracker.webhooks.client import Client

pytestmark = pytest.mark.anyio

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data; boundary=x"

# What a good body holds, of every operation that takes one; `/v1/rewrite` takes bytes.
URL: Final = {"url": "https://example.com/"}
FORMS: Final[dict[str, dict[str, str]]] = {
    "PUT /v3/{domain}/tags/{tag}": {"description": "x"},
    "PUT /v3/{domain}/tag": {"description": "x"},
    "POST /v3/{domain}/unsubscribes": {"address": "a@b.c", "tag": "x", "created_at": "1"},
    "POST /v3/{domain}/unsubscribes/import": {"file": "address,tags\na@b.c,x"},
    "PUT /v3/domains/{domain}/tracking/open": {"active": "yes", "place_at_the_top": "no"},
    "PUT /v3/domains/{domain}/tracking/click": {"active": "yes"},
    "PUT /v3/domains/{domain}/tracking/unsubscribe": {
        "active": "yes",
        "html_footer": "%unsubscribe_url%",
        "text_footer": "%unsubscribe_url%",
    },
    "PUT /v3/domains/{domain}/web_prefix": {"web_prefix": "click"},
    "PUT /v3/domains/{domain}/web_scheme": {"web_scheme": "http"},
    "POST /v3/domains/{domain}/webhooks": {"id": "opened", **URL},
    "PUT /v3/domains/{domain}/webhooks/{name}": URL,
    "PUT /v3/domains/{domain}/webhooks/{name}/test": URL,
    "PUT /v1/{domain}/webhooks/{name}": {"batch": "1", "revisions": "no"},
    "POST /v1/{domain}/webhook-key": {"overlap": "1"},
    "POST /v1/webhook-key": {"overlap": "1"},
}
JSONS: Final[dict[str, Any]] = {
    "POST /v3/{domain}/unsubscribes": [{"address": "a@b.c", "tags": ["x"], "created_at": "1"}],
    "POST /v1/{domain}/suppressed": {"addresses": ["a@b.c"], "tags": ["x"]},
    "PUT /v1/tracking-domains/{name}": {
        "sending_domain": "x.example",
        "app_site_association": "{}",
        "asset_links": "[]",
    },
    "PUT /v1/sending-domains/{domain}": {"tracking_domain": "x.example"},
    "POST /v1/{domain}/events": {
        "event": "delivered",
        "timestamp": 1,
        "id": "1",
        "recipient": "a@b.c",
        "tags": ["x"],
        "geolocation": {"country": "DE"},
        "message": {"headers": {"subject": "x"}},
        "user-variables": {"x": {"y": ["z"]}},
    },
}
PATHS: Final = {"domain": DOMAIN, "tag": "sale", "name": "opened", "number": "1", "page": "x"}


def path(operation: str, **others: str) -> str:
    """Return a path of an operation, with what is named instead of what would be right."""
    name = operation.partition(" ")[2]
    given = {"address": "a@b.c", "list": "devices"} | PATHS | others
    for each, value in given.items():
        name = name.replace(f"{{{each}}}", quote(value, safe=""))
    return f"{name}?tag=sale" if name.endswith("/tag") else name


def spoilt(value: Any, place: str = "$") -> Iterator[tuple[str, Any]]:
    """Yield where a text stands in a value, and the value with a NUL behind it."""
    if isinstance(value, str):
        yield place, f"{value}\0"
    elif isinstance(value, list):
        for index, each in enumerate(value):
            for its, bad in spoilt(each, f"{place}[{index}]"):
                yield its, [*value[:index], bad, *value[index + 1 :]]
    elif isinstance(value, dict):
        for name, each in value.items():
            for its, bad in spoilt(each, f"{place}.{name}"):
                yield its, value | {name: bad}


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    webhooks = Client()
    async with calling(serving(store, webhooks=webhooks)) as client:
        yield client
    await webhooks.close()


@pytest.fixture
async def described(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """Return every operation as the API describes it, by its method and path."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


@only_sqlite
async def test_no_route_with_a_body_is_left_out_here(described: dict[str, dict[str, Any]]) -> None:
    takes = {
        name: one["requestBody"]["content"]
        for name, one in described.items()
        if "requestBody" in one
    }
    assert set(takes) == {*FORMS, *JSONS}
    assert {name for name, types in takes.items() if JSON in types} == set(JSONS)


async def test_a_nul_in_a_form_is_refused_by_the_name_of_its_field(
    client: httpx.AsyncClient,
) -> None:
    for name, form in FORMS.items():
        for field, value in form.items():
            answer = await client.request(
                name.split()[0], path(name), data=form | {field: f"{value}\0"}
            )
            assert answer.status_code == 400, (name, field, answer.text)
            assert f"`{field}` holds a NUL" in answer.json()["message"]


async def test_a_nul_in_json_is_refused_with_its_place(client: httpx.AsyncClient) -> None:
    for name, value in JSONS.items():
        for place, bad in spoilt(value):
            answer = await client.request(name.split()[0], path(name), json=bad)
            assert answer.status_code == 400, (name, place, answer.text)
            assert "NUL character" in answer.json()["message"]
            assert f"at `{place}`" in answer.json()["message"]


@only_sqlite
async def test_a_nul_in_a_url_is_refused_by_every_operation(
    client: httpx.AsyncClient, described: dict[str, dict[str, Any]]
) -> None:
    for name, operation in described.items():
        for one in operation.get("parameters", ())[-1:]:
            where = path(name, **{one["name"]: "x\0"}) if one["in"] == "path" else path(name)
            query = {one["name"]: "x\0"} if one["in"] == "query" else None
            answer = await client.request(name.split()[0], where, params=query)
            assert answer.status_code == 400, (name, answer.text)
            assert "NUL character (%00)" in answer.json()["message"]


PART = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n--x--'


@only_sqlite
@pytest.mark.parametrize(
    ("media", "body"),
    [(FORM, "{}=%ff"), (FORM, "%ff={}"), (MULTIPART, PART.format("{}", "\xff"))],
)
async def test_a_field_that_isnt_text_is_refused(
    client: httpx.AsyncClient, media: str, body: str
) -> None:
    content = body.format("description").encode("latin-1")
    answer = await client.put(
        f"/v3/{DOMAIN}/tags/sale", content=content, headers={"Content-Type": media}
    )
    assert answer.status_code == 400
    assert "should be text in UTF-8" in answer.json()["message"]


@only_sqlite
async def test_json_that_isnt_text_is_refused_and_no_fault_of_ours(
    client: httpx.AsyncClient,
) -> None:
    for name in JSONS:
        for body in (b'{"addresses":["\xff"],"event":"\xff"}', rb'["\ud800x"]'):
            answer = await client.request(
                name.split()[0], path(name), content=body, headers={"Content-Type": JSON}
            )
            assert answer.status_code == 400, (name, body, answer.text)


@only_sqlite
async def test_json_that_isnt_there_is_asked_for(client: httpx.AsyncClient) -> None:
    for name in set(JSONS) - {"POST /v1/{domain}/events"}:  # which may come as lines
        answer = await client.request(name.split()[0], path(name), headers={"Content-Type": JSON})
        assert answer.status_code == 400
        assert "it is empty, and should be JSON" in answer.json()["message"]


async def test_a_cursor_of_ones_own_making_is_refused_like_any_other(
    client: httpx.AsyncClient,
) -> None:
    forged = sealed(Cursor(Listing(0, 1, True, 1, ()), place=(1, "a\0b")))
    answer = await client.get(f"/v3/{DOMAIN}/events/{forged}")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("there is no such page")


TEXT = st.text("ab\0$.[", max_size=4)
PLAIN = st.text("ab$.[", max_size=4)


def json_of(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    leaf = st.one_of(text, st.integers(), st.none())
    return st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=8,
    )


@settings(max_examples=50)
@given(json_of(TEXT))
def test_a_nul_is_found_wherever_it_is_in_a_value_and_nowhere_else(value: Any) -> None:
    assert (place_of_nul(value) is not None) == ("\\x00" in repr(value))


@settings(max_examples=50)
@given(json_of(PLAIN).flatmap(lambda value: st.sampled_from([None, *spoilt(value)])))
def test_the_place_of_a_nul_is_where_it_stands(found: tuple[str, Any] | None) -> None:
    if found:
        assert place_of_nul(found[1]) == found[0]
