"""Port 80 of every address: whether it is this edge that answers an ACME challenge there.

A random token that no CA knows is asked for, so that nothing is spent at the CA. Our answer is the
token, a dot and our account's thumbprint (RFC 8555 §8.3), which nobody else's edge gives.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

from certs.doctor import cdn
from certs.doctor.expected import Expected
from certs.doctor.finding import Finding, finding, shown
from certs.doctor.probe import Answer, Reason, Unanswered, get
from certs.doctor.reach import endpoint

PATH: Final = "/.well-known/acme-challenge/"
HTTPS: Final = "https://"
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def token() -> str:
    """Make a token like the CA's, which no CA has given."""
    return secrets.token_urlsafe(32)


def proven(answer: Answer, asked: str, expected: Expected) -> bool:
    """Tell whether it is this edge, or one that shares its account, that answered."""
    given = answer.body.rstrip().decode("latin-1")
    return answer.status == 200 and given in {f"{asked}.{each}" for each in expected.thumbprints}


async def port80(name: str, addresses: Sequence[str], expected: Expected) -> list[Finding]:
    """Ask each address, all at once."""
    found = await asyncio.gather(*(_address(name, address, expected) for address in addresses))
    return [each for each in found if each]


async def _address(name: str, address: str, expected: Expected) -> Finding | None:
    asked = token()
    where = endpoint(address, expected.http_port)
    try:
        answer = await get(address, expected.http_port, name, PATH + asked)
    except Unanswered as silence:
        code, says, fix = SILENCE[silence.reason]
        return finding(code, says.format(where=where), fix=fix)
    if proven(answer, asked, expected):
        return finding("http.ok", f"{where} answers challenges with this edge's account.")
    return _other(where, asked, answer, expected)


# What no answer means: code, sentence, fix.
SILENCE: Final[dict[Reason, tuple[str, str, str]]] = {
    "refused": (
        "http.refused",
        "{where} refuses connections: nothing listens there.",
        "Start the edge with port 80 in edge.listen; behind a router, forward port 80 to it.",
    ),
    "timeout": (
        "http.timeout",
        "{where} doesn't answer in time: a firewall drops it, or this machine has no way there.",
        "Open port 80 to the whole internet: the CA asks from several places.",
    ),
    "unreachable": (
        "http.unreachable",
        "{where} can't be reached from this machine: there is no route.",
        "Check the address; for IPv6, whether this machine has IPv6 at all.",
    ),
    "garbled": (
        "http.not-http",
        "{where} takes the connection and then speaks no HTTP, or hangs up.",
        "Let plain HTTP on port 80 reach the edge.",
    ),
}


def _other(where: str, asked: str, answer: Answer, expected: Expected) -> Finding | None:
    """Tell who it was that answered, if not this edge."""
    proxy = cdn.by_headers(answer.headers)
    if answer.status in REDIRECTS:
        return _redirect(where, answer, proxy, expected)
    if not expected.thumbprints:
        return None
    if proxy:
        return finding(
            "http.cdn",
            f"{where} is {proxy}, which answers {answer.status} itself and doesn't pass the"
            " challenge on.",
            fix=f"Take {proxy} away from this name ('DNS only'), or let it pass {PATH} on.",
        )
    if answer.body.startswith(f"{asked}.".encode()):
        return finding(
            "http.other-edge",
            f"{where} is another edge: it answers challenges with another ACME account.",
            fix="Point the name to one edge, or let both share one vault.",
        )
    return finding(
        "http.other-server",
        f"{where} answers {answer.status}{_server(answer)} and not the challenge: another server,"
        " or an edge that doesn't know the name yet.",
        fix="Let this edge have port 80, or let the server there pass the name on to it.",
    )


def _redirect(where: str, answer: Answer, proxy: str, expected: Expected) -> Finding:
    target = shown(answer.headers.get("location", "nowhere"))
    by = f" by {proxy}" if proxy else _server(answer)
    says = f"{where} redirects to {target}{by}."
    if not target.lower().startswith(HTTPS):
        return finding("http.redirect", says, fix="Let the edge answer this name itself.")
    if expected.external:
        return finding(
            "http.redirect-external",
            says,
            fix="Links in old mail still work, in a hop more; switch the redirect off to spare it.",
        )
    return finding(
        "http.redirect-https",
        f"{says} A proxy or a CDN does that; this edge never would.",
        fix="Switch off its redirect to HTTPS for this name, or take it away.",
    )


def _server(answer: Answer) -> str:
    server = answer.headers.get("server", "")
    return f" (Server: {shown(server, 40)})" if server else ""
