"""django-anymail's tracking view for Mailgun takes what we post, unchanged, and understands it.

It runs in a process of its own: Django is configured once a process, and for good.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tracker.store.webhook_keys import SigningKey
from tracker.store.webhooks import KINDS, Kind
from tracker.webhooks.message import message
from tracker.webhooks.signature import mailgun_key
from tracker.webhooks.trial import RECIPIENT, sample

NOW = int(time.time())
KEY = SigningKey("k1", "", b"\x07" * 32, NOW, NOW)
OTHER = SigningKey("k2", "", b"\x08" * 32, NOW, NOW)
# What Anymail calls each kind (its documentation, "Tracking sent mail status").
UNDERSTOOD = {
    "accepted": "queued",
    "clicked": "clicked",
    "complained": "complained",
    "delivered": "delivered",
    "opened": "opened",
    "permanent_fail": "bounced",
    "temporary_fail": "deferred",
    "unsubscribed": "unsubscribed",
}


def told(requests: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Post to the view; return what it said and which signals it sent, one for each request."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("anymail_view.py"), key],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def request(kind: Kind, key: SigningKey) -> dict[str, Any]:
    posted = message([sample("news.example", kind, NOW)], [key], NOW, batch=False)
    return {"body": posted.body.decode(), "type": posted.headers["Content-Type"]}


def test_anymail_understands_every_kind_and_refuses_what_another_key_has_signed() -> None:
    requests = [request(kind, KEY) for kind in KINDS]
    *answers, forged = told([*requests, request("opened", OTHER)], mailgun_key(KEY.secret))
    assert {answer["status"] for answer in answers} == {200}
    signals = dict(zip(KINDS, (answer["signal"] for answer in answers), strict=True))
    assert {kind: signal["event_type"] for kind, signal in signals.items()} == UNDERSTOOD
    assert {signal["recipient"] for signal in signals.values()} == {RECIPIENT}
    assert signals["clicked"]["click_url"] == "https://example.com/"
    assert signals["permanent_fail"]["reject_reason"] == "bounced"
    for signal, sent in zip(signals.values(), requests, strict=True):
        assert signal["event_id"] == json.loads(sent["body"])["signature"]["token"]
    assert forged == {"status": 400, "signal": None}
