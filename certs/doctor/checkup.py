"""All that the doctor looks at, in the order in which things depend on each other."""

import asyncio
from collections.abc import Sequence
from typing import Final

from certs.doctor import caa as authority
from certs.doctor import leads, names
from certs.doctor.expected import Expected
from certs.doctor.finding import Finding, finding, worst
from certs.doctor.hsts import hsts
from certs.doctor.port80 import port80
from certs.doctor.port443 import ACCOUNT, port443
from certs.lookup import Resolver, resolvers

# Tokens and certificates bear minutes of a wrong clock; events are told wrongly from the first.
SKEW: Final = 60.0


async def check(name: str, expected: Expected) -> list[Finding]:
    """Look at everything."""
    among = resolvers(expected.resolvers)
    seen, mine, sibling, said, allowed = await asyncio.gather(
        names.see(name, among),
        names.ours(expected, among),
        names.sibling(name, among),
        names.opinions(name, among),
        authority.relevant(name, among),
    )
    reachable = names.reachable(seen, expected)
    http, https = await asyncio.gather(
        port80(name, reachable, expected),
        port443(name, reachable if expected.https else (), expected),
    )
    return [
        *leads.judge(seen, mine, expected),
        *leads.wildcard(seen, sibling),
        *leads.disagree(name, said, mine),
        *(authority.judge(name, allowed, expected) if not expected.external else ()),
        *_account(expected),
        *http,
        *https,
        *await _bound(name, expected, among, https),
        *_clock(expected),
    ]


async def _bound(
    name: str, expected: Expected, among: Sequence[Resolver], https: Sequence[Finding]
) -> list[Finding]:
    """Look whether browsers insist on HTTPS, where it isn't there."""
    fine = expected.https and worst(https) != "error"
    return [] if fine else await hsts(name, expected, among)


async def cname(name: str, expected: Expected) -> list[Finding]:
    """Tell whether the name leads to this edge."""
    among = resolvers(expected.resolvers)
    seen, mine = await asyncio.gather(names.see(name, among), names.ours(expected, among))
    return leads.judge(seen, mine, expected)


async def caa(name: str, expected: Expected) -> list[Finding]:
    """Tell whether the CA may issue for the name."""
    among = resolvers(expected.resolvers)
    return authority.judge(name, await authority.relevant(name, among), expected)


async def preflight(name: str, expected: Expected) -> list[Finding]:
    """Ask port 80 of every address for a challenge, as the CA would, without the CA."""
    reachable, found = await _addresses(name, expected)
    return [*found, *_account(expected), *await port80(name, reachable, expected)]


async def https_proof(name: str, expected: Expected) -> list[Finding]:
    """Tell whether every address serves this edge by HTTPS, as clients want it."""
    reachable, found = await _addresses(name, expected)
    return [*found, *await port443(name, reachable, expected)]


async def _addresses(name: str, expected: Expected) -> tuple[Sequence[str], list[Finding]]:
    """Give the addresses to connect to, and what is wrong with the others."""
    seen = await names.see(name, resolvers(expected.resolvers))
    found = [*leads.unresolved(seen), *leads.many(seen), *leads.private(seen, expected)]
    return names.reachable(seen, expected), found


def _account(expected: Expected) -> list[Finding]:
    if expected.thumbprints or expected.external:
        return []
    return [
        finding(
            "edge.no-account",
            "This edge has no account at the CA yet, so whose edge answers can't be told.",
            fix=ACCOUNT,
        )
    ]


def _clock(expected: Expected) -> list[Finding]:
    if expected.skew is None:
        return []
    off = round(expected.skew)
    if abs(off) <= SKEW:
        return [finding("clock.ok", f"This machine's clock is right to {max(abs(off), 1)} s.")]
    return [
        finding(
            "clock.skewed",
            f"This machine's clock is {abs(off)} s {'ahead of' if off > 0 else 'behind'} the CA's.",
            fix="Set it by NTP (timedatectl set-ntp true).",
        )
    ]
