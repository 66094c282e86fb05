"""Tracking settings as Mailgun's users know them, and the register of domains over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from tests.tracker.api.caller import calling, scoped, serving
from tracker.domains import HTML_FOOTER, TEXT_FOOTER, Snapshot, TrackingDomain
from tracker.store.audit import Audit
from tracker.store.database import Store
from tracker.store.domains import Domains

pytestmark = pytest.mark.anyio

TRACKING = "/v3/domains/example.com/tracking"
UPDATED = "Domain tracking settings have been updated"


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(serving(store)) as client:
        yield client


async def test_a_domain_that_nothing_was_set_for_has_mailgun_s_frame_and_footers(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get(TRACKING)
    assert answer.json() == {
        "tracking": {
            "open": {"active": True, "place_at_the_top": False},
            "click": {"active": "htmlonly"},
            "unsubscribe": {
                "active": False,
                "html_footer": HTML_FOOTER,
                "text_footer": TEXT_FOOTER,
            },
            "web_scheme": "http",
        }
    }


@pytest.mark.parametrize(
    ("kind", "form", "now"),
    [
        ("open", {"active": "no"}, {"active": False, "place_at_the_top": False}),
        ("open", {"place_at_the_top": "true"}, {"active": True, "place_at_the_top": True}),
        ("open", {"active": "yes", "skip_verification": "false"}, {"active": True}),
        ("click", {"active": "yes"}, {"active": True}),
        ("click", {"active": "false"}, {"active": False}),
        ("click", {"active": "htmlonly"}, {"active": "htmlonly"}),
        ("click", {}, {"active": "htmlonly"}),
        ("unsubscribe", {"active": "True"}, {"active": True, "html_footer": HTML_FOOTER}),
        ("unsubscribe", {"text_footer": "x"}, {"active": False, "text_footer": "x"}),
    ],
)
@pytest.mark.parametrize("multipart", [False, True])
async def test_each_switch_is_set_as_mailgun_s_clients_do(
    client: httpx.AsyncClient,
    kind: str,
    form: dict[str, str],
    now: dict[str, Any],
    multipart: bool,
) -> None:
    url = f"{TRACKING}/{kind}"
    parts = {name: (None, text) for name, text in (form or {"x": ""}).items()}
    answer = await (client.put(url, files=parts) if multipart else client.put(url, data=form))
    if not form and not multipart:
        assert answer.status_code == 415  # no form at all
        return
    assert answer.status_code == 200
    assert answer.json()["message"] == UPDATED
    assert answer.json()[kind].items() >= now.items()
    settings = (await client.get(TRACKING)).json()["tracking"]
    assert settings[kind] == answer.json()[kind]


@pytest.mark.parametrize(
    ("path", "form", "says"),
    [
        ("tracking/open", {"active": "maybe"}, "active should be one of yes, true, no, false"),
        ("tracking/open", {"place_at_the_top": "1"}, "place_at_the_top should be one of"),
        ("tracking/unsubscribe", {"html_footer": "x" * 65_537}, "html_footer has 65537"),
        ("web_prefix", {"web_prefix": "a.b"}, "should be one label"),
        ("web_prefix", {"web_prefix": "a_b"}, "underscore"),
        ("web_prefix", {"other": "x"}, "should be one label"),
        ("web_scheme", {"web_scheme": "ftp"}, "should be one of http, https, auto"),
        ("web_scheme", {"web_scheme": "https"}, "no tracking domain yet"),
    ],
)
async def test_what_cannot_be_set_is_refused_in_mailgun_s_form(
    client: httpx.AsyncClient, path: str, form: dict[str, str], says: str
) -> None:
    answer = await client.put(f"/v3/domains/example.com/{path}", data=form)
    assert answer.status_code == 400
    assert says in answer.json()["message"]


async def test_a_web_prefix_registers_the_host_and_moves_the_links(
    client: httpx.AsyncClient, store: Store
) -> None:
    for prefix in ("email", "go", "go"):
        form = {"web_prefix": prefix}
        answer = await client.put("/v3/domains/example.com/web_prefix", data=form)
        assert answer.status_code == 200
    domains = Domains(store)
    assert (await domains.sending("example.com")).tracking_domain == "go.example.com"
    assert [one.name for one in await domains.tracking()] == ["email.example.com", "go.example.com"]
    scheme = {"web_scheme": "https"}
    await client.put("/v3/domains/example.com/web_scheme", data=scheme)
    assert (await client.get(TRACKING)).json()["tracking"]["web_scheme"] == "https"
    assert (await Audit(store).newest(1))[0].who == "key api.key"


async def test_another_sender_s_host_is_not_taken_by_a_prefix(
    client: httpx.AsyncClient, store: Store
) -> None:
    await Domains(store).add(TrackingDomain("go.example.com", "example.net"), who="ann")
    form = {"web_prefix": "go"}
    answer = await client.put("/v3/domains/example.com/web_prefix", data=form)
    assert answer.status_code == 409
    assert answer.json() == {"message": "go.example.com is the tracking domain of example.net"}


async def test_a_tracking_domain_is_put_changed_and_deleted(client: httpx.AsyncClient) -> None:
    url = "/v1/tracking-domains/Click.example.com"
    made = await client.put(url, json={"sending_domain": "Example.com"})
    assert (made.status_code, made.json()["name"]) == (201, "click.example.com")
    body = {"theme": {"accent": "#102030"}, "asset_links": "[]"}
    changed = await client.put(url, json=body)
    assert (changed.status_code, changed.json()["theme"]["accent"]) == (200, "#102030")
    assert (await client.get(url)).json() == changed.json()
    assert (await client.get("/v1/tracking-domains")).json() == {"items": [changed.json()]}
    assert (await client.delete(url)).status_code == 409
    leads = await client.put("/v1/sending-domains/example.com", json={"tracking_domain": ""})
    assert leads.json()["tracking_domain"] == ""
    assert (await client.delete(url)).status_code == 200
    assert (await client.get(url)).status_code == 404
    assert (await client.delete(url)).status_code == 404


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("click.example.com", b"{", "the body isn't what it should be"),
        ("click.example.com", b"\xff", "the body isn't what it should be"),
        ("click.example.com", b'{"web_schema": "http"}', "web_schema"),
        ("click.example.com", b'{"theme": {"accent": "red"}}', "written as"),
        ("click.example.com", b'{"asset_links": "{}"}', "not a list"),
        ("click.example.com", b'{"sending_domain": "a b"}', "is not a host name"),
        ("a_b.example.com", b"{}", "underscore"),
        ("192.0.2.1", b"{}", "is an address"),
    ],
)
async def test_a_tracking_domain_that_cannot_be_is_refused(
    client: httpx.AsyncClient, name: str, body: bytes, says: str
) -> None:
    answer = await client.put(f"/v1/tracking-domains/{name}", content=body)
    assert answer.status_code == 400
    assert says in answer.json()["message"]


async def test_links_lead_to_a_registered_domain_alone(client: httpx.AsyncClient) -> None:
    body = {"tracking_domain": "no.example.com"}
    answer = await client.put("/v1/sending-domains/example.com", json=body)
    assert answer.status_code == 400
    assert "isn't registered" in answer.json()["message"]


async def test_a_key_for_one_sender_sees_and_changes_what_is_theirs(
    client: httpx.AsyncClient, store: Store
) -> None:
    domains = Domains(store)
    await domains.add(TrackingDomain("click.example.com", "example.com"), who="ann")
    await domains.add(TrackingDomain("click.example.net", "example.net"), who="ann")
    auth = await scoped(store, "write", "example.com")
    theirs = "/v1/tracking-domains/click.example.com"
    other = "/v1/tracking-domains/click.example.net"
    items = (await client.get("/v1/tracking-domains", auth=auth)).json()["items"]
    assert [item["name"] for item in items] == ["click.example.com"]
    assert (await client.get(other, auth=auth)).status_code == 404
    assert (await client.delete(other, auth=auth)).status_code == 404
    refused = [
        await client.put(other, json={}, auth=auth),
        await client.put(other, json={"sending_domain": "example.com"}, auth=auth),
        await client.put(theirs, json={"sending_domain": "example.net"}, auth=auth),
        await client.put(theirs, json={"sending_domain": ""}, auth=auth),
        await client.put(
            "/v1/tracking-domains/go.example.org",
            json={"sending_domain": "example.com"},
            auth=auth,
        ),
        await client.put(
            "/v1/sending-domains/example.com",
            json={"tracking_domain": "click.example.net"},
            auth=auth,
        ),
        await client.get("/v3/domains/example.net/tracking", auth=auth),
    ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert (await client.put(theirs, json={"suspended": True}, auth=auth)).status_code == 200
    made = await client.put(
        "/v1/tracking-domains/go.example.com", json={"sending_domain": "example.com"}, auth=auth
    )
    assert made.status_code == 201


async def test_a_sending_machine_fetches_its_part_of_the_snapshot(
    client: httpx.AsyncClient, store: Store
) -> None:
    domains = Domains(store)
    await domains.add(TrackingDomain("shared.example", ""), who="ann")
    await domains.add(TrackingDomain("click.example.net", "example.net"), who="ann")
    await domains.change_sending("example.com", who="ann", tracking_domain="shared.example")
    auth = await scoped(store, "send", "example.com")
    answer = await client.get("/v1/domains/snapshot", auth=auth)
    part = msgspec.json.decode(answer.content, type=Snapshot)
    assert (list(part.tracking), list(part.sending)) == (["shared.example"], ["example.com"])
    whole = (await client.get("/v1/domains/snapshot")).content
    assert msgspec.json.decode(whole, type=Snapshot) == await domains.snapshot()
    form = {"active": "no"}
    answer = await client.put(f"{TRACKING}/open", data=form, auth=auth)
    assert answer.status_code == 403
