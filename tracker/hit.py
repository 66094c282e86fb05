"""A hit: one request for a pixel, a link or an unsubscription, as it came.

It holds what is known at request time and nothing that had to be looked up. What it means is
found out later, from these facts alone.
"""

import os
from collections.abc import Mapping
from itertools import count
from typing import Final, Literal

import msgspec

Kind = Literal["o", "c", "u"]

# What the verdict asks about (Fetch Metadata and its forerunners), and what client-info shows.
KEPT_HEADERS: Final = tuple(
    (name.encode(), name)
    for name in ("accept-language", "referer", "sec-purpose", "purpose", "x-moz", "x-purpose")
)
MAX_USER_AGENT: Final = 1024  # characters; longer ones are cut
MAX_HEADER: Final = 256
MAX_ADDRESS: Final = 64


class Hit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One request whose token verified.

    `at` is in microseconds since the epoch, `domain` the tracking domain, `token` the token as it
    stood in the URL, `address` the client's as trusted proxies tell it, `via` for an
    unsubscription "one-click" (RFC 8058) or "page", and "resubscribe" where one is taken back.
    """

    id: bytes
    kind: Kind
    at: int
    domain: str
    token: str
    method: str
    address: str
    user_agent: str
    headers: dict[str, str] = {}
    via: str = ""


encode = msgspec.msgpack.Encoder().encode


class HitIds:
    """Makes ids that are unique for ever: 6 bytes of milliseconds, 6 of this process, 4 that count.

    They grow within a process. Two processes share one only if both drew the same 48 random bits
    and stood at the same count within the same millisecond.
    """

    def __init__(self) -> None:
        self._process = os.urandom(6)
        self._count = count(int.from_bytes(os.urandom(3), "big"))

    def next(self, at: int) -> bytes:
        """Return 16 bytes for a hit at `at` microseconds."""
        number = next(self._count) & 0xFFFFFFFF
        return (at // 1000).to_bytes(6, "big") + self._process + number.to_bytes(4, "big")


def kept_headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the headers that a hit keeps, of those of a request in lower case."""
    kept = {}
    for name, key in KEPT_HEADERS:
        if (value := headers.get(name)) is not None:
            kept[key] = value[:MAX_HEADER].decode("latin-1")
    return kept
