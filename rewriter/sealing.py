"""The seal of a context frame: AES-SIV (RFC 5297), deterministic, bound to one tracking domain."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV


class Seal:
    """Closes and opens what only holders of the key may read."""

    def __init__(self, key: bytes, bound_to: bytes) -> None:
        self._cipher = AESSIV(key)
        self._bound_to = [bound_to]

    def close(self, text: bytes) -> bytes:
        """Return the sealed text: the same for the same text, which SIV makes safe."""
        return self._cipher.encrypt(text, self._bound_to)

    def open(self, sealed: bytes) -> bytes | None:
        """Return the text, or None where it was not sealed with this key for this domain."""
        try:
            return self._cipher.decrypt(sealed, self._bound_to)
        except (InvalidTag, ValueError):
            return None
