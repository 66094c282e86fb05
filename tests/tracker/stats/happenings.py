"""Events as the tests of figures need them: short to write, long enough to be counted."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from tracker.store.row import Row, row

DOMAIN = "news.example.com"
MONDAY = 1_771_200_000  # Mon, 16 Feb 2026 00:00:00 UTC
HOUR = 3600


def happened(
    kind: str,
    hour: float = 0,
    *,
    message: int = 1,
    to: str = "ann@example.net",
    who: str = "person",
    reason: str = "no-sign: nothing tells of a machine",
    tags: tuple[str, ...] = (),
    revision: int = 0,
    number: int = 0,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Row:
    """Return an event `hour` hours into a Monday; events that differ in `number` are two."""
    document: dict[str, Any] = {
        "event": kind,
        "id": f"{kind}-{message}-{to}-{hour}-{number}",
        "timestamp": MONDAY + hour * HOUR,
        "domain": {"name": DOMAIN},
        "recipient": to,
        "message": {"headers": {"message-id": f"{message}@{DOMAIN}"}},
        "tags": list(tags),
        "revision": revision,
    }
    if kind in {"opened", "clicked"}:
        document["verdict"] = {"kind": who, "reasons": [reason]}
    return row(msgspec.json.encode(document | dict(more)))
