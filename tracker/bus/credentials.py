"""A credentials file, as `nsc` writes it: who one is, and the key that proves it.

In: the file's text. Out: the token to show (a JWT), and signatures of what the server asks to be
signed. Keys are Ed25519 seeds in NATS' own base32 form: two bytes that tell what the seed is of,
the seed, and a checksum.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES: Final = 32
# Of a user: the first five bits say seed, the next eight whose (nkeys: PrefixByteSeed = 18 << 3,
# PrefixByteUser = 20 << 3, the latter shifted across the two bytes).
USER_SEED: Final = bytes((18 << 3 | 20 >> 2, 0))
_PART: Final = r"-+BEGIN {0}-+\s*(\S+)\s*-+END {0}-+"
_TOKEN: Final = re.compile(_PART.format("NATS USER JWT"))
_SEED: Final = re.compile(_PART.format("USER NKEY SEED"))


class BadCredentials(ValueError):
    """The text is no credentials file; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who one is: the token, and the key that it names."""

    token: str
    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a credentials file. Raises BadCredentials."""
        token, seed = _TOKEN.search(text), _SEED.search(text)
        if token is None or seed is None:
            missing = "user's JWT" if token is None else "user's NKEY seed"
            raise BadCredentials(f"holds no {missing}: 'nsc generate creds' writes such a file")
        return cls(token[1], Ed25519PrivateKey.from_private_bytes(_seed(seed[1])))

    def sign(self, nonce: str) -> bytes:
        """Sign what the server asks to be signed, in base64."""
        return base64.b64encode(self._key.sign(nonce.encode()))


def _seed(text: str) -> bytes:
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise BadCredentials("holds a seed that is no base32") from error
    body, checksum = raw[:-2], raw[-2:]
    if len(body) != 2 + SEED_BYTES or binascii.crc_hqx(body, 0) != int.from_bytes(
        checksum, "little"
    ):
        raise BadCredentials("holds a seed that is damaged: its checksum is wrong")
    if body[:2] != USER_SEED:
        raise BadCredentials("holds a seed that isn't a user's")
    return body[2:]
