import base64
import stat
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request

from tests.tracker.api.caller import KEY
from tracker.api.access import Authenticated
from tracker.api.answer import Answer, Refused, answered, refusal
from tracker.api.app import api
from tracker.api.keyfile import KeyFileError, read_keys
from tracker.api.keys import ApiKeys
from tracker.api.operation import Operation, routes
from tracker.api.rate import Rates
from tracker.health import Health
from tracker.store.database import Store

pytestmark = pytest.mark.anyio

EVENTS = "/v3/news.example/events"


def basic(credentials: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}


@pytest.fixture
async def stranger(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@pytest.mark.parametrize("key", [KEY, "an older key"])
async def test_each_key_opens_the_api(stranger: httpx.AsyncClient, key: str) -> None:
    assert (await stranger.get(EVENTS, headers=basic(f"api:{key}"))).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("api:"),
        basic("api:wrong"),
        basic(f"api:{KEY} "),
        basic(f"admin:{KEY}"),
        basic(KEY),
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!!"},
        {"Authorization": "Basic /w=="},
        {"Authorization": "Basic " + "A" * 10_000},
    ],
)
async def test_without_a_key_there_is_nothing_to_see(
    stranger: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for path in (EVENTS, "/v1/events/feed", "/nowhere", "/healthz/", "/"):
        answer = await stranger.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert list(answer.json()) == ["message"]


async def test_health_and_figures_need_no_key(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/healthz")).json() == {"status": "ok"}
    ready = await stranger.get("/readyz")
    assert ready.json() == {"status": "ok", "checks": {"edge": "2 edge workers alive"}}
    metrics = await stranger.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert metrics.content == b"tracker_hits_total 3\n"


@pytest.mark.parametrize(
    ("state", "status"),
    [(Health("ok", {}), 200), (Health("degraded", {}), 200), (Health("down", {}), 503)],
)
async def test_readiness_fails_only_when_the_work_is_not_done(
    stranger: httpx.AsyncClient, health: dict[str, Health], state: Health, status: int
) -> None:
    health["now"] = state
    assert (await stranger.get("/readyz")).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v3/news.example/events/", 404),
        ("POST", EVENTS, 405),
        ("DELETE", "/v1/events/feed", 405),
        ("GET", f"{EVENTS}?subject={'a' * 9000}", 414),
        ("GET", f"/{'a' * 9000}", 414),
    ],
)
async def test_an_error_has_mailguns_form_and_gives_nothing_away(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert list(answer.json()) == ["message"]


async def test_a_wrong_path_or_method_is_told_what_would_be_right(
    client: httpx.AsyncClient,
) -> None:
    path = await client.get("/v3/news.example/evnts")
    assert "/openapi.json tells of those that there are" in path.json()["message"]
    method = await client.delete("/v1/events/feed")
    assert method.json()["message"].startswith("DELETE isn't for this path: ")
    assert "GET" in method.json()["message"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/v1/events/feed?form=1", "there is no parameter `form`; there are after, limit, wait"),
        ("/v1/news.example/report?tags=sale", "there is no parameter `tags`; there are start, "),
        ("/v1/certificates?name=a", "there is no parameter `name`; this takes none"),
        ("/v1/events/feed?limit=1&limit=2", "`limit` is given more than once, and taken once"),
        ("/v3/a.example/tags?limit=1&limit=2", "`limit` is given more than once, and taken once"),
        ("/v3/a.example/unsubscribes?term=a&term=b", "`term` is given more than once"),
        ("/v3/a.example/stats/total?event=opened&end=1&end=2", "`end` is given more than once"),
        ("/v3/a.example/tag?tag=a&tag=b", "`tag` is given more than once, and taken once"),
    ],
)
async def test_a_parameter_that_would_be_passed_over_is_named(
    client: httpx.AsyncClient, path: str, sentence: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(sentence)


async def test_mailguns_paths_pass_by_what_they_do_not_know(client: httpx.AsyncClient) -> None:
    path = "/v3/a.example/stats/total?event=opened&event=clicked&pretty=1&pretty=2"
    assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("domain", ["%20", "a%20b", "a..example", "@", "*", "a%2Cexample"])
@pytest.mark.parametrize(
    "path", ["/v3/{}/events", "/v3/{}/tags", "/v3/domains/{}/tracking", "/v1/{}/events/export"]
)
async def test_what_no_domain_is_called_is_not_found(
    client: httpx.AsyncClient, domain: str, path: str
) -> None:
    answer = await client.get(path.format(domain))
    found = {"message": f"Domain not found: {unquote(domain)}"}
    assert (answer.status_code, answer.json()) == (404, found)


@pytest.mark.parametrize("domain", ["mail.example", "MAIL.example", "b%C3%BCcher.example", "a_b"])
async def test_a_domain_that_nothing_came_from_yet_has_an_empty_page(
    client: httpx.AsyncClient, domain: str
) -> None:
    assert (await client.get(f"/v3/{domain}/events")).json()["items"] == []


async def reading(request: Request) -> Answer:
    return answered(len(await request.body()))


async def refused(_request: Request, error: Exception) -> Answer:
    assert isinstance(error, Refused)
    return refusal(error.message, error.status)


async def test_a_body_is_refused_once_it_is_larger_than_its_endpoint_needs() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"x" * 1000,) * 11:
            yield piece

    app = Starlette(
        routes=routes([Operation("POST", "/", reading, "write", "Read a body", most=10_000)]),
        middleware=[Middleware(Authenticated, keys=ApiKeys.of(KEY), rates=Rates(), open_paths=())],
        exception_handlers={Refused: refused},
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        ask = partial(client.post, "/", headers=basic(f"api:{KEY}"))
        large = await ask(content=b"x" * 10_001)
        endless = await ask(content=pieces())
        fitting = await ask(content=b"x" * 10_000)
    assert (large.status_code, endless.status_code, fitting.content) == (413, 413, b"10000")


async def test_a_defect_shows_no_traceback(store: Store) -> None:
    async def broken() -> Health:
        raise RuntimeError("a secret")

    app = api(store, ApiKeys.of(KEY), broken, bytes)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 500
    assert answer.json() == {"message": "Internal Server Error"}
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", EVENTS, f"{EVENTS}?limit=0"])
async def test_nothing_is_cached_framed_or_run(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"


def test_the_first_start_makes_a_private_key_that_stays(tmp_path: Path) -> None:
    path = tmp_path / "api.key"
    (key,) = read_keys(path)
    assert len(key) >= 43  # 32 random bytes
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert read_keys(path) == [key]


def test_no_key_is_kept_readable_in_memory(tmp_path: Path) -> None:
    (key,) = read_keys(tmp_path / "api.key")
    assert key not in repr(ApiKeys.load(tmp_path / "api.key"))


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"", 0o600, "holds no key: remove it to get a new one"),
        (b" \n", 0o600, "holds no key: remove it to get a new one"),
        (b"\xff\xfe", 0o600, "is not a text of one key a line"),
        (b"key\n", 0o644, "run 'chmod 600"),
        (b"key\n", 0o640, "run 'chmod 600"),
    ],
)
def test_a_key_file_that_cannot_be_used_says_why(
    tmp_path: Path, content: bytes, mode: int, says: str
) -> None:
    path = tmp_path / "api.key"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(KeyFileError) as refusal:
        read_keys(path)
    assert str(path) in str(refusal.value)
    assert says in str(refusal.value)


def test_a_key_file_in_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"No such file or directory$"):
        read_keys(tmp_path / "gone" / "api.key")
