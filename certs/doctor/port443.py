"""Port 443 of every address: whether this edge is there, with a certificate that clients trust.

A certificate is looked at twice where it isn't trusted: once as a client, which refuses it, and
once without trust, so that the finding can tell whose it is and until when it holds.
"""

import asyncio
import ssl
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final

from certs.doctor import leaf, port80
from certs.doctor.expected import Expected
from certs.doctor.finding import Finding, finding, shown
from certs.doctor.leaf import Leaf
from certs.doctor.probe import Connection, Reason, Unanswered, connect
from certs.doctor.reach import endpoint

DAY: Final = "%-d %B %Y"


async def port443(
    name: str, addresses: Sequence[str], expected: Expected, now: datetime | None = None
) -> list[Finding]:
    """Shake hands with each address, all at once."""
    if not addresses:
        return []
    context = await asyncio.to_thread(trusting, expected)
    found = await asyncio.gather(
        *(_address(name, each, context, expected, now or datetime.now(UTC)) for each in addresses)
    )
    return [each for findings in found for each in findings]


def trusting(expected: Expected) -> ssl.SSLContext:
    """Trust what clients trust; reading the system's roots takes some 20 ms."""
    return ssl.create_default_context(cafile=expected.roots)


async def _address(
    name: str, address: str, context: ssl.SSLContext, expected: Expected, now: datetime
) -> list[Finding]:
    where = endpoint(address, expected.https_port)
    try:
        connection = await connect(address, expected.https_port, context, name)
    except Unanswered as silence:
        code, says, fix = SILENCE[silence.reason]
        return [finding(code, says.format(where=where), fix=fix)]
    except ssl.SSLCertVerificationError as error:
        presented = await _presented(name, address, expected)
        return [_distrusted(name, where, error.verify_code, presented)]
    except ssl.SSLError as error:
        return [await _refused(name, address, where, error.reason or "", expected)]
    try:
        found = await _trusted(name, where, connection, expected, now)
    finally:
        connection.close()
    if await _speaks_old_tls(name, address, expected):
        found.append(
            finding(
                "https.old-tls",
                f"{where} also speaks TLS 1.0 or 1.1, which RFC 8996 forbids.",
                fix="Allow TLS 1.2 and 1.3 only where TLS ends.",
            )
        )
    return found


SILENCE: Final[dict[Reason, tuple[str, str, str]]] = {
    "refused": (
        "https.refused",
        "{where} refuses connections: nothing listens there.",
        "Start the edge with port 443 in edge.tls_listen; behind a router, forward port 443 to it.",
    ),
    "timeout": (
        "https.timeout",
        "{where} doesn't answer in time: a firewall drops it, or this machine has no way there.",
        "Open port 443 to the whole internet.",
    ),
    "unreachable": (
        "https.unreachable",
        "{where} can't be reached from this machine: there is no route.",
        "Check the address; for IPv6, whether this machine has IPv6 at all.",
    ),
    "garbled": (
        "https.not-tls",
        "{where} takes the connection and then speaks no TLS, or hangs up.",
        "Let port 443 reach the edge as it is.",
    ),
}


async def _trusted(
    name: str, where: str, connection: Connection, expected: Expected, now: datetime
) -> list[Finding]:
    secured: ssl.SSLObject = connection.writer.get_extra_info("ssl_object")
    presented = leaf.read(secured.getpeercert(binary_form=True))
    until = f" by {presented.issuer} until {presented.ends:{DAY}}" if presented else ""
    says = f"{where} serves a trusted certificate{until}"
    if expected.thumbprints and not await _answers(name, connection, expected):
        return [
            finding(
                "https.other-server",
                f"{says}, but it isn't this edge that answers behind it.",
                fix="Let the server there pass the name on to this edge, the path"
                f" {port80.PATH} as well.",
            )
        ]
    if presented and presented.overdue(now):
        return [finding("https.expiring", f"{says}: its renewal is overdue.", fix=RENEWAL)]
    if not (expected.thumbprints or expected.external):
        return [finding("https.unproven", f"{says}; whose edge it is can't be told.", fix=ACCOUNT)]
    return [finding("https.ok", f"{says}, over {secured.version()}.")]


RENEWAL: Final = "'tracker certificates status' and the log tell what hinders it."
ACCOUNT: Final = "Accept the CA's terms (acme.terms_agreed) and start the edge: see docs/https.md."


async def _answers(name: str, connection: Connection, expected: Expected) -> bool:
    asked = port80.token()
    try:
        answer = await connection.get(name, port80.PATH + asked)
    except Unanswered:
        return False
    return port80.proven(answer, asked, expected)


# X509_V_ERR_… of OpenSSL's x509_vfy.h.
VERDICTS: Final = {
    9: "https.not-yet-valid",
    10: "https.expired",
    18: "https.self-signed",
    19: "https.self-signed",
    62: "https.other-name",
}
SENTENCES: Final = {
    "https.not-yet-valid": (
        "{where} serves a certificate that begins on {begins} only.",
        "Set the clocks right, of this machine or of the one that made the certificate.",
    ),
    "https.expired": (
        "{where} serves a certificate that ended on {ends}.",
        f"Put right what hinders its renewal: {RENEWAL}",
    ),
    "https.self-signed": (
        "{where} serves a certificate of its own making, which no client trusts.",
        "Let port 443 reach this edge, which gets one from the CA.",
    ),
    "https.other-name": (
        "{where} serves a certificate for other names than {name}.",
        "Let port 443 reach this edge: another server answers there.",
    ),
    "https.staging": (
        "{where} serves a certificate for tests, by {issuer}.",
        "Set acme.directory to the CA's production directory.",
    ),
    "https.untrusted": (
        "{where} serves a certificate by {issuer}, which clients don't trust: that CA isn't among"
        " their roots, or the chain lacks an intermediate certificate.",
        "Serve the whole chain, of a CA that clients trust.",
    ),
}


def _distrusted(name: str, where: str, verdict: int, presented: Leaf | None) -> Finding:
    code = VERDICTS.get(verdict, "https.untrusted")
    if code == "https.untrusted" and presented and presented.staging:
        code = "https.staging"
    says, fix = SENTENCES[code]
    return finding(
        code,
        says.format(
            where=where,
            name=name,
            issuer=presented.issuer if presented else "an unknown CA",
            begins=f"{presented.begins:{DAY}}" if presented else "a later day",
            ends=f"{presented.ends:{DAY}}" if presented else "an earlier day",
        ),
        fix=fix,
    )


async def _presented(name: str, address: str, expected: Expected) -> Leaf | None:
    """Read the certificate of a server that isn't trusted."""
    try:
        connection = await connect(address, expected.https_port, _untrusting(), name)
    except (Unanswered, ssl.SSLError):
        return None
    try:
        secured: ssl.SSLObject = connection.writer.get_extra_info("ssl_object")
        return leaf.read(secured.getpeercert(binary_form=True))
    finally:
        connection.close()


async def _refused(name: str, address: str, where: str, reason: str, expected: Expected) -> Finding:
    """Tell why there was no handshake, by OpenSSL's name for it."""
    if "UNRECOGNIZED_NAME" in reason:
        return finding(
            "https.no-certificate",
            f"{where} has no certificate for {name} yet.",
            fix="If the name was added a moment ago, wait a minute; else 'tracker certificates"
            " status' tells what it waits for.",
        )
    if await _speaks_old_tls(name, address, expected):
        return finding(
            "https.old-tls-only",
            f"{where} speaks TLS 1.0 or 1.1 only, which clients refuse.",
            fix="Allow TLS 1.2 and 1.3 where TLS ends.",
        )
    _, says, fix = SILENCE["garbled"]
    said = f" ({shown(reason.lower().replace('_', ' '))})" if reason else ""
    return finding("https.not-tls", says.format(where=where).rstrip(".") + f"{said}.", fix=fix)


async def _speaks_old_tls(name: str, address: str, expected: Expected) -> bool:
    try:
        connection = await connect(address, expected.https_port, _old(), name)
    except (Unanswered, ssl.SSLError):
        return False
    connection.close()
    return True


@cache
def _untrusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@cache
def _old() -> ssl.SSLContext:
    """Offer nothing better than TLS 1.1, at the security level that OpenSSL 3 wants for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # That it is deprecated is why it is asked for.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context
