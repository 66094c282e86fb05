"""What DNS says of a name: its CNAMEs hop by hop, and its addresses."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from certs.doctor.expected import Expected
from certs.doctor.finding import shown
from certs.doctor.reach import special
from certs.lookup import Reply, Resolver, ask, ask_one, text

# Resolvers give up after some eight to sixteen.
HOPS: Final = 10
# More addresses than these are not connected to: a stranger's DNS decides how many there are.
ADDRESSES: Final = 32


@dataclass(frozen=True, slots=True)
class Hop:
    """One CNAME."""

    owner: str
    target: str
    ttl: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What DNS says of a name; `looped` is a chain that comes back to itself."""

    name: str
    hops: tuple[Hop, ...]
    looped: bool
    a: Reply
    aaaa: Reply
    apex: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """All that clients and the CA may connect to."""
        return (*addresses(self.a), *addresses(self.aaaa))

    @property
    def chain(self) -> str:
        """The way from the name to the last target."""
        return " -> ".join((self.name, *(shown(hop.target) for hop in self.hops)))

    def reaches(self, host: str) -> bool:
        """Tell whether a CNAME names this host."""
        return any(hop.target == host for hop in self.hops)


async def see(name: str, among: Sequence[Resolver]) -> Seen:
    """Ask for everything at a name."""
    (hops, looped), a, aaaa, soa = await asyncio.gather(
        _chain(name, among),
        ask(name, "A", among),
        ask(name, "AAAA", among),
        ask(name, "SOA", among),
    )
    return Seen(name, hops, looped, a, aaaa, soa.status == "found" and soa.owner == name)


async def _chain(name: str, among: Sequence[Resolver]) -> tuple[tuple[Hop, ...], bool]:
    hops: list[Hop] = []
    owner = name
    while len(hops) < HOPS:
        reply = await ask(owner, "CNAME", among)
        if reply.status != "found":
            return tuple(hops), False
        target = text(reply.records[0].target)
        hops.append(Hop(owner, target, reply.ttl))
        if target in {hop.owner for hop in hops}:
            return tuple(hops), True
        owner = target
    return tuple(hops), True


def addresses(reply: Reply) -> tuple[str, ...]:
    """Read the addresses of a reply."""
    return tuple(sorted(record.address for record in reply.records))


async def ours(expected: Expected, among: Sequence[Resolver]) -> frozenset[str]:
    """Give the addresses of this edge: those that are set, else those that its host has."""
    if expected.addresses or not expected.edge_host:
        return frozenset(expected.addresses)
    replies = await asyncio.gather(
        *(ask(expected.edge_host, kind, among) for kind in ("A", "AAAA"))
    )
    return frozenset(address for reply in replies for address in addresses(reply))


def inward(address: str, expected: Expected) -> str:
    """Tell what keeps us from connecting to an address; "" if nothing does.

    What the operator has set for the edge's own may be private: it isn't a stranger's DNS that
    chose it.
    """
    if expected.allow_private or address in expected.addresses:
        return ""
    return special(address)


def reachable(seen: Seen, expected: Expected) -> tuple[str, ...]:
    """Choose the addresses that may be connected to."""
    return tuple(each for each in seen.addresses[:ADDRESSES] if not inward(each, expected))


async def opinions(name: str, among: Sequence[Resolver]) -> list[tuple[Resolver, Reply]]:
    """Ask every resolver for the IPv4 addresses that it knows."""
    replies = await asyncio.gather(*(ask_one(name, "A", resolver) for resolver in among))
    return list(zip(among, replies, strict=True))


async def sibling(name: str, among: Sequence[Resolver]) -> Seen | None:
    """Ask for a name beside this one that nobody can have made; None where that is the TLD's."""
    parent = name.partition(".")[2]
    if "." not in parent:
        return None
    return await see(f"doctor-{secrets.token_hex(6)}.{parent}", among)
