"""Webhooks over HTTP: in Mailgun's form, and beyond it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import standardwebhooks

from tests.patience import PATIENCE
from tests.servers.receiver import Receiver
from tests.tracker.api.caller import calling, scoped, serving
from tests.tracker.stats.happenings import DOMAIN, happened
from tests.tracker.webhooks.conftest import LOOPBACK
from tracker.store.audit import Audit
from tracker.store.database import Store
from tracker.store.webhook_intake import take_up
from tracker.store.webhook_keys import SigningKeys
from tracker.store.webhook_queue import Deliveries
from tracker.webhooks.client import Client
from tracker.webhooks.signature import mailgun_key

pytestmark = pytest.mark.anyio

HOOKS = f"/v3/domains/{DOMAIN}/webhooks"
OURS = f"/v1/{DOMAIN}"
URL = "http://127.0.0.1:8000/hook"
OTHER = "http://127.0.0.1:8000/other?secret=x"


@pytest.fixture
async def store(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Store]:
    shutil.copy(migrated_file, tmp_path / "store.db")
    store = await Store.open(tmp_path / "store.db", patience=PATIENCE)
    yield store
    await store.close()


@pytest.fixture
async def http(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        Client(LOOPBACK, within=PATIENCE) as client,
        calling(serving(store, webhooks=client)) as http,
    ):
        yield http


async def test_webhooks_are_created_listed_changed_and_deleted_as_mailgun_does(
    http: httpx.AsyncClient,
) -> None:
    created = await http.post(HOOKS, data={"id": "clicked", "url": [URL, OTHER]})
    assert created.json() == {
        "message": "Webhook has been created",
        "webhook": {"urls": [URL, OTHER]},
    }
    assert (await http.get(f"{HOOKS}/clicked")).json() == {"webhook": {"urls": [URL, OTHER]}}
    await http.post(HOOKS, files={"id": (None, "opened"), "url": (None, URL)})
    listed = (await http.get(HOOKS)).json()
    assert listed == {"webhooks": {"clicked": {"urls": [URL, OTHER]}, "opened": {"urls": [URL]}}}
    updated = await http.put(f"{HOOKS}/clicked", data={"url": OTHER})
    assert updated.json() == {
        "message": "Webhook has been updated",
        "webhook": {"urls": [OTHER]},
    }
    deleted = await http.delete(f"{HOOKS}/clicked")
    assert deleted.json() == {
        "message": "Webhook has been deleted",
        "webhook": {"urls": [OTHER]},
    }
    assert (await http.get(HOOKS)).json() == {"webhooks": {"opened": {"urls": [URL]}}}


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"id": "bounced", "url": URL}, "there is no webhook 'bounced': there are accepted, "),
        ({"url": URL}, "`id` should be given once"),
        ({"id": "opened"}, "`url` should be given once, or up to 3 times"),
        ({"id": "opened", "url": [f"{URL}/{n}" for n in range(4)]}, "or up to 3 times"),
        ({"id": "opened", "url": "ftp://app.example.com/"}, "`url`: a webhook should be a URL"),
        ({"id": "opened", "url": "http://a:b@127.0.0.1/"}, "user name or password"),
        ({"id": "opened", "url": "http://10.0.0.1/"}, "10.0.0.1 is a private address"),
        ({"id": "opened", "url": "http://169.254.169.254/latest"}, "a link-local address"),
    ],
)
async def test_what_is_wrong_is_said(
    http: httpx.AsyncClient, form: dict[str, str | list[str]], sentence: str
) -> None:
    answer = await http.post(HOOKS, data=form)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


async def test_a_kind_is_created_once_and_can_be_gone(http: httpx.AsyncClient) -> None:
    await http.post(HOOKS, data={"id": "opened", "url": URL})
    again = await http.post(HOOKS, data={"id": "opened", "url": URL})
    assert (again.status_code, again.json()["message"]) == (
        400,
        f"{DOMAIN} has a webhook for opened already: change it by PUT",
    )
    for method in ("GET", "DELETE"):
        missing = await http.request(method, f"{HOOKS}/clicked")
        assert missing.status_code == 404
        assert missing.json() == {"message": f"{DOMAIN} has no webhook for clicked"}


async def test_a_key_for_some_domains_sees_only_theirs(
    http: httpx.AsyncClient, store: Store
) -> None:
    theirs, others = await scoped(store, "write", DOMAIN), await scoped(store, "write", "b.example")
    reads = await scoped(store, "read", DOMAIN)
    assert (await http.post(HOOKS, data={"id": "opened", "url": URL}, auth=theirs)).is_success
    for path in (HOOKS, f"{OURS}/webhooks", f"{OURS}/webhook-deliveries", f"{OURS}/webhook-key"):
        assert (await http.get(path, auth=others)).status_code == 403
        assert (await http.get(path, auth=theirs)).status_code == 200
    assert (await http.get("/v1/webhook-key", auth=theirs)).status_code == 403
    assert (await http.get(HOOKS, auth=reads)).status_code == 200
    assert (await http.get(f"{OURS}/webhook-key", auth=reads)).status_code == 403
    assert (await http.delete(f"{HOOKS}/opened", auth=reads)).status_code == 403


async def test_who_changed_what_is_in_the_audit_log_without_secrets(
    http: httpx.AsyncClient, store: Store
) -> None:
    await http.post(HOOKS, data={"id": "opened", "url": OTHER})
    await http.put(f"{OURS}/webhooks/opened", data={"batch": "10"})
    await http.delete(f"{HOOKS}/opened")
    shown = (await http.get(f"{OURS}/webhook-key")).json()
    entries = await Audit(store).newest(10)
    assert [(one.action, one.who) for one in entries] == [
        ("webhook.key.show", "key api.key"),
        ("webhook.remove", "key api.key"),
        ("webhook.set", "key api.key"),
        ("webhook.add", "key api.key"),
    ]
    told = b"".join(bytes(one.before) + bytes(one.after) for one in entries).decode()
    assert "127.0.0.1:8000/other" in told
    for secret in ("secret=x", shown["secret"], shown["http_signing_key"]):
        assert secret not in told


async def test_a_test_event_is_posted_and_what_was_said_comes_back(
    http: httpx.AsyncClient, receiver: Receiver
) -> None:
    receiver.answers("/hook", 500)
    tested = await http.put(f"{HOOKS}/opened/test", data={"url": receiver.url("/hook")})
    assert tested.json() == {"code": 500, "message": "said with 500"}
    await http.post(HOOKS, data={"id": "clicked", "url": receiver.url("/clicked")})
    (tried,) = (await http.post(f"{OURS}/webhooks/clicked/test")).json()["tried"]
    assert (tried["status"], tried["said"]) == (200, "said with 200")
    secret = (await http.get("/v1/webhook-key")).json()["secret"]
    (posted,) = receiver.got("/clicked")
    body = standardwebhooks.Webhook(secret).verify(posted.body, dict(posted.headers))
    assert body["event-data"]["flags"] == {"is-test-mode": True}


async def test_options_are_ours_and_are_kept_when_mailgun_s_form_changes_urls(
    http: httpx.AsyncClient,
) -> None:
    await http.post(HOOKS, data={"id": "opened", "url": URL})
    changed = await http.put(f"{OURS}/webhooks/opened", data={"batch": "50", "revisions": "yes"})
    assert changed.json() == {"urls": [URL], "batch": 50, "revisions": True}
    await http.put(f"{HOOKS}/opened", data={"url": OTHER})
    (one,) = (await http.get(f"{OURS}/webhooks")).json()["webhooks"]
    assert one == {
        "kind": "opened",
        "url": OTHER,
        "batch": 50,
        "revisions": True,
        "failing_since": None,
        "trouble": "",
        "waiting": 0,
    }


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"batch": "0"}, "`batch` is a number from 1 to 500"),
        ({"revisions": "often"}, "revisions should be one of yes, true, no, false"),
        ({"size": "5"}, "there is no field `size`"),
    ],
)
async def test_a_wrong_option_is_refused(
    http: httpx.AsyncClient, form: dict[str, str], sentence: str
) -> None:
    await http.post(HOOKS, data={"id": "opened", "url": URL})
    answer = await http.put(f"{OURS}/webhooks/opened", data=form)
    assert (answer.status_code, sentence in answer.json()["message"]) == (400, True)


async def test_history_is_paged_and_filtered_and_a_delivery_begins_anew(
    http: httpx.AsyncClient, store: Store
) -> None:
    await http.post(HOOKS, data={"id": "opened", "url": URL})
    await store.insert([happened("opened", number=number) for number in range(5)])
    queue = Deliveries(store)
    await take_up(store, 1)
    assert await queue.give_up(2) == 5
    path = f"{OURS}/webhook-deliveries"
    page = (await http.get(path, params={"limit": 3, "state": "failed"})).json()
    assert [one["kind"] for one in page["deliveries"]] == ["opened"] * 3
    older = (await http.get(path, params={"limit": 3, "before": page["before"]})).json()
    assert (len(older["deliveries"]), older["before"]) == (2, None)
    number = page["deliveries"][0]["number"]
    assert (await http.post(f"{path}/{number}/redeliver")).json() == {"redelivered": 1}
    waiting = (await http.get(path, params={"state": "waiting"})).json()["deliveries"]
    assert [one["number"] for one in waiting] == [number]
    assert (await http.post(f"{path}/redeliver")).json() == {"redelivered": 4}
    missing = await http.post(f"{path}/999/redeliver")
    assert (missing.status_code, missing.json()["message"]) == (
        404,
        f"{DOMAIN} has no delivery with the number 999",
    )
    assert (await http.get(path, params={"state": "lost"})).status_code == 400


async def test_the_signing_key_is_given_out_once_and_replaced_with_an_overlap(
    http: httpx.AsyncClient, store: Store
) -> None:
    first = (await http.get("/v1/webhook-key")).json()
    assert mailgun_key((await SigningKeys(store).of(DOMAIN))[0].secret) == first["http_signing_key"]
    again = await http.get("/v1/webhook-key")
    assert (again.status_code, "isn't given out again" in again.json()["message"]) == (409, True)
    second = (await http.post("/v1/webhook-key", data={"overlap": "3600"})).json()
    assert [key.id for key in await SigningKeys(store).of(DOMAIN)] == [second["id"], first["id"]]
    own = (await http.get(f"{OURS}/webhook-key")).json()
    assert own["domain"] == DOMAIN
    assert [key.id for key in await SigningKeys(store).of(DOMAIN)] == [own["id"]]
    assert [key.id for key in await SigningKeys(store).of("b.example")] == [
        second["id"],
        first["id"],
    ]
    now = (await http.post("/v1/webhook-key", data={"overlap": "0"})).json()
    assert [key.id for key in await SigningKeys(store).of("b.example")] == [now["id"]]
