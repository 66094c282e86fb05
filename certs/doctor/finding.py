"""A finding: one thing that the doctor saw, how bad it is, and what to do about it.

Promise: a code keeps its meaning and its severity; `docs/https.md` lists every one of them. A
sentence is for people and may be worded anew. Neither holds control characters, whatever a DNS or
web server answered.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

Severity = Literal["ok", "warning", "error"]

ORDER: Final[tuple[Severity, ...]] = ("ok", "warning", "error")

CODES: Final[Mapping[str, Severity]] = {
    # The edge itself.
    "edge.unregistered": "error",
    "edge.unset": "error",
    "edge.unresolved": "error",
    "edge.no-account": "warning",
    # The name's own records.
    "cname.ok": "ok",
    "cname.itself": "ok",
    "cname.missing": "error",
    "cname.elsewhere": "error",
    "cname.dangling": "error",
    "cname.loop": "error",
    "cname.long": "warning",
    "cname.flattened": "warning",
    "address.none": "error",
    "address.elsewhere": "error",
    "address.ipv6-elsewhere": "error",
    "address.private": "error",
    "address.many": "error",
    "cdn.proxied": "error",
    "cdn.expected": "ok",
    "dns.failed": "error",
    "dns.bogus": "error",
    "dns.timeout": "error",
    "dns.disagree": "warning",
    "wildcard.answers": "warning",
    # Who may issue.
    "caa.ok": "ok",
    "caa.forbids": "error",
    "caa.critical": "error",
    "caa.method": "error",
    "caa.account": "error",
    "caa.unjudged": "warning",
    "caa.failed": "error",
    # Port 80.
    "http.ok": "ok",
    "http.refused": "error",
    "http.timeout": "error",
    "http.unreachable": "error",
    "http.not-http": "error",
    "http.redirect": "error",
    "http.redirect-https": "error",
    "http.redirect-external": "warning",
    "http.other-edge": "error",
    "http.other-server": "error",
    "http.cdn": "error",
    # Port 443.
    "https.ok": "ok",
    "https.refused": "error",
    "https.timeout": "error",
    "https.unreachable": "error",
    "https.not-tls": "error",
    "https.no-certificate": "error",
    "https.old-tls-only": "error",
    "https.old-tls": "warning",
    "https.expired": "error",
    "https.expiring": "warning",
    "https.not-yet-valid": "error",
    "https.other-name": "error",
    "https.self-signed": "error",
    "https.staging": "error",
    "https.untrusted": "error",
    "https.other-server": "error",
    "https.unproven": "warning",
    "hsts.bound": "error",
    # What the CA's directory tells.
    "ca.unreachable": "warning",
    "clock.ok": "ok",
    "clock.skewed": "error",
}


class Finding(msgspec.Struct, frozen=True):
    """One thing seen: what it `says`, how to `fix` it, and the zone line to `paste`."""

    code: str
    severity: Severity
    says: str
    fix: str = ""
    paste: str = ""


def finding(code: str, says: str, *, fix: str = "", paste: str = "") -> Finding:
    """Make a finding with the severity that its code has."""
    return Finding(code, CODES[code], says, fix, paste)


def worst(findings: Iterable[Finding]) -> Severity:
    """Tell how bad it is all in all; nothing found is fine."""
    return max((each.severity for each in findings), key=ORDER.index, default="ok")


def shown(text: object, limit: int = 80) -> str:
    """Make what a stranger's server said harmless to a terminal, and short."""
    harmless = "".join(letter if letter.isprintable() else "\ufffd" for letter in str(text))
    return harmless if len(harmless) <= limit else harmless[: limit - 1] + "…"
