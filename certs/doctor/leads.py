"""Whether a name leads to this edge: from what DNS says of it to findings."""

from collections.abc import Sequence
from typing import Final

from certs.doctor import cdn
from certs.doctor.expected import Expected
from certs.doctor.finding import Finding, finding, shown
from certs.doctor.names import ADDRESSES, HOPS, Seen, addresses, inward
from certs.doctor.zone import TTL
from certs.lookup import Reply, Resolver

# More CNAMEs than these want explaining.
LONG: Final = 4
# RFC 1034 §3.6.2.
APEX: Final = (
    "No CNAME can stand at a zone's apex: choose a subdomain, or the provider's ALIAS or ANAME"
    " record if it has one."
)


def unresolved(seen: Seen) -> list[Finding]:
    """Say why there are no addresses to connect to, or that some can't be told."""
    statuses = {seen.a.status, seen.aaaa.status}
    if seen.looped:
        return [
            finding(
                "cname.loop",
                f"The CNAMEs of {seen.name} lead in a circle or over {HOPS} hops: {seen.chain}.",
                fix=f"Let {seen.name} name the edge itself.",
            )
        ]
    for status, code, what in FAILURES:
        if status in statuses:
            return [finding(code, what.format(name=seen.name), fix=FIXES[code])]
    return [] if seen.addresses else [_nowhere(seen)]


FAILURES: Final = (
    ("bogus", "dns.bogus", "The DNSSEC signatures of {name} are wrong, so resolvers refuse it."),
    ("servfail", "dns.failed", "The name servers of {name} fail or refuse to answer."),
    ("timeout", "dns.timeout", "No resolver answered for {name} in time."),
)
FIXES: Final = {
    "dns.bogus": "At the registrar, remove the DS record or put in the one that the DNS provider"
    " gives now.",
    "dns.failed": "Ask the DNS provider; https://dnsviz.net shows which server is at fault.",
    "dns.timeout": "Check this machine's resolver (setting dns.resolvers), then the name servers.",
}


def _nowhere(seen: Seen) -> Finding:
    if seen.hops and seen.a.status == "nxdomain":
        return finding(
            "cname.dangling",
            f"The CNAME leads to {shown(seen.hops[-1].target)}, which doesn't exist.",
            fix="Correct the target of the CNAME; a name left dangling can be taken by others.",
        )
    return finding("address.none", f"{seen.name} leads to no address at all.")


def judge(seen: Seen, mine: frozenset[str], expected: Expected) -> list[Finding]:
    """Tell whether the name leads to this edge, to all of it, and to nothing else."""
    if not (expected.edge_host or mine):
        return [
            finding(
                "edge.unset",
                "Which host tracking domains should point to isn't set.",
                fix="Set dns.edge_host to the host name of this edge.",
            )
        ]
    if seen.looped or {seen.a.status, seen.aaaa.status} & {"bogus", "servfail", "timeout"}:
        return unresolved(seen)
    if not mine and not expected.external:
        return [_edge_unresolved(expected)]
    here = _leads_here(seen, mine, expected)
    stray = _stray(seen, mine, expected) if here.severity != "error" else []
    return [here, *_long(seen), *many(seen), *stray, *private(seen, expected)]


def _edge_unresolved(expected: Expected) -> Finding:
    return finding(
        "edge.unresolved",
        f"DNS gives no address for the edge's own host {expected.edge_host}.",
        fix=f"Give {expected.edge_host} an A record, and an AAAA record if the edge has IPv6.",
    )


def _leads_here(seen: Seen, mine: frozenset[str], expected: Expected) -> Finding:
    found = frozenset(seen.addresses)
    if expected.edge_host and seen.reaches(expected.edge_host):
        return finding("cname.ok", f"{seen.chain} (TTL {seen.hops[0].ttl} s)")
    if seen.name == expected.edge_host and found:
        return finding("cname.itself", f"{seen.name} is the edge's own host.")
    if found and found <= mine:
        return _flattened(seen, expected)
    if expected.external and found:
        return finding(
            "cdn.expected", f"{seen.name} leads to {_listed(found)}, where TLS ends as it is set."
        )
    return _leads_elsewhere(seen, mine, expected)


def _leads_elsewhere(seen: Seen, mine: frozenset[str], expected: Expected) -> Finding:
    found = frozenset(seen.addresses)
    if seen.hops:
        return _elsewhere(seen, expected)
    proxies = sorted({cdn.by_address(address) for address in found - mine} - {""})
    if proxies:
        return _proxied(seen, proxies[0], expected)
    return _flattened(seen, expected) if found & mine else _missing(seen, expected)


def record(name: str, host: str) -> str:
    """Write the zone line that leads a name to the edge; nothing where the host isn't known."""
    return f"{name}. {TTL} IN CNAME {host}." if host else ""


def _flattened(seen: Seen, expected: Expected) -> Finding:
    way = f"through {shown(seen.hops[-1].target)}" if seen.hops else "without a CNAME"
    return finding(
        "cname.flattened",
        f"{seen.name} leads to this edge's addresses {way}, and not by the name"
        f" {expected.edge_host or 'of the edge'}: should the edge move, it may stay behind.",
        fix=APEX if seen.apex else "Replace its address records by the CNAME.",
        paste="" if seen.apex else record(seen.name, expected.edge_host),
    )


def _elsewhere(seen: Seen, expected: Expected) -> Finding:
    if seen.a.status == "nxdomain":
        return _nowhere(seen)
    return finding(
        "cname.elsewhere",
        f"The CNAME leads elsewhere: {seen.chain}.",
        fix=f"Change its target to {expected.edge_host or 'the host of this edge'}.",
        paste=record(seen.name, expected.edge_host),
    )


def _proxied(seen: Seen, proxy: str, expected: Expected) -> Finding:
    return finding(
        "cdn.proxied",
        f"{proxy} stands in front of {seen.name}: its addresses are {_listed(seen.addresses)}.",
        fix="Set the record to 'DNS only' (grey cloud)."
        if proxy == "Cloudflare"
        else f"Take {proxy} away from this name, or set its tls to external: see docs/https.md.",
        paste="" if seen.apex else record(seen.name, expected.edge_host),
    )


def _missing(seen: Seen, expected: Expected) -> Finding:
    if seen.addresses:
        says = (
            f"{seen.name} has addresses of its own, {_listed(seen.addresses)}, which aren't this"
            " edge's."
        )
        fix = "Remove its A and AAAA records and add the CNAME."
    elif seen.a.status == "nxdomain":
        says = f"{seen.name} doesn't exist in DNS."
        fix = f"Add the record; who asked before may take {seen.a.ttl} s to see it."
    else:
        says = f"{seen.name} has neither a CNAME nor an address."
        fix = f"Add the record; who asked before may take {seen.a.ttl} s to see it."
    if seen.apex:
        return finding("cname.missing", says, fix=APEX)
    return finding("cname.missing", says, fix=fix, paste=record(seen.name, expected.edge_host))


def _listed(addresses: Sequence[str] | frozenset[str]) -> str:
    listed = sorted(addresses)
    more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
    return ", ".join(listed[:4]) + more


def _long(seen: Seen) -> list[Finding]:
    if len(seen.hops) <= LONG:
        return []
    return [
        finding(
            "cname.long",
            f"It takes {len(seen.hops)} CNAMEs to get here; each is one more that can break.",
            fix="Let the first name the edge itself.",
        )
    ]


def many(seen: Seen) -> list[Finding]:
    """Find more addresses than are looked at: nothing is proven of the others."""
    if len(seen.addresses) <= ADDRESSES:
        return []
    return [
        finding(
            "address.many",
            f"{seen.name} has {len(seen.addresses)} addresses, of which {ADDRESSES} are looked at.",
            fix=f"Give it {ADDRESSES} addresses at the most.",
        )
    ]


def _stray(seen: Seen, mine: frozenset[str], expected: Expected) -> list[Finding]:
    """Find every address that isn't ours: the CA chooses one, and prefers IPv6.

    What the edge's own host leads to is ours, unless its addresses are set: with round robin or
    GeoDNS it has others each time that it is asked for.
    """
    by_name = seen.reaches(expected.edge_host) and not expected.addresses
    if by_name or expected.external:
        return []
    fix = (
        "Remove the record, or add the address to dns.edge_addresses if it is this edge's."
        if expected.addresses
        else "Remove the record."
    )
    return [
        finding(
            "address.ipv6-elsewhere" if ":" in address else "address.elsewhere",
            f"{address} isn't this edge's, and clients connect to it, as does the CA"
            f"{', which prefers IPv6' if ':' in address else ''}.",
            fix=fix,
        )
        for address in seen.addresses
        if address not in mine
    ]


def private(seen: Seen, expected: Expected) -> list[Finding]:
    """Find addresses that nobody gets to, and that aren't connected to."""
    return [
        finding(
            "address.private",
            f"{address} isn't an address of the internet ({why}): no one gets there.",
            fix="Replace it by the edge's public address; in a network of your own, set"
            " dns.edge_addresses.",
        )
        for address in seen.addresses
        if (why := inward(address, expected))
    ]


def disagree(
    name: str, said: Sequence[tuple[Resolver, Reply]], mine: frozenset[str]
) -> list[Finding]:
    """Find resolvers that see something else; which of our addresses they see is no matter."""
    views = {
        frozenset(addresses(reply)) or reply.status
        for _, reply in said
        if reply.status in {"found", "nodata", "nxdomain"}
    }
    if len(views) < 2 or all(isinstance(view, frozenset) and view <= mine for view in views):
        return []
    told = "; ".join(
        f"{resolver}: {_listed(addresses(reply)) or NOTHING[reply.status]}"
        for resolver, reply in said
    )
    wait = max(reply.ttl for _, reply in said)
    return [
        finding(
            "dns.disagree",
            f"Resolvers don't agree about {name}: {told}.",
            fix=f"If the record was changed a moment ago, wait up to {wait} s.",
        )
    ]


def wildcard(seen: Seen, sibling: Seen | None) -> list[Finding]:
    """Find a wildcard that leads where the name does, and so hides that its record is missing."""
    if not sibling or not seen.addresses or set(sibling.addresses) != set(seen.addresses):
        return []
    parent = seen.name.partition(".")[2]
    return [
        finding(
            "wildcard.answers",
            f"Every name under {parent} leads where {seen.name} does, so a record that is removed"
            " isn't seen to be missing.",
            fix=f"Replace *.{parent} by a record for each name that is used.",
        )
    ]


NOTHING: Final = {
    "nodata": "no address",
    "nxdomain": "no such name",
    "servfail": "failure",
    "bogus": "wrong signatures",
    "timeout": "no answer",
}
