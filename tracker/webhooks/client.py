"""The client: posts to URLs that others chose, and takes nothing from them but a short answer.

In: a URL, bytes and headers. Out: an Answer, or why there is none.

Promise: nobody is reached but those whom `tracker.webhooks.address` lets through, whatever the URL,
its DNS or its answer says; redirects aren't followed. However an answer drips, and however long it
is, a request takes `WITHIN` seconds and some kilobytes.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from ssl import SSLContext
from typing import Final, Self

import httpcore

from tracker.webhooks.address import IpNetwork
from tracker.webhooks.connections import Connections, Lent
from tracker.webhooks.dial import Addresses, Dial, Lookup, Unknown
from tracker.webhooks.target import BadTarget, Target

WITHIN: Final = 10.0  # seconds until the answer's status must be there
BODY_WITHIN: Final = 1.0  # seconds more for its body, of which little is read
KEPT: Final = 300  # bytes of a body, to show to whoever looks for a fault
READ: Final = 64 << 10  # bytes of a body, so that the connection can be used again
AGENT: Final = "tracking-edge-webhooks"

Headers = Sequence[tuple[bytes | str, bytes | str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: the beginning of its body, after some seconds."""

    status: int
    beginning: bytes
    seconds: float


class Unanswered(Exception):
    """There is no answer. The message says why, without the URL: it may hold a secret."""


class Client:
    """A client with its connections. Close it in the end."""

    def __init__(
        self,
        allowed: Collection[IpNetwork] = (),
        *,
        lookup: Lookup | None = None,
        tls: SSLContext | None = None,
        within: float = WITHIN,
    ) -> None:
        self._addresses = Addresses(allowed, lookup)
        self._within = within
        self._connections = Connections(Dial(self._addresses), lambda: tls or _trusting())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._connections.close()

    async def check(self, url: str) -> None:
        """Tell whether a URL may be posted to, as far as can be told now. Raises BadTarget.

        A name that has no address yet is let through: it is looked up at each delivery.
        """
        try:
            await self._addresses.of(Target.parse(url).host)
        except Unknown:
            return

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Post, and return the answer, whatever its status. Raises BadTarget, Unanswered."""
        target = Target.parse(url)
        sent = [("Host", target.authority), ("User-Agent", AGENT), *headers.items()]
        try:
            return await self._exchange(target, content, sent)
        except TimeoutError:
            raise Unanswered(f"no answer within {self._within:g} s") from None
        except Unknown as error:
            raise Unanswered(str(error)) from error
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise Unanswered(_said(error)) from error

    async def _exchange(self, target: Target, content: bytes, headers: Headers) -> Answer:
        lent = await self._connections.take(target)
        try:
            return await self._once(target, content, headers, lent)
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            if not lent.used:
                raise
        # The other side closed a connection that was to be used again, as it may at any time
        # (RFC 9112 §9.3.1): it didn't read this.
        return await self._once(target, content, headers, self._connections.new(target))

    async def _once(self, target: Target, content: bytes, headers: Headers, lent: Lent) -> Answer:
        url = httpcore.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        )
        begun = time.monotonic()
        try:
            async with AsyncExitStack() as closing:
                async with asyncio.timeout(self._within):
                    posting = lent.connection.stream("POST", url, headers=headers, content=content)
                    response = await closing.enter_async_context(posting)
                beginning = await _beginning(response)
                return Answer(response.status, beginning, time.monotonic() - begun)
        finally:
            await self._connections.give_back(target, lent)


@cache
def _trusting() -> SSLContext:
    """Return what trusts the public CAs."""
    import httpx  # noqa: PLC0415 - it and the CAs take 0.1 s, and only who posts by HTTPS needs them

    return httpx.create_ssl_context()


async def _beginning(response: httpcore.Response) -> bytes:
    """Read a little of a body; its end isn't needed, since the status has told everything."""
    read = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for chunk in response.aiter_stream():
                read += chunk
                if len(read) > READ:
                    break
    except (TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
        pass
    return bytes(read[:KEPT])


def readable(beginning: bytes) -> str:
    """Write the beginning of an answer as a text that any database takes and any terminal bears."""
    text = beginning.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _said(error: Exception) -> str:
    """Say what went wrong on the way, in one sentence without numbers of errors."""
    if isinstance(error, httpcore.ConnectTimeout):
        return "it can't be connected to: no answer"
    words = str(error).strip() or type(error).__name__
    if isinstance(error, httpcore.ConnectError):
        return f"it can't be connected to: {words}"
    return f"the connection broke: {words}"


__all__ = ["AGENT", "Answer", "BadTarget", "Client", "Unanswered", "readable"]
