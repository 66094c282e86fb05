"""Tracking domains: from a request's Host header to the keys that signed its tokens."""

from collections.abc import Collection
from functools import lru_cache
from typing import Final

from rewriter.keyring import BadDomain, Keyring, KeyringError, canonical_domain
from rewriter.tokens import Tokens

REMEMBERED: Final = 2000  # domains; deriving one's keys again takes about 0.1 ms
MAX_HOST: Final = 260  # a host name and its port


class Domains:
    """The tokens of each tracking domain, derived when it is first asked for."""

    def __init__(self, keyring: Keyring, served: Collection[str] = ()) -> None:
        """Serve the given tracking domains, or, where none are given, any."""
        self._keyring = keyring
        self._served = frozenset(map(canonical_domain, served))
        self._remembered = lru_cache(REMEMBERED)(self._derive)

    def tokens(self, host: bytes) -> Tokens | None:
        """Return the tokens for a Host header; None if it names no tracking domain of ours."""
        return self._remembered(host) if len(host) <= MAX_HOST else None

    def _derive(self, host: bytes) -> Tokens | None:
        name, colon, port = host.decode("latin-1").rpartition(":")
        if not colon:
            name = port
        elif port and not (port.isascii() and port.isdecimal()):
            return None
        try:
            domain = canonical_domain(name)
            if self._served and domain not in self._served:
                return None
            return Tokens(self._keyring.for_domain(domain))
        except (BadDomain, KeyringError):
            return None
