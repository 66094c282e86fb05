"""Tracking domains: from a request's Host header to the keys that signed its tokens."""

from collections.abc import Callable, Collection, Container
from functools import lru_cache
from typing import Final

from rewriter.keyring import BadDomain, Keyring, KeyringError, canonical_domain
from rewriter.tokens import Tokens

REMEMBERED: Final = 2000  # domains; deriving one's keys again takes about 0.1 ms
MAX_HOST: Final = 260  # a host name and its port


class Domains:
    """The tokens of each tracking domain, derived when it is first asked for."""

    def __init__(
        self,
        keyring: Keyring,
        served: Collection[str] = (),
        registered: Callable[[], Container[str]] = tuple,
    ) -> None:
        """Serve the given tracking domains and the registered ones; any, where none are given.

        `registered` is asked anew for each name that isn't known yet. A name that was served stays
        so: what takes it out of the register must not break the links that lead through it.
        """
        self._keyring = keyring
        self._served = frozenset(map(canonical_domain, served))
        self._registered = registered
        self._remembered = lru_cache(REMEMBERED)(self._derive)

    def tokens(self, host: bytes) -> Tokens | None:
        """Return the tokens for a Host header; None if it names no tracking domain of ours."""
        try:
            return self._remembered(host)
        except (BadDomain, KeyringError):
            return None

    def _derive(self, host: bytes) -> Tokens:
        domain = named(host)
        if self._served and domain not in self._served and domain not in self._registered():
            raise BadDomain(f"{domain} is not served")
        return Tokens(self._keyring.for_domain(domain))


def named(host: bytes) -> str:
    """Return the domain that a Host header names, without its port; raise BadDomain."""
    if len(host) > MAX_HOST:
        raise BadDomain("too long for a host and its port")
    name, colon, port = host.decode("latin-1").rpartition(":")
    if not colon:
        name = port
    elif port and not (port.isascii() and port.isdecimal()):
        raise BadDomain("what follows the colon is no port")
    return canonical_domain(name)
