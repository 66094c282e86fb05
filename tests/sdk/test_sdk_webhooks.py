"""Mailgun's own clients register, read, change and remove webhooks, unchanged."""

import pytest
from mailgun.client import Client

from tests.sdk.conftest import Live

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
URLS = ["http://127.0.0.1:8000/one", "http://127.0.0.1:8000/two"]
CHANGED = [URLS[1], "http://127.0.0.1:8000/three"]


def test_the_python_client_manages_webhooks(live: Live) -> None:
    domain = "python.example"
    with Client(auth=("api", live.key), api_url=live.url) as client:
        webhooks = client.domains_webhooks
        created = webhooks.create(domain=domain, data={"id": "clicked", "url": URLS}).json()
        one = webhooks.get(domain=domain, webhook_name="clicked").json()
        changed = webhooks.put(
            domain=domain, webhook_name="clicked", data=[("url", url) for url in CHANGED]
        ).json()
        listed = webhooks.get(domain=domain).json()
        deleted = webhooks.delete(domain=domain, webhook_name="clicked").json()
        gone = webhooks.get(domain=domain, webhook_name="clicked")
    assert created == {"message": "Webhook has been created", "webhook": {"urls": URLS}}
    assert one == {"webhook": {"urls": URLS}}
    assert changed == {"message": "Webhook has been updated", "webhook": {"urls": CHANGED}}
    assert listed == {"webhooks": {"clicked": {"urls": CHANGED}}}
    assert deleted["message"] == "Webhook has been deleted"
    assert gone.status_code == 404


def test_the_javascript_client_manages_webhooks(node: Live) -> None:
    domain = "javascript.example"
    created, listed, one, updated, refused, destroyed, gone = node.javascript(
        ("webhooks.create", [domain, "opened", URLS[0]]),
        ("webhooks.list", [domain, {}]),
        ("webhooks.get", [domain, "opened"]),
        ("webhooks.update", [domain, "opened", URLS]),
        ("webhooks.create", [domain, "clicked", "http://10.0.0.1/"]),
        ("webhooks.destroy", [domain, "opened"]),
        ("webhooks.get", [domain, "opened"]),
    )
    assert created["value"] == {"id": "opened", "url": URLS[0], "urls": [URLS[0]]}
    assert listed["value"] == {"opened": {"urls": [URLS[0]]}}
    assert one["value"]["urls"] == [URLS[0]]
    assert sorted(updated["value"]["urls"]) == URLS
    assert refused["status"] == 400
    assert "10.0.0.1 is a private address" in refused["error"]
    assert destroyed["value"]["id"] == "opened"
    assert gone["status"] == 404
