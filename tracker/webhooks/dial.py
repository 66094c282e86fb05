"""Dialling: from a host to a connection, by way of addresses that were checked.

In: the host of a request. Out: a connection to one of its addresses.

Promise: the address that was checked is the one that is connected to. A name is looked up once for
a connection, so that it can't mean one address when it is checked and another one when it is used
(DNS rebinding); of several addresses all must be allowed. TLS still asks for the name.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

import httpcore

from certs import lookup
from tracker.webhooks.address import IpAddress, IpNetwork, refusal
from tracker.webhooks.target import BadTarget, literal

LOOKUP_WITHIN: Final = 5.0  # seconds
CONNECT_WITHIN: Final = 5.0  # seconds for each address
MOST_ADDRESSES: Final = 4  # that are tried, one after the other

LOOPBACK: Final = (IPv4Address("127.0.0.1"), IPv6Address("::1"))

Lookup = Callable[[str], Awaitable[Sequence[IpAddress]]]


class Unknown(Exception):
    """A name has no address, or none can be learned now. The message says which."""


def resolving(resolvers: Sequence[lookup.Resolver] | None = None) -> Lookup:
    """Return what asks DNS for addresses: these resolvers, else the system's.

    The C library isn't asked: its few threads would all wait for one name's servers that hang.
    """
    among = lookup.resolvers(()) if resolvers is None else resolvers

    async def addresses(name: str) -> Sequence[IpAddress]:
        if not among:
            raise Unknown(f"{name} can't be looked up: this machine names no resolver")
        asked = (lookup.ask(name, "AAAA", among), lookup.ask(name, "A", among))
        try:
            async with asyncio.timeout(LOOKUP_WITHIN):
                replies = await asyncio.gather(*asked)
        except TimeoutError:
            raise Unknown(f"{name} can't be looked up: no resolver answers") from None
        found = [ip_address(record.address) for reply in replies for record in reply.records]
        if found:
            return found
        if all(reply.status in {"nxdomain", "nodata"} for reply in replies):
            raise Unknown(f"{name} has no address: is it spelt right?")
        raise Unknown(f"{name} can't be looked up: its name servers or the resolver fail")

    return addresses


class Addresses:
    """Who may be posted to, by name or address."""

    def __init__(self, allowed: Collection[IpNetwork] = (), lookup: Lookup | None = None) -> None:
        self._allowed = tuple(allowed)
        self._lookup = lookup or resolving()

    async def of(self, host: str) -> Sequence[IpAddress]:
        """Return a host's addresses, all of them checked. Raises BadTarget, Unknown."""
        address = literal(host)
        found = [address] if address else await self._found(host)
        for one in found:
            if what := refusal(one, self._allowed):
                leads = f"{host} is" if address else f"{host} leads to {one},"
                raise BadTarget(f"{leads} {what}: webhooks go to public addresses only")
        return found

    async def _found(self, name: str) -> Sequence[IpAddress]:
        if name == "localhost" or name.endswith(".localhost"):
            return LOOPBACK  # RFC 6761 §6.3: whatever a resolver says
        return await self._lookup(name)


class Dial(httpcore.AsyncNetworkBackend):
    """Opens the connections of a pool."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._net = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore's; we have our own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers. Raises BadTarget, Unknown, ConnectError."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in (await self._addresses.of(host))[:MOST_ADDRESSES]:
            try:
                return await self._net.connect_tcp(
                    str(address), port, CONNECT_WITHIN, local_address, socket_options
                )
            except httpcore.ConnectTimeout as error:
                failure = error
            except httpcore.ConnectError as error:
                failure = httpcore.ConnectError(_words(error))
        raise failure


def _words(error: BaseException) -> str:
    """Return what the system says, which stands behind what the libraries make of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    # By its number: asyncio and uvloop put words of their own in the place of the system's.
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
