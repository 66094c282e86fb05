"""What is handed to the ACME client and what comes back: frozen values, no I/O."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from josepy.errors import DeserializationError
from josepy.json_util import decode_b64jose

ChallengeKind = Literal["http-01", "tls-alpn-01"]
HTTP_01: Final = "http-01"
TLS_ALPN_01: Final = "tls-alpn-01"
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Meta:
    """What the directory says of the CA (RFC 8555 §7.1.1); `profiles` are names with their words.

    `terms_of_service` is the URL of the terms, empty where there are none to agree to.
    """

    terms_of_service: str = ""
    website: str = ""
    caa_identities: tuple[str, ...] = ()
    external_account_required: bool = False
    profiles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExternalAccount:
    """An account that the CA gave out beforehand (RFC 8555 §7.3.4); `hmac_key` is decoded."""

    key_id: str
    hmac_key: bytes = field(repr=False)

    @classmethod
    def parse(cls, key_id: str, hmac_key: str) -> "ExternalAccount":
        """Take the key as CAs print it, in base64url. Raises ValueError."""
        text = hmac_key.strip().rstrip("=")
        try:
            decoded = decode_b64jose(text) if _BASE64URL.fullmatch(text) else b""
        except DeserializationError:
            decoded = b""
        if not (key_id and decoded):
            raise ValueError("an external account is a key id and an HMAC key in base64url")
        return cls(key_id, decoded)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the CA wants to see at a name: `key_authorization` is the whole answer (RFC 8555 §8.1).

    `token` has been checked: 20 to 128 characters of base64url.
    """

    name: str
    kind: ChallengeKind
    token: str
    key_authorization: str = field(repr=False)


class Responder(Protocol):
    """Readies answers to challenges."""

    def __call__(self, challenge: Challenge, /) -> AbstractAsyncContextManager[object]:
        """Return what is entered before the CA is asked to look, and left once it has looked.

        When it is entered, the answer must be in place everywhere; it is left in any case.
        """


Step = Literal["ordered", "authorised", "finalised"]

# Awaited with the step that was reached and the order's URL, before the next request to the CA.
# What it raises ends the issuance.
Progress = Callable[[Step, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate: `chain_pem` is the leaf and its issuers, leaf first, nothing else.

    Whether it fits the key, the name and the time is for the receiver to check. `alternates` are
    URLs for `Acme.chain`. `replaced` tells whether the CA took the order as a renewal of the
    certificate that was named (RFC 9773 §5), which exempts it from most limits.
    """

    chain_pem: bytes
    alternates: tuple[str, ...]
    order_url: str
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class RenewalWindow:
    """When the CA would like a certificate renewed (RFC 9773 §4.2), in Unix seconds.

    `retry_after` is how many seconds later to ask again; `explanation` the URL of a page, or "".
    """

    start: float
    end: float
    retry_after: int
    explanation: str = ""
