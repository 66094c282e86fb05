"""Parents of a name that bind it to HTTPS: Strict-Transport-Security with includeSubDomains.

Browsers that have been to `example.com` then ask `click.example.com` by https whatever the link
says, so that http links work for nobody who knows the sender's site (RFC 6797 §8.2).
"""

import asyncio
import ssl
from collections.abc import Iterator, Sequence

from certs.doctor import names
from certs.doctor.expected import Expected
from certs.doctor.finding import Finding, finding
from certs.doctor.port443 import trusting
from certs.doctor.probe import Unanswered, connect
from certs.lookup import Resolver


def parents(name: str) -> Iterator[str]:
    """Yield the names above a name, but for the top."""
    parent = name.partition(".")[2]
    while "." in parent:
        yield parent
        parent = parent.partition(".")[2]


def binds(header: str) -> bool:
    """Tell whether a header holds for subdomains; one of age 0 takes back what was said before."""
    directives = {part.strip().lower().replace('"', "") for part in header.split(";")}
    return "includesubdomains" in directives and "max-age=0" not in directives


async def hsts(name: str, expected: Expected, among: Sequence[Resolver]) -> list[Finding]:
    """Ask each parent's own site, as a browser would have."""
    above = tuple(parents(name))
    context = await asyncio.to_thread(trusting, expected)
    binding = await asyncio.gather(*(_binds(each, context, expected, among) for each in above))
    return [
        finding(
            "hsts.bound",
            f"{parent} binds all names beneath it to https (HSTS), so browsers that know it don't"
            f" follow http links to {name}.",
            fix="Get HTTPS to work before mail is sent, with web_scheme auto or https.",
        )
        for parent, bound in zip(above, binding, strict=True)
        if bound
    ][:1]


async def _binds(
    parent: str, context: ssl.SSLContext, expected: Expected, among: Sequence[Resolver]
) -> bool:
    addresses = names.reachable(await names.see(parent, among), expected)
    if not addresses:
        return False
    try:
        connection = await connect(addresses[0], expected.https_port, context, parent)
    except (Unanswered, ssl.SSLError):
        return False
    try:
        answer = await connection.get(parent, "/")
    except Unanswered:
        return False
    finally:
        connection.close()
    return binds(answer.headers.get("strict-transport-security", ""))
