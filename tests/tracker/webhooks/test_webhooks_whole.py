"""The whole of it: an event comes in over the API, and a URL hears of it within a moment."""

import json
from pathlib import Path

import httpx
import pytest
import standardwebhooks

from tests.patience import PATIENCE, wait_for
from tests.servers.receiver import Receiver
from tests.tracker.operation.conftest import Tracker
from tests.tracker.operation.running import running

DOMAIN = "news.example"
EVENT = {
    "event": "failed",
    "severity": "permanent",
    "timestamp": 1_790_000_000.5,
    "recipient": "ann@example.net",
    "message": {"headers": {"message-id": "1@news.example"}},
}


def test_an_event_that_is_posted_here_is_posted_on(
    tracker: Tracker, folder: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker("keys", "new")
    monkeypatch.setenv("TRACKER_WEBHOOKS_ALLOW", "127.0.0.0/8")
    with running("serve") as serving:
        given = folder / "data" / "api.key"
        wait_for(lambda: given.exists() and bool(given.read_text()), "the office to make a key")
        key = given.read_text().split()[0]
        url = f"http://{serving.addresses[-1]}"
        with httpx.Client(base_url=url, auth=("api", key), timeout=PATIENCE) as api:
            hooks = {"id": "permanent_fail", "url": receiver.url("/hook")}
            assert api.post(f"/v3/domains/{DOMAIN}/webhooks", data=hooks).is_success
            secret = api.get("/v1/webhook-key").json()["secret"]
            assert api.post(f"/v1/{DOMAIN}/events", json=EVENT).is_success
            wait_for(lambda: bool(receiver.got("/hook")), "the webhook")
            said = api.get("/readyz").json()["checks"]["webhooks"]
            figures = api.get("/metrics").text
        assert said.startswith("1 URL posted to")
        assert "tracker_webhooks 1.0" in figures
        serving.process.terminate()
        serving.process.wait(PATIENCE)
    (posted,) = receiver.got("/hook")
    body = standardwebhooks.Webhook(secret).verify(posted.body, dict(posted.headers))
    assert body["event-data"].items() >= EVENT.items()
    assert json.loads(posted.body)["signature"]["token"]
