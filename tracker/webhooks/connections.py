"""Connections: those that are open, to be used again by the next request to the same server.

Of its own, since httpcore's pool looks at every connection for each idle one at each request: with
thirty of them that took half of the time of a delivery. One connection has one request at a time;
whoever asks bounds how many there are.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from ssl import SSLContext
from typing import Final

import httpcore

from tracker.webhooks.target import Target

KEEP_ALIVE: Final = 4.0  # seconds; commonly 5 until the other side closes


@dataclass(frozen=True, slots=True)
class Lent:
    """A connection for one request; `used` says that it had others before."""

    connection: httpcore.AsyncHTTPConnection
    used: bool


class Connections:
    """What is open and idle, by server. Close it in the end."""

    def __init__(
        self, network: httpcore.AsyncNetworkBackend, tls: Callable[[], SSLContext]
    ) -> None:
        """Take what connects, and what returns the context of whoever is asked by HTTPS."""
        self._network = network
        self._tls = tls
        # In the order in which they became idle, so that the oldest come first.
        self._idle: dict[httpcore.AsyncHTTPConnection, tuple[str, float]] = {}
        self._by_server: dict[str, list[httpcore.AsyncHTTPConnection]] = {}

    async def take(self, target: Target) -> Lent:
        """Return a connection to a server that can be used at once, else one that isn't open."""
        await self._drop_old()
        waiting = self._by_server.get(target.origin, [])
        while waiting:
            connection = self._forget(waiting[-1])
            if connection.is_available() and not connection.has_expired():
                return Lent(connection, used=True)
            await connection.aclose()
        return self.new(target)

    def new(self, target: Target) -> Lent:
        """Return a connection that isn't open yet."""
        host, scheme = target.host.encode(), target.scheme.encode()
        connection = httpcore.AsyncHTTPConnection(
            origin=httpcore.Origin(scheme, host, target.port),
            ssl_context=self._tls() if target.scheme == "https" else None,
            keepalive_expiry=KEEP_ALIVE,
            network_backend=self._network,
        )
        return Lent(connection, used=False)

    async def give_back(self, target: Target, lent: Lent) -> None:
        """Keep a connection for the next request if it can have one, else close it."""
        if not lent.connection.is_idle() or lent.connection.is_closed():
            await lent.connection.aclose()
            return
        self._idle[lent.connection] = target.origin, time.monotonic() + KEEP_ALIVE
        self._by_server.setdefault(target.origin, []).append(lent.connection)

    async def close(self) -> None:
        """Close all that is idle."""
        for connection in list(self._idle):
            await self._forget(connection).aclose()

    async def _drop_old(self) -> None:
        now = time.monotonic()
        while self._idle:
            oldest, (_, until) = next(iter(self._idle.items()))
            if until > now:
                return
            await self._forget(oldest).aclose()

    def _forget(self, connection: httpcore.AsyncHTTPConnection) -> httpcore.AsyncHTTPConnection:
        origin, _ = self._idle.pop(connection)
        self._by_server[origin].remove(connection)
        if not self._by_server[origin]:
            del self._by_server[origin]
        return connection
