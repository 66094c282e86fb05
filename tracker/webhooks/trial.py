"""A trial: an event that never happened, posted to a URL so that its owner sees what comes.

In: a kind. Out: Mailgun's form of such an event, marked as a test, and what the URL said to it.
"""

import secrets
import time
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from tracker.store.webhook_keys import SigningKey
from tracker.store.webhooks import Kind
from tracker.webhooks.client import BadTarget, Client, Unanswered, readable
from tracker.webhooks.message import Item, message

RECIPIENT: Final = "recipient@example.com"
_SEEN: Final = {
    "ip": "192.0.2.1",
    "geolocation": {"country": "Unknown", "region": "Unknown", "city": "Unknown"},
    "client-info": {
        "client-type": "unknown",
        "client-os": "unknown",
        "device-type": "unknown",
        "client-name": "unknown",
        "user-agent": "",
        "bot": "",
    },
}
_BOUNCED: Final = {"attempt-no": 1, "code": 550, "message": "5.1.1 no such mailbox"}
_DEFERRED: Final = {"attempt-no": 1, "code": 452, "message": "4.2.2 mailbox full"}

# What each kind has beside what all have.
KINDS: Final = MappingProxyType[Kind, dict[str, Any]](
    {
        "accepted": {"event": "accepted", "method": "smtp"},
        "clicked": {"event": "clicked", "url": "https://example.com/", **_SEEN},
        "complained": {"event": "complained", "log-level": "warn"},
        "delivered": {
            "event": "delivered",
            "delivery-status": {"attempt-no": 1, "code": 250, "message": "OK"},
        },
        "opened": {"event": "opened", **_SEEN},
        "permanent_fail": {
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "log-level": "error",
            "delivery-status": _BOUNCED,
        },
        "temporary_fail": {
            "event": "failed",
            "severity": "temporary",
            "reason": "generic",
            "log-level": "warn",
            "delivery-status": _DEFERRED,
        },
        "unsubscribed": {"event": "unsubscribed", **_SEEN},
    }
)


class Tried(msgspec.Struct, frozen=True):
    """What a URL said to a test: a status of 0 is no answer. `took` is in milliseconds."""

    url: str
    status: int
    took: int
    said: str


async def tried(
    client: Client, keys: Sequence[SigningKey], domain: str, kind: Kind, url: str, *, batch: bool
) -> Tried:
    """Post a test event to a URL once."""
    begun, now = time.monotonic(), time.time()
    posted = message([sample(domain, kind, now)], keys, int(now), batch=batch)
    try:
        answer = await client.post(url, posted.body, posted.headers)
        status, said = answer.status, readable(answer.beginning)
    except (BadTarget, Unanswered) as error:
        status, said = 0, str(error)
    return Tried(url, status, round((time.monotonic() - begun) * 1_000), said)


def sample(domain: str, kind: Kind, now: float) -> Item:
    """Make up an event of a kind, as if it had happened now."""
    id_ = f"test-{secrets.token_hex(8)}"
    headers = {
        "message-id": f"{id_}@{domain}",
        "from": f"sender@{domain}",
        "to": RECIPIENT,
        "subject": "A test",
    }
    event = {
        "id": id_,
        "timestamp": now,
        "log-level": "info",
        "domain": {"name": domain},
        "recipient": RECIPIENT,
        "recipient-domain": "example.com",
        "message": {"headers": headers},
        "tags": ["test"],
        "campaigns": [],
        "user-variables": {},
        "flags": {"is-test-mode": True},
    }
    return Item(id_, msgspec.json.encode(event | KINDS[kind]))
