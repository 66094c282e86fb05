"""Whose word about a client's address is believed."""

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


class TrustedProxies:
    """uvicorn's own rule for X-Forwarded-For, for requests that pass its middleware by."""

    def __init__(self, trusted: str) -> None:
        """Trust addresses and networks, with commas between them, or all with `*`."""
        self._any = bool(trusted)
        self._trusted = ProxyHeadersMiddleware(_nothing, trusted).trusted_hosts

    def client(self, peer: str, forwarded: bytes) -> str:
        """Return the last address in X-Forwarded-For that no trusted proxy has, or the peer's."""
        if not forwarded or not self._any or peer not in self._trusted:
            return peer
        return self._trusted.get_trusted_client_address(forwarded.decode("latin-1"))[0] or peer


async def _nothing(*_: object) -> None:
    """Stand where the middleware wants an application."""
