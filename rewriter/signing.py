"""The MAC of a token: itsdangerous' signer, with keys that are derived once and a short HMAC.

In: keys, oldest first, and a salt that names what is signed. Out: a text of 22 characters.
Promise: one spelling of a signature verifies, and no other that decodes to the same bytes.
"""

import hashlib
import hmac
from typing import Final

from itsdangerous import Signer
from itsdangerous.encoding import base64_encode, want_bytes
from itsdangerous.signer import SigningAlgorithm

MAC_BYTES: Final = 16

# RFC 2104 §2: what each byte of the key becomes for the inner and for the outer hash.
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


class ShortHMAC(SigningAlgorithm):
    """HMAC-SHA256 cut to 128 bits (RFC 2104 §5), its two pads hashed once for each key."""

    def __init__(self) -> None:
        self._states: dict[bytes, tuple[hashlib._Hash, hashlib._Hash]] = {}

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """Return the 16 bytes."""
        inner, outer = self._states.get(key) or self._prepare(key)
        inner = inner.copy()
        inner.update(value)
        outer = outer.copy()
        outer.update(inner.digest())
        return outer.digest()[:MAC_BYTES]

    def _prepare(self, key: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
        block = key.ljust(64, b"\0")
        states = hashlib.sha256(block.translate(_INNER)), hashlib.sha256(block.translate(_OUTER))
        self._states[key] = states
        return states


class TokenSigner(Signer):
    """An itsdangerous signer that derives each key once and accepts one spelling of a signature."""

    def __init__(self, keys: list[bytes], salt: bytes) -> None:
        super().__init__(
            keys,
            salt=salt,
            key_derivation="hmac",
            digest_method=hashlib.sha256,
            algorithm=ShortHMAC(),
        )
        derive = super().derive_key
        self._newest_first = [derive(key) for key in reversed(keys)]

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """Return the derived key that signs; what verifies never comes through here."""
        return self._newest_first[0] if secret_key is None else super().derive_key(secret_key)

    def get_signature(self, value: str | bytes) -> bytes:
        """Sign with the newest key."""
        return base64_encode(self.algorithm.get_signature(self._newest_first[0], want_bytes(value)))

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        """Compare the text: once decoded, sixteen spellings of the last character were one."""
        value, sig = want_bytes(value), want_bytes(sig)
        for key in self._newest_first:
            if hmac.compare_digest(base64_encode(self.algorithm.get_signature(key, value)), sig):
                return True
        return False
