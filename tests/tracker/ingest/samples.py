"""One event of every kind that Mailgun's Events API knows: its shape, content of our own."""

from typing import Any, Final

DOMAIN: Final = "harbour.example"
TIME: Final = 1_790_000_000.25


def _message(**more: Any) -> dict[str, Any]:
    headers = {
        "to": "Cleo <cleo@quay.example>",
        "message-id": "20260921.7.1F2E@harbour.example",
        "from": "The Harbour <post@harbour.example>",
        "subject": "Low tide at six",
    }
    return {"headers": headers, "attachments": [], "size": 2048} | more


_FLAGS = {"is-authenticated": True, "is-test-mode": False}
_EMPTY: dict[str, Any] = {"tags": [], "campaigns": [], "user-variables": {}}
_STORAGE = {"url": "https://storage.example/messages/k1", "key": "k1"}
_CLIENT = {
    "client-type": "browser",
    "client-os": "Linux",
    "device-type": "desktop",
    "client-name": "Firefox",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}
_PLACE = {"country": "NL", "region": "ZH", "city": "Rotterdam"}
_THERE = {"recipient": "cleo@quay.example", "ip": "192.0.2.7", "geolocation": _PLACE}
_STATUS = {
    "attempt-no": 2,
    "message": "4.2.2 full",
    "code": 452,
    "description": "",
    "session-seconds": 0.31,
}

SAMPLES: Final[dict[str, dict[str, Any]]] = {
    "accepted": {
        "event": "accepted",
        "method": "smtp",
        "log-level": "info",
        "envelope": {"targets": "cleo@quay.example", "transport": "smtp", "sender": "post@x"},
        "flags": {"is-authenticated": False},
        "message": _message(recipients=["cleo@quay.example", "dan@quay.example"]),
        "storage": _STORAGE,
        "recipient": "cleo@quay.example",
        "recipient-domain": "quay.example",
        **_EMPTY,
    },
    "accepted, routed": {
        "event": "accepted",
        "method": "http",
        "flags": {**_FLAGS, "is-routed": True},
        "routes": [{"expression": "match_recipient('.*')", "id": "r1", "match": {}}],
        "message": _message(),
        "recipient": "cleo@quay.example",
    },
    "delivered": {
        "event": "delivered",
        "envelope": {"transport": "smtp", "sender": "post@harbour.example"},
        "delivery-status": {**_STATUS, "code": 250, "message": "OK", "tls": True, "utf8": True},
        "message": _message(),
        "storage": _STORAGE,
        "recipient": "cleo@quay.example",
        **_EMPTY,
    },
    "failed, permanently": {
        "event": "failed",
        "severity": "permanent",
        "reason": "suppress-bounce",
        "log-level": "error",
        "delivery-status": {**_STATUS, "code": 605},
        "message": _message(),
        "recipient": "cleo@quay.example",
        **_EMPTY,
    },
    "failed, later": {
        "event": "failed",
        "severity": "permanent",
        "reason": "generic",
        "flags": {"is-delayed-bounce": True},
        "envelope": {},
        "delivery-status": {"bounce-code": "5.1.1", "code": 550, "enhanced-code": "5.1.1"},
        "message": _message(),
        "recipient": "cleo@quay.example",
    },
    "failed, for now": {
        "event": "failed",
        "severity": "temporary",
        "reason": "generic",
        "log-level": "warn",
        "delivery-status": {**_STATUS, "retry-seconds": 600},
        "message": _message(),
        "recipient": "cleo@quay.example",
        **_EMPTY,
    },
    "opened": {
        "event": "opened",
        "client-info": _CLIENT,
        "message": {"headers": {"message-id": "20260921.7.1F2E@harbour.example"}},
        **_THERE,
        **_EMPTY,
    },
    "clicked": {
        "event": "clicked",
        "url": "https://harbour.example/tides",
        "client-info": _CLIENT,
        "message": {"headers": {"message-id": "20260921.7.1F2E@harbour.example"}},
        **_THERE,
        **_EMPTY,
        "tags": ["tides"],
    },
    "unsubscribed": {
        "event": "unsubscribed",
        "client-info": _CLIENT,
        "message": {"headers": {"message-id": "20260921.7.1F2E@harbour.example"}},
        **_THERE,
        **_EMPTY,
    },
    "complained": {
        "event": "complained",
        "log-level": "warn",
        "flags": {"is-test-mode": False},
        "message": _message(
            attachments=[{"filename": "tides.pdf", "size": 9, "content-type": "x"}]
        ),
        "recipient": "cleo@quay.example",
        **_EMPTY,
    },
    "stored": {
        "event": "stored",
        "message": _message(recipients=["cleo@quay.example", "dan@quay.example"]),
        "storage": _STORAGE,
        **_EMPTY,
    },
    "rejected": {
        "event": "rejected",
        "log-level": "warn",
        "reject": {"reason": "not among those who may be written to", "description": ""},
        "message": _message(),
        **_EMPTY,
    },
    "list_member_uploaded": {
        "event": "list_member_uploaded",
        "task-id": "t1",
        "mailing-list": {"address": "crew@harbour.example"},
        "member": {"name": "", "subscribed": True, "address": "cleo@quay.example"},
    },
    "list_member_upload_error": {
        "event": "list_member_upload_error",
        "task-id": "t1",
        "format": "text",
        "mailing-list": {"address": "crew@harbour.example"},
        "error": {"message": "no address"},
        "member-description": "mailto:cleo",
    },
    "list_uploaded": {
        "event": "list_uploaded",
        "task-id": "t1",
        "subscribed": True,
        "format": "text",
        "mailing-list": {"address": "crew@harbour.example"},
        "failed-count": 1,
        "upserted-count": 75,
        "is-upsert": False,
    },
}
for _number, _sample in enumerate(SAMPLES.values()):
    _sample["id"] = f"sample-{_number}"
    _sample["timestamp"] = TIME + _number
