"""Whose word about a client's address is believed."""

from collections.abc import Sequence

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


class TrustedProxies:
    """uvicorn's own rule for X-Forwarded-For, for requests that pass its middleware by."""

    def __init__(self, trusted: str) -> None:
        """Trust addresses and networks, with commas between them, or all with `*`."""
        self._any = bool(trusted)
        self._trusted = ProxyHeadersMiddleware(_nothing, trusted).trusted_hosts

    def client(self, peer: str, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """Return the client's address: the last that no trusted proxy has, or the peer's own."""
        if not self._any or peer not in self._trusted:
            return peer
        forwarded = b", ".join(value for name, value in headers if name == b"x-forwarded-for")
        if not forwarded:
            return peer
        return self._trusted.get_trusted_client_address(forwarded.decode("latin-1"))[0] or peer


async def _nothing(*_: object) -> None:
    """Stand where the middleware wants an application."""
