"""Signatures: how a receiver knows that a request is ours.

Two of them, over different things. Mailgun's stands in the body, over a time and a token that is
never used again; it doesn't cover the body. That of Standard Webhooks stands in headers and does.
"""

import hmac
import re
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from tracker.store.webhook_keys import SigningKey

PREFIX: Final = "whsec_"  # of a secret as libraries for Standard Webhooks take it
TOKEN_BYTES: Final = 25  # 50 characters, as Mailgun's have
# What goes into a header as it is. A full stop would make two readings of what is signed possible.
PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_=/+-]{1,160}")


class Signature(msgspec.Struct, frozen=True):
    """Mailgun's: the hex HMAC-SHA256 of `timestamp` and `token`, in seconds since 1970."""

    timestamp: str
    token: str
    signature: str


def mailgun_key(secret: bytes) -> str:
    """Write a secret as a receiver of Mailgun's signatures takes it."""
    return secret.hex()


def standard_key(secret: bytes) -> str:
    """Write a secret as a receiver of Standard Webhooks takes it."""
    return PREFIX + b64encode(secret).decode()


def signed(keys: Sequence[SigningKey], now: int) -> Signature:
    """Sign for Mailgun's form, under the newest key that may sign alone."""
    key = next((key for key in keys if key.signs_from <= now), keys[-1])
    timestamp, token = str(now), secrets.token_hex(TOKEN_BYTES)
    given = mailgun_key(key.secret).encode()
    digest = hmac.new(given, (timestamp + token).encode(), sha256).hexdigest()
    return Signature(timestamp, token, digest)


def headers(keys: Iterable[SigningKey], id_: str, body: bytes, now: int) -> Mapping[str, str]:
    """Return the headers of Standard Webhooks: a signature under each key, for receivers of any.

    https://github.com/standard-webhooks/standard-webhooks, "Verifying webhook authenticity".
    """
    id_ = id_ if PLAIN_ID.fullmatch(id_) else hashed(id_)
    content = f"{id_}.{now}.".encode() + body
    macs = (hmac.new(key.secret, content, sha256).digest() for key in keys)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(f"v1,{b64encode(mac).decode()}" for mac in macs),
    }


def hashed(*parts: str) -> str:
    """Return an id for what has none that fits a header: the same for the same parts."""
    digest = sha256(msgspec.json.encode(parts)).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
