"""An operator, an account and a user, as `nsc` would make them: for servers that know nobody else.

JWTs as NATS' own (ADR-14, nats-io/jwt version 2), signed with Ed25519 keys in its base32 form.
"""

import base64
import binascii
import hashlib
import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEED: Final = 18 << 3
OPERATOR: Final = 14 << 3
ACCOUNT: Final = 0
USER: Final = 20 << 3


class Identity:
    """A key pair of one of the three."""

    def __init__(self, kind: int) -> None:
        self._kind = kind
        self._key = Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """The public key as NATS writes it."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return written(bytes((self._kind,)) + raw)

    @property
    def seed(self) -> str:
        """The private key as NATS writes it."""
        prefix = bytes((SEED | self._kind >> 5, (self._kind & 31) << 3))
        return written(prefix + self._key.private_bytes_raw())

    def certify(self, whom: "Identity", name: str, claims: dict[str, Any]) -> str:
        """Sign who somebody is."""
        body = {
            "iat": 1_763_688_423,
            "iss": self.public,
            "name": name,
            "sub": whom.public,
            "nats": {"version": 2, **claims},
        }
        body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode()
        signed = f"{part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{part(body)}"
        return f"{signed}.{url64(self._key.sign(signed.encode()))}"


def written(body: bytes) -> str:
    checksum = binascii.crc_hqx(body, 0).to_bytes(2, "little")
    return base64.b32encode(body + checksum).decode().rstrip("=")


def part(value: dict[str, Any]) -> str:
    return url64(json.dumps(value).encode())


def url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def trusted() -> tuple[dict[str, Any], str]:
    """Return a server's configuration that trusts one operator, and a user's credentials file."""
    operator, account, user = Identity(OPERATOR), Identity(ACCOUNT), Identity(USER)
    anything = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    unbounded = {"subs": -1, "data": -1, "payload": -1}
    limits = {**anything, **unbounded, "conn": -1, "leaf": -1, "imports": -1, "exports": -1}
    system = Identity(ACCOUNT)
    configuration = {
        "operator": operator.certify(operator, "O", {"type": "operator"}),
        "system_account": system.public,
        "resolver": "MEMORY",
        "resolver_preload": {
            account.public: operator.certify(account, "A", {"type": "account", "limits": limits}),
            system.public: operator.certify(system, "S", {"type": "account", "limits": unbounded}),
        },
    }
    token = account.certify(user, "U", {"type": "user", **unbounded})
    creds = (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return configuration, creds
