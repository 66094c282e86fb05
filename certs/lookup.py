"""DNS, asked: one question to one resolver, and a reply that tells failures apart.

Promise: no answer raises, and none takes longer than `PATIENCE` seconds a resolver. A name whose
signatures are wrong (`bogus`) is told from a server that is broken (`servfail`), which resolvers
both answer with SERVFAIL: what was refused is asked for once more without validation.
"""

import contextlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import dns.asyncquery
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver

PATIENCE: Final = 4.0
PORT: Final = 53
# Let's Encrypt's resolver asks with this size too: it fits every path's smallest packet
# (DNS flag day 2020).
PAYLOAD: Final = 1232

Status = Literal["found", "nodata", "nxdomain", "servfail", "bogus", "timeout"]
Type = Literal["A", "AAAA", "CAA", "CNAME", "NS", "SOA"]

# RFC 8914 §4.7 to §4.13: what a validating resolver says of signatures.
BOGUS: Final = frozenset(range(dns.edns.EDECode.DNSSEC_BOGUS, dns.edns.EDECode.NSEC_MISSING + 1))


@dataclass(frozen=True, slots=True)
class Resolver:
    """Where questions go."""

    host: str
    port: int = PORT

    def __str__(self) -> str:
        return self.host if self.port == PORT else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a resolver said.

    `owner` is the name at which the records stand, after CNAMEs; `ttl`, in seconds, is how long
    others may still hold this for true; `zone` is the zone that says that there is nothing.
    """

    status: Status
    records: tuple[Any, ...] = ()
    owner: str = ""
    ttl: int = 0
    zone: str = ""


def resolvers(texts: Sequence[str]) -> tuple[Resolver, ...]:
    """Read `host:port` or `host`; without any take the system's, which may have none.

    Raises ValueError for what is no IP address.
    """
    if texts:
        return tuple(map(_resolver, texts))
    try:
        configured = dns.resolver.Resolver().nameservers
    except (dns.exception.DNSException, OSError):
        return ()
    return tuple(Resolver(each) for each in configured if isinstance(each, str))


def _resolver(text: str) -> Resolver:
    with contextlib.suppress(ValueError):
        return Resolver(str(ipaddress.ip_address(text)))
    try:
        parts = urlsplit(f"//{text}")
        return Resolver(str(ipaddress.ip_address(parts.hostname or "")), parts.port or PORT)
    except ValueError as error:
        raise ValueError(f"{text!r} should be an address such as 9.9.9.9 or [::1]:5353") from error


async def ask(name: str, kind: Type, among: Sequence[Resolver]) -> Reply:
    """Ask one resolver after the other until one knows; else tell the last one's failure."""
    reply = Reply("timeout")
    for resolver in among:
        reply = await ask_one(name, kind, resolver)
        if reply.status in {"found", "nodata", "nxdomain", "bogus"}:
            break
    return reply


async def ask_one(name: str, kind: Type, resolver: Resolver) -> Reply:
    """Ask a single resolver."""
    reply = await _exchange(name, kind, resolver, validate=True)
    if reply.status == "servfail":
        unvalidated = await _exchange(name, kind, resolver, validate=False)
        if unvalidated.status in {"found", "nodata", "nxdomain"}:
            return Reply("bogus")
    return reply


async def _exchange(name: str, kind: Type, resolver: Resolver, *, validate: bool) -> Reply:
    query = dns.message.make_query(name, kind, use_edns=0, payload=PAYLOAD)
    if not validate:
        query.flags |= dns.flags.CD
    try:
        message, _ = await dns.asyncquery.udp_with_fallback(
            query,
            resolver.host,
            timeout=PATIENCE,
            port=resolver.port,
            # What didn't come from the resolver, or answers another question, is not read.
            ignore_unexpected=True,
            ignore_errors=True,
        )
        return _read(message)
    except (dns.exception.Timeout, OSError, EOFError):
        return Reply("timeout")
    except dns.exception.DNSException:
        return Reply("servfail")


def _read(message: dns.message.Message) -> Reply:
    if not isinstance(message, dns.message.QueryMessage) or _distrusted(message):
        return Reply("bogus")
    if message.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        return Reply("servfail")
    chain = message.resolve_chaining()
    owner = text(chain.canonical_name)
    if chain.answer is not None:
        return Reply("found", tuple(chain.answer), owner, chain.minimum_ttl)
    status: Status = "nxdomain" if message.rcode() == dns.rcode.NXDOMAIN else "nodata"
    return Reply(status, (), owner, chain.minimum_ttl, _zone(message))


def _distrusted(message: dns.message.Message) -> bool:
    return message.rcode() == dns.rcode.SERVFAIL and any(
        isinstance(option, dns.edns.EDEOption) and option.code in BOGUS
        for option in message.options
    )


def _zone(message: dns.message.Message) -> str:
    """Name the zone that says that there is nothing (RFC 2308 §3)."""
    for rrset in message.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return text(rrset.name)
    return ""


def text(name: dns.name.Name) -> str:
    """Write a name as the rest of the program does: lower case, without the final dot."""
    return name.canonicalize().to_text(omit_final_dot=True)
