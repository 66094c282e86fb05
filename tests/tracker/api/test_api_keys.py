from functools import partial
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from tests.openapi.live import live
from tests.servers.stores import only_sqlite
from tracker.api import rate
from tracker.api.answer import Refused
from tracker.api.app import api
from tracker.api.grant import OPENS, Grant, Need
from tracker.api.keys import ApiKeys, fresh
from tracker.api.rate import BURST, Rates
from tracker.health import Health
from tracker.store.access import KeyRecords, Scope
from tracker.store.database import Store

pytestmark = pytest.mark.anyio

NOW = 1_790_000_000


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(store: Store) -> KeyRecords:
    return KeyRecords(store)


@pytest.fixture
def keys(records: KeyRecords, clock: Clock) -> ApiKeys:
    return ApiKeys((), records, clock)


async def test_a_key_opens_what_it_was_made_for(keys: ApiKeys, records: KeyRecords) -> None:
    key, record = fresh("dashboard", "read", ["news.example"], NOW)
    await records.add(record)
    assert await keys.grant(key) == Grant(record.id, "read", frozenset({"news.example"}))
    assert await keys.grant(key + "x") is None
    assert key.encode() not in record.digest
    assert len(key) >= 43  # 32 random bytes


async def test_a_revoked_key_opens_nothing_a_second_later(
    keys: ApiKeys, records: KeyRecords, clock: Clock
) -> None:
    key, record = fresh("leaked", "write", (), NOW)
    await records.add(record)
    assert await keys.grant(key)
    assert await records.revoke(record.id, NOW)
    assert not await records.revoke(record.id, NOW), "it is revoked once"
    clock.now += 1
    assert await keys.grant(key) is None


async def test_a_key_ends_when_it_was_said_to(
    keys: ApiKeys, records: KeyRecords, clock: Clock
) -> None:
    key, record = fresh("trial", "read", (), NOW, expires_at=NOW + 60)
    await records.add(record)
    assert await keys.grant(key)
    clock.now = NOW + 60
    assert await keys.grant(key) is None


@only_sqlite
async def test_known_keys_open_while_the_store_is_away(
    keys: ApiKeys, records: KeyRecords, store: Store, clock: Clock, tmp_path: Path
) -> None:
    key, record = fresh("dashboard", "read", (), NOW)
    await records.add(record)
    assert await keys.grant(key)
    await store.close()
    (tmp_path / "store.db").unlink()
    (tmp_path / "store.db").mkdir()
    clock.now += 60
    assert await keys.grant(key)


async def test_when_a_key_was_last_used_is_written_down(
    keys: ApiKeys, records: KeyRecords, clock: Clock
) -> None:
    key, record = fresh("dashboard", "read", (), NOW)
    await records.add(record)
    clock.now += 30
    await keys.grant(key)
    await keys.note_use()
    (kept,) = await records.all()
    assert kept.used_at == NOW + 30


@pytest.mark.parametrize(
    ("scope", "need", "opens"),
    [
        ("read", "read", True),
        ("read", "ask", True),
        ("read", "write", False),
        ("read", "rewrite", False),
        ("send", "rewrite", True),
        ("send", "ask", True),
        ("send", "read", False),
        ("send", "write", False),
        *(("write", need, True) for need in OPENS["write"]),
    ],
)
def test_a_scope_opens_its_own_operations(scope: Scope, need: Need, opens: bool) -> None:
    grant = Grant("id", scope)
    if opens:
        grant.check(need, "news.example")
    else:
        with pytest.raises(Refused, match=f"this key is for {scope}") as refusal:
            grant.check(need, "news.example")
        assert refusal.value.status == 403


@pytest.mark.parametrize("domain", ["shop.example", "sub.news.example", None])
def test_a_key_of_one_domain_opens_no_other(domain: str | None) -> None:
    grant = Grant("id", "write", frozenset({"news.example"}))
    grant.check("write", "News.Example")
    with pytest.raises(Refused, match=r"this key is for news\.example"):
        grant.check("write", domain)


async def test_the_api_holds_a_request_to_its_key(records: KeyRecords, store: Store) -> None:
    reader, record = fresh("dashboard", "read", ["news.example"], NOW)
    await records.add(record)
    async with _client(_app(store, records), reader) as client:
        theirs = await client.get("/v3/news.example/events")
        others = await client.get("/v3/shop.example/events")
        everything = await client.get("/v1/audit")
    assert [answer.status_code for answer in (theirs, others, everything)] == [200, 403, 403]
    assert others.json() == {
        "message": "this key is for news.example, and the request is about shop.example"
    }


async def test_a_key_that_asks_too_often_is_told_when_to_ask_again(
    records: KeyRecords, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty, calm = fresh("hasty", "read", (), NOW), fresh("calm", "read", (), NOW)
    for _, record in (hasty, calm):
        await records.add(record)
    monkeypatch.setattr(rate, "BURST", 1_000)  # seconds: on a slow machine, too, none comes back
    app = _app(store, records, a_second=0.002)
    async with _client(app, hasty[0]) as client, _client(app, calm[0]) as other:
        answers = [await client.get("/v1/events/feed") for _ in range(3)]
        unhindered = await other.get("/v1/events/feed")
    assert [answer.status_code for answer in (*answers, unhindered)] == [200, 200, 429, 200]
    assert 400 < int(answers[2].headers["retry-after"]) <= 500
    assert "more than 0.002 requests a second" in answers[2].json()["message"]


def test_a_rate_holds_over_any_time(clock: Clock) -> None:
    rates = Rates(10, clock)
    taken = 0
    for _ in range(200):
        taken += rates.take("key") == 0
        clock.now += 0.05
    assert 10 * 10 <= taken <= 10 * (10 + BURST) + 1


def _app(store: Store, records: KeyRecords, a_second: float = 0) -> Starlette:
    async def well() -> Health:
        return Health("ok", {})

    return api(store, ApiKeys((), records), well, bytes, rate=a_second)


def _client(app: Starlette, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api.test", auth=("api", key)
    )


MAIL = b'From: news@{}\r\nContent-Type: text/html\r\n\r\n<a href="https://example.com/">x</a>\r\n'


async def test_a_machine_that_sends_for_one_domain_signs_its_mail_alone(tmp_path: Path) -> None:
    where = {"tracking_url": "https://click.example"}
    headers = {"content-type": "message/rfc822"}
    async with (
        live(tmp_path, events=0) as api,
        api.client(await api.key_for("send", "news.example")) as client,
    ):
        ask = partial(client.post, "/v1/rewrite", params=where, headers=headers)
        own, others, nobodys = [
            await ask(content=MAIL.replace(b"{}", domain))
            for domain in (b"News.Example", b"shop.example", b"")
        ]
        events = await client.get("/v3/news.example/events")
    assert own.status_code == 200
    assert b"https://click.example/c/" in own.content
    assert [answer.status_code for answer in (others, nobodys, events)] == [403, 403, 403]
    assert "is about shop.example" in others.json()["message"]
