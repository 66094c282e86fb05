"""Mail that is posted to be rewritten gets what is registered for its sending domain."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from rewriter.keyring import Keyring
from tests.tracker.api.caller import calling, serving
from tracker.domains import OpenTracking, SendingDomain, Snapshot, TrackingDomain
from tracker.published import FILE, publish
from tracker.store.database import Store

pytestmark = pytest.mark.anyio

MAIL = {"Content-Type": "message/rfc822"}
PAGE = {"Content-Type": "text/html"}
LINK = b'<a href="https://example.org/">x</a>'
MESSAGE = b"From: a@%s\nTo: ann@example.net\nContent-Type: text/html\n\n" + LINK + b"\n"
OURS = MESSAGE % b"example.com"
CLICK = TrackingDomain("click.example.com", "example.com")
REGISTER = Snapshot(
    tracking={CLICK.name: CLICK},
    sending={"example.com": SendingDomain("example.com", CLICK.name, OpenTracking(active=False))},
)


@pytest.fixture
async def client(store: Store, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    Keyring.new().save(tmp_path / "keyring.json")
    app = serving(store, keyring=tmp_path / "keyring.json", published=tmp_path / FILE)
    async with calling(app) as client:
        yield client


async def test_links_lead_to_the_registered_domain_and_what_is_off_stays_off(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    publish(tmp_path / FILE, REGISTER)
    answer = await client.post("/v1/rewrite", content=OURS, headers=MAIL)
    assert b'href="http://click.example.com/c/' in answer.content
    assert b"/o/" not in answer.content
    on = await client.post("/v1/rewrite?opens=yes", content=OURS, headers=MAIL)
    assert b"http://click.example.com/o/" in on.content
    page = await client.post("/v1/rewrite?sending_domain=example.com", content=LINK, headers=PAGE)
    assert b'href="http://click.example.com/c/' in page.content


async def test_a_change_is_obeyed_at_once(client: httpx.AsyncClient, tmp_path: Path) -> None:
    where = "/v1/rewrite?tracking_url=https://click.example.com"
    assert b"/o/" in (await client.post(where, content=OURS, headers=MAIL)).content
    publish(tmp_path / FILE, REGISTER)
    assert b"/o/" not in (await client.post(where, content=OURS, headers=MAIL)).content


async def test_mail_of_a_domain_that_is_not_registered_comes_back_as_it_came(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    publish(tmp_path / FILE, REGISTER)
    other = MESSAGE % b"example.net"
    answer = await client.post("/v1/rewrite", content=other, headers=MAIL)
    assert (answer.status_code, answer.content) == (200, other)
    assert answer.headers["rewriter-notices"] == "no-tracking-domain"
    strict = await client.post("/v1/rewrite?strict=yes", content=other, headers=MAIL)
    assert strict.status_code == 422
    assert "no tracking domain" in strict.json()["message"]


@pytest.mark.parametrize("name", ["settings", "keyring"])
async def test_no_file_of_the_office_can_be_named(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post(f"/v1/rewrite?{name}=/etc/passwd", content=OURS, headers=MAIL)
    assert answer.status_code == 400
    assert f"{name}: it can't be chosen" in answer.json()["message"]


async def test_without_a_register_a_request_must_say_where_links_lead(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/v1/rewrite", content=OURS, headers=MAIL)
    assert answer.status_code == 400
    assert "tracking_url: it is needed" in answer.json()["message"]
